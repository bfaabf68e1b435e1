"""`Hops` lists the trace records of a flow as hops through the layers, each with a text."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel import Machine, millis
from simkernel.engine import Record
from simkernel.trace.hops import TEXTS, Hops
from simkernel.trace.layers import APPLICATION, DRIVER, HARDWARE, KERNEL, LAYERS


def record(time: int, event: str, layer: str, flow: int = 1, **fields: object) -> Record:
    return Record(time, event, layer, "track", flow, fields)


def interrupt(time: int, flow: int = 1) -> list[Record]:
    return [
        record(time, "irq_raise", HARDWARE, flow, line=1),
        record(time + 700, "irq_handler_entry", DRIVER, flow, irq=1, name="camera"),
        record(time + 900, "irq_handler_exit", DRIVER, flow, irq=1, name="camera", result=1),
    ]


def path(*records: Record, flow: int | None = None) -> list[tuple[int, str, str, int]]:
    hops = Hops()
    for each in records:
        hops(each)
    hops.close()
    return [(hop.time, hop.layer, hop.text, hop.count) for hop in hops.path(flow)]


def test_a_hop_says_what_happens_and_where() -> None:
    assert path(*interrupt(1000)) == [
        (1000, HARDWARE, "the device raises interrupt line 1", 1),
        (1700, DRIVER, "interrupt 1: the handler of camera runs", 1),
    ]


def test_the_widest_flow_is_chosen_and_of_several_the_middle_one() -> None:
    wide = [each for flow in (3, 4, 5) for each in interrupt(flow * 10_000, flow)]
    narrow = [record(0, "irq_raise", HARDWARE, 1, line=1)]
    assert path(*narrow, *wide)[0][0] == 40_000
    assert path(*narrow, *wide, flow=1)[0][0] == 0


def test_a_path_that_begins_in_the_hardware_is_preferred() -> None:
    down = [
        record(0, "netlink_recv", KERNEL, 6, length=8, portid=8),
        record(1, "rwmmio_write", HARDWARE, 6, register="CONTROL", value=1),
    ]
    assert path(*down, *interrupt(1000, 2))[0][0] == 1000


def test_hops_that_repeat_in_turn_are_counted() -> None:
    polls = [
        record(time, name, KERNEL, length=8, portid=2, group=0)
        for time in range(20)
        for name in ("netlink_unicast", "netlink_recv")
    ]
    assert [(time, count) for time, _, _, count in path(*polls)] == [(0, 20), (0, 20)]


def test_a_path_ends_at_the_program_that_it_reaches() -> None:
    call = {"comm": "viewer", "pid": 8}
    records = [
        record(1, "netlink_recv", KERNEL, length=8, portid=8),
        record(2, "sys_exit", APPLICATION, call="recvfrom", entered=0, result=b"", **call),
        record(2, "sys_enter", APPLICATION, call="poll", arguments=(), **call),
        record(9, "sys_exit", APPLICATION, call="poll", entered=2, result=[], **call),
    ]
    assert path(*records)[-1][2] == "recvfrom() returns to viewer"


def test_a_call_that_fails_names_its_error() -> None:
    call = {"comm": "viewer", "pid": 8, "call": "recvfrom", "entered": 0}
    records = [
        record(1, "netlink_recv", KERNEL, length=8, portid=8),
        record(2, "sys_exit", APPLICATION, error=105, **call),
        record(3, "netlink_recv", KERNEL, length=9, portid=8),
        record(4, "sys_exit", APPLICATION, error="KeyboardInterrupt", **call),
    ]
    assert [text for _, _, text, _ in path(*records)][1::2] == [
        "recvfrom() returns ENOBUFS to viewer",
        "recvfrom() returns KeyboardInterrupt to viewer",
    ]


async def ask(app: Any) -> None:
    ctrl = await app.genetlink("nlctrl")
    with pytest.raises(FileNotFoundError):
        await ctrl.do("getfamily", family_name="nothing")


def test_an_error_answer_is_a_hop_and_an_acknowledgement_is_none() -> None:
    with Machine() as machine:
        hops = Hops()
        machine.trace.subscribe(hops)
        machine.spawn(ask)
        machine.run(until=millis(10))
        hops.close()
    texts = [hop.text for flow in hops.flows() for hop in hops.path(flow)]
    refused = [text for text in texts if "the kernel answers" in text]
    assert refused == [f"the kernel answers ENOENT to port {refused[0].split()[-1]}"]
    assert texts.index(refused[0]) > texts.index("the handler for getfamily runs")


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_a_record_of_that_name_with_other_fields_is_no_hop(name: str) -> None:
    assert path(record(1, name, DRIVER, surprise=1)) == []


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**6), st.sampled_from(sorted(TEXTS)), st.sampled_from(LAYERS), st.integers(0, 3)
        )
    )
)
def test_a_path_is_in_the_order_of_time_and_counts_each_hop_once(
    drawn: list[tuple[int, str, str, int]],
) -> None:
    fields = dict.fromkeys(re.findall(r"{(\w+)}", str(TEXTS)), "x")
    records = [record(time, name, layer, flow, **{**fields, "value": 1}) for time, name, layer, flow in drawn]
    hops = Hops()
    for each in records:
        hops(each)
    hops.close()
    paths = [hops.path(flow) for flow in hops.flows()]
    assert all([hop.time for hop in each] == sorted(hop.time for hop in each) for each in paths)
    assert sum(hop.count for each in paths for hop in each) <= len(records)
