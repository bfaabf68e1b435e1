from __future__ import annotations

import io
import re

from hypothesis import given
from hypothesis import strategies as st

from simkernel.engine import Record
from simkernel.hardware.layer import HARDWARE
from simkernel.kernel.lib.layers import APPLICATION, DRIVER, KERNEL
from simkernel.trace import Diagram
from simkernel.trace.diagram import NOT_DRAWN
from simkernel.trace.layers import LAYERS
from simkernel.uapi.netlink import message
from tests.trace.records import ANY_RECORDS, STORY, enter, feed, record

LINE = re.compile(
    r"sequenceDiagram|    box transparent \S.*|    loop \d+ times|    end|    participant p\d+ as \S.*"
    r"|    p\d+->>p\d+: \S.*|    Note over p\d+: \S.*"
)


def drawn(records: list[Record], **options: int) -> list[str]:
    file = io.StringIO()
    feed(Diagram(file, **options), records)
    return file.getvalue().splitlines()


def steps(lines: list[str]) -> list[tuple[str, str, str]]:
    """Return sender, receiver and text of each arrow in a Mermaid sequence diagram. The time before the text
    is omitted.
    """
    names = dict(re.findall(r"participant (p\d+) as (.*)", "\n".join(lines)))
    found = re.findall(r"(p\d+)->>(p\d+): \S+ ms: (.*)", "\n".join(lines))
    return [(names[source], names[target], text) for source, target, text in found]


def test_messages_go_from_layer_to_layer() -> None:
    assert steps(drawn(STORY)) == [
        ("viewer/7", "viewer/7", "sendto() of type 28, command 5"),
        ("viewer/7", "netlink", "unicast to port 0, 28 bytes"),
        ("netlink", "camera", "camera: stream-on"),
        ("camera", "camera0", "writel CONTROL = 0x1"),
        ("camera", "viewer/7", "sendto() returns"),
        ("viewer/7", "viewer/7", "recvfrom()"),
        ("camera0", "camera0", "frame_start"),
        ("camera0", "camera0", "raises line 9"),
        ("camera0", "camera", "interrupt 9"),
        ("camera", "camera0", "readl STATUS gives 0x3"),
        ("camera", "netlink", "multicast to group 5, 40 bytes"),
        ("netlink", "viewer/7", "recvfrom() returns"),
    ]


def test_a_text_that_is_sent_is_no_request() -> None:
    sent = [enter(1, 7, "sendto", 3, b"hello, this is no netlink message", flow=1)]
    assert steps(drawn(sent)) == [("viewer/7", "viewer/7", "sendto()")]


def test_a_message_of_another_protocol_has_no_command() -> None:
    records = [
        enter(1, 7, "sendto", 3, message(0x10, b"Grace"), 0, (0, 0)),
        record(2, "netlink_unicast", KERNEL, "netlink", 1, protocol=17, portid=7, length=32),
    ]
    assert steps(drawn(records))[0] == ("viewer/7", "viewer/7", "sendto() of type 16")


def test_a_driver_reads_registers_also_after_the_device_did_something_by_itself() -> None:
    records = [
        record(1, "genl_doit", DRIVER, "camera", 1, family="camera", cmd="stream-on"),
        record(2, "ready", HARDWARE, "camera0", 1),
        record(3, "rwmmio_read", HARDWARE, "camera0", 1, register="STATUS", value=1),
        record(4, "netlink_unicast", KERNEL, "netlink", 1, portid=7, length=36),
    ]
    assert [(source, target) for source, target, _ in steps(drawn(records))] == [
        ("camera", "camera"),
        ("camera0", "camera0"),
        ("camera", "camera0"),
        ("camera", "netlink"),
    ]


def test_participants_stand_in_boxes_from_the_application_down() -> None:
    boxes = [line.split()[-1] for line in drawn(STORY) if "box" in line]
    assert boxes == list(LAYERS)


def test_equal_steps_in_a_row_are_one() -> None:
    reads = [
        record(time, "rwmmio_read", HARDWARE, "camera0", 1, register="STATUS", value=0) for time in range(9)
    ]
    assert steps(drawn(reads)) == [("camera0", "camera0", "readl STATUS gives 0x0 (9 times)")]


def test_steps_that_repeat_together_are_a_loop() -> None:
    turn = [("recv", "a"), ("read", "b"), ("read", "b"), ("answer", "c")]
    records = [
        record(time, *step, 1) for time, step in enumerate((name, KERNEL, track) for name, track in turn * 5)
    ]
    lines = [line.strip() for line in drawn([record(0, "begin", KERNEL, "c", 1), *records])]
    body = lines[lines.index("end") + 1 :]
    assert [re.sub(r"p\d.*ms: ", "", line) for line in body] == [
        "begin",
        "loop 5 times",
        "recv",
        "read",
        "read",
        "answer",
        "end",
    ]


def test_of_flows_that_begin_alike_only_the_first_are_drawn() -> None:
    frames = [record(time, "frame_start", HARDWARE, "camera0", time) for time in range(1, 101)]
    ends = [record(200 + time, f"end {time}", KERNEL, "netlink", time) for time in range(1, 101)]
    lines = drawn(frames + ends, alike=3)
    assert [text for *_, text in steps(lines)] == ["frame_start (3 times)", "end 1", "end 2", "end 3"]
    assert lines[-1].endswith("97 more flows that begin with frame_start (camera0) are not shown")


def test_a_long_flow_is_cut_and_says_so() -> None:
    lines = drawn([record(time, f"step {time}", KERNEL, "netlink", 1) for time in range(50)], steps=10)
    assert len(steps(lines)) == 10
    assert lines[-1].endswith("cut here: 40 more steps are not shown")


def test_records_without_a_message_are_not_drawn() -> None:
    assert drawn([record(1, "sched_switch", KERNEL, "sched"), record(2, "probe", KERNEL, "device core")]) == [
        "sequenceDiagram"
    ]


@given(ANY_RECORDS)
def test_every_line_is_a_statement_for_any_records(records: list[Record]) -> None:
    lines = drawn(records)
    assert all(LINE.fullmatch(line) for line in lines)
    assert lines.count("    end") == sum(line.startswith(("    box", "    loop")) for line in lines)


@given(st.text().filter(lambda name: name not in NOT_DRAWN), st.text())
def test_no_text_can_end_a_statement_or_begin_another(name: str, track: str) -> None:
    lines = drawn([record(1, name, APPLICATION, track, 1)])
    assert len(lines) == 5
    for line in lines:
        assert LINE.fullmatch(line)
        assert not re.search(r"[;#]", re.sub(r"#\d+;", "", line))


def test_a_selected_flow_is_drawn_alone_with_all_steps() -> None:
    frames = [record(time, "frame_start", HARDWARE, "camera0", time) for time in range(1, 101)]
    ends = [record(200 + time, f"end {time}", KERNEL, "netlink", time) for time in range(1, 101)]
    lines = drawn(frames + ends, flow=50)
    assert [text for *_, text in steps(lines)] == ["frame_start", "end 50"]
    assert not [line for line in lines if "Note" in line]


def test_the_error_for_an_unknown_flow_lists_the_flows() -> None:
    begun = [record(time, "frame_start", HARDWARE, "camera0", time) for time in range(1, 9)]
    diagram = Diagram(io.StringIO(), flow=99)
    feed(diagram, [*begun, record(10, "plug", HARDWARE, "mouse0", 9)])
    assert diagram.unknown_flow() == (
        "unknown flow 99: choose one of\n  frame_start (camera0): 1, 2, 3, 4, 5 and 3 more\n"
        "  plug (mouse0): 9"
    )


def test_the_error_for_a_run_without_flows_says_so() -> None:
    diagram = Diagram(io.StringIO(), flow=1)
    feed(diagram, [record(1, "sched_switch", KERNEL, "sched")])
    assert diagram.unknown_flow() == "unknown flow 1: this run has no flows"
    assert not Diagram(io.StringIO()).unknown_flow()
