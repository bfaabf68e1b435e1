"""Trace records as lines: tracepoints in ftrace's format, and any other record with its fields."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from simkernel.engine import Record
from simkernel.kernel.lib.layers import KERNEL
from simkernel.trace.tracepoint import LINES, line
from tests.trace.records import ANY_RECORDS


@pytest.mark.parametrize(
    ("text", "name", "fields"),
    [
        (
            "rwmmio_read: GAIN width=32 val=0x10",
            "rwmmio_read",
            {"device": "camera0", "offset": 48, "register": "GAIN", "value": 16},
        ),
        ("irq_handler_entry: irq=1 name=camera", "irq_handler_entry", {"irq": 1, "name": "camera"}),
        ("irq_handler_exit: irq=1 ret=handled", "irq_handler_exit", {"irq": 1, "name": "x", "result": 1}),
        ("irq_handler_exit: irq=1 ret=unhandled", "irq_handler_exit", {"irq": 1, "name": "x", "result": 0}),
        ("netlink_extack: msg=integer out of range", "netlink_extack", {"msg": "integer out of range"}),
        ("module_load: camera", "module_load", {"module": "camera"}),
        ("kobject_uevent: add /module/x", "kobject_uevent",
         {"action": "add", "devpath": "/module/x", "seqnum": 3}),
        ("frame_start: sequence=0", "frame_start", {"sequence": 0}),
        ("tells: text=ab data=6162", "tells", {"text": "ab", "data": b"ab"}),
    ],
)  # fmt: skip
def test_a_tracepoint_is_a_line_of_ftrace(text: str, name: str, fields: dict[str, Any]) -> None:
    assert line(Record(1, name, KERNEL, "somebody", 0, fields)) == text


@given(ANY_RECORDS)
def test_any_other_record_is_printed_with_its_fields(records: list[Record]) -> None:
    for each in records:
        if each.name not in LINES and each.name != "irq_handler_exit":
            assert line(each).startswith(f"{each.name}: ")
            assert all(f"{name}=" in line(each) for name in each.fields)
