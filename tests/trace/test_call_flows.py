from __future__ import annotations

from hypothesis import given

from simkernel.engine import Record
from simkernel.hardware.layer import HARDWARE
from simkernel.kernel.lib.layers import KERNEL
from simkernel.trace.call_flows import CallFlows
from tests.trace.records import ANY_RECORDS, STORY, enter, record


def settled(records: list[Record]) -> list[Record]:
    call_flows = CallFlows()
    return [*(each for one in records for each in call_flows.take(one)), *call_flows.rest()]


def test_a_call_is_part_of_the_flow_it_begins() -> None:
    assert [each.flow for each in settled(STORY)][:4] == [1, 1, 1, 1]


def test_a_call_that_sleeps_has_no_part_in_a_frame_that_begins_meanwhile() -> None:
    records = [enter(10, 1, "recvfrom", 3, 10, 0), record(20, "frame_start", HARDWARE, "camera0", 1)]
    assert settled(records) == records


def test_a_call_keeps_a_known_flow() -> None:
    records = [
        record(5, "x", KERNEL, "y", 3),
        enter(10, 1, "close", 3, flow=3),
        record(11, "x", KERNEL, "y", 2),
    ]
    assert settled(records) == records


@given(ANY_RECORDS)
def test_nothing_is_lost_and_nothing_changes_its_place(records: list[Record]) -> None:
    found = settled(records)
    assert [(each.time, each.name, each.fields) for each in found] == [
        (each.time, each.name, each.fields) for each in records
    ]
