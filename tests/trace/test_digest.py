from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
from hypothesis import given

from simkernel.engine import Record
from simkernel.kernel.lib.layers import KERNEL
from simkernel.trace import Digest
from simkernel.uapi.netlink import SockaddrNl
from tests.trace.records import ANY_RECORDS, STORY, feed, record

PROGRAM = """
from simkernel.engine import Record
from simkernel.trace import Digest
def program(): pass
digest = Digest()
fields = {"set": {"x", "y", "z"}, "frozen": frozenset("abc"), "call": program}
digest(Record(1, "a", "kernel", "b", 2, fields))
print(digest.hexdigest())
"""


def digest(records: list[Record]) -> str:
    exporter = Digest()
    feed(exporter, records)
    return exporter.hexdigest()


@given(ANY_RECORDS)
def test_equal_runs_have_equal_digests(records: list[Record]) -> None:
    copies = [attrs.evolve(each, fields=dict(each.fields)) for each in records]
    assert digest(records) == digest(copies)


CHANGES = [
    {"time": 2},
    {"name": "b"},
    {"layer": "driver"},
    {"track": "irq"},
    {"flow": 4},
    {"fields": {"data": b"x"}},
    {"fields": {"data": "61"}},
    {"fields": {}},
    {"fields": {"data": b"a", "more": None}},
]


@pytest.mark.parametrize("change", CHANGES)
def test_every_part_of_a_record_counts(change: dict[str, object]) -> None:
    one = Record(1, "a", KERNEL, "netlink", 3, {"data": b"a"})
    assert digest([one]) != digest([attrs.evolve(one, **change)])


def test_every_byte_of_a_long_message_counts() -> None:
    frame = bytes(100_000)
    one, other = record(1, "a", KERNEL, "b", data=frame), record(1, "a", KERNEL, "b", data=frame[:-1] + b"x")
    assert digest([one]) != digest([other])
    assert digest([one]) == digest([record(1, "a", KERNEL, "b", data=memoryview(frame))])


def test_the_order_counts() -> None:
    assert digest(STORY) != digest(STORY[1:] + STORY[:1])


def test_it_is_the_same_number_on_every_host() -> None:
    fields = {
        "bytes": b"\xff\0",
        "view": memoryview(b"ab"),
        "address": SockaddrNl(pid=7),
        "tuple": (1, None, True),
    }
    assert digest([record(5, "x", KERNEL, "y", 1, **fields)]) == (
        "e389c38669d2c4a926af04d37fcead792f0952ddae464adb2710f552b3ba09c6"
    )


@pytest.mark.long
def test_neither_hash_order_nor_addresses_enter() -> None:
    root = Path(__file__).resolve().parents[2]
    found = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM], env=os.environ | {"PYTHONHASHSEED": seed},
            cwd=root, capture_output=True, text=True, check=True, timeout=60,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(found) == 1
