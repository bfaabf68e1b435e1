"""Trace records made by hand, and random ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

from simkernel.engine import Record
from simkernel.hardware.layer import HARDWARE
from simkernel.kernel.lib.layers import APPLICATION, DRIVER, KERNEL
from simkernel.trace import Exporter
from simkernel.trace.layers import LAYERS
from simkernel.uapi.genetlink import GENL_ID_CTRL, GenlMsgHdr
from simkernel.uapi.netlink import NLM_F_ACK, NLM_F_REQUEST, attribute, message


def record(time: int, name: str, layer: str, track: str, flow: int = 0, /, **fields: Any) -> Record:
    """Return a trace record."""
    return Record(time, name, layer, track, flow, fields)


def enter(time: int, pid: int, call: str, *arguments: Any, flow: int = 0) -> Record:
    """Return the sys_enter record of a system call by the program with this pid."""
    return record(
        time, "sys_enter", APPLICATION, f"viewer/{pid}", flow,
        pid=pid, comm="viewer", call=call, arguments=arguments,
    )  # fmt: skip


def leave(time: int, pid: int, call: str, flow: int = 0, **result: Any) -> Record:
    """Return the sys_exit record of a system call by the program with this pid."""
    return record(
        time, "sys_exit", APPLICATION, f"viewer/{pid}", flow,
        pid=pid, comm="viewer", call=call, entered=0, **result,
    )  # fmt: skip


def tap(time: int, protocol: int, data: bytes, flow: int = 0) -> Record:
    """Return the record of a message, as an nlmon device receives it."""
    return record(
        time, "netlink_deliver_tap", KERNEL, "netlink", flow, protocol=protocol, data=data,
        outgoing=True, kernel=False, portid=0, dst_portid=7, dst_group=0,
    )  # fmt: skip


def feed(exporter: Exporter, records: Iterable[Record]) -> None:
    """Pass all records to an exporter, and close it."""
    with exporter:
        for each in records:
            exporter(each)


GETFAMILY = message(
    GENL_ID_CTRL, GenlMsgHdr(3).pack() + attribute(2, b"camera\0"), flags=NLM_F_REQUEST | NLM_F_ACK, seq=1
)
NEWFAMILY = message(
    GENL_ID_CTRL,
    GenlMsgHdr(1, 2).pack() + attribute(2, b"camera\0") + attribute(1, b"\x1c\0") + attribute(3, b"\1\0\0\0"),
    seq=1, pid=7,
)  # fmt: skip
COMMAND = message(0x1C, GenlMsgHdr(5).pack() + attribute(2, b"\1\0\0\0"), flags=NLM_F_REQUEST, seq=2)

STORY = [
    enter(100, 7, "sendto", 3, COMMAND, 0, (0, 0)),
    tap(110, 16, COMMAND, flow=1),
    record(120, "netlink_unicast", KERNEL, "netlink", 1, protocol=16, portid=0, group=0, length=len(COMMAND)),
    record(130, "genl_doit", DRIVER, "camera", 1, family="camera", cmd="stream-on"),
    record(
        140, "rwmmio_write", HARDWARE, "camera0", 1, device="camera0", offset=4, register="CONTROL", value=1
    ),
    leave(150, 7, "sendto", 1, result=len(COMMAND)),
    enter(160, 7, "recvfrom", 3, 4096, 0, flow=1),
    record(500, "frame_start", HARDWARE, "camera0", 2, sequence=0),
    record(900, "irq_raise", HARDWARE, "camera0", 2, line=9),
    record(910, "irq_handler_entry", DRIVER, "camera", 2, irq=9, name="camera0"),
    record(
        920, "rwmmio_read", HARDWARE, "camera0", 2, device="camera0", offset=0, register="STATUS", value=3
    ),
    record(930, "irq_handler_exit", DRIVER, "camera", 2, irq=9, name="camera0"),
    record(940, "netlink_broadcast", KERNEL, "netlink", 2, protocol=16, portid=0, group=5, length=40),
    leave(950, 7, "recvfrom", 2, error=105),
]
"""Records of a command on its way to a register, and of a frame on its way to the program."""


@st.composite
def _records(draw: st.DrawFn) -> Record:
    time = draw(st.integers(0, 60))
    flow = draw(st.integers(0, 5))
    pid = draw(st.integers(1, 3))
    call = draw(st.sampled_from(["sendto", "recvfrom", "getpid", "compute", "exit", "no-such-call"]))
    arguments = {"sendto": (3, draw(st.binary(max_size=60)), 0, (0, 1)), "recvfrom": (3, 100, 0)}
    layer = draw(st.sampled_from(LAYERS))
    track = draw(st.sampled_from(["camera", "netlink", "end", "a;b#c"]))
    return draw(
        st.sampled_from(
            [
                enter(time, pid, call, *arguments.get(call, ()), flow=flow),
                leave(time, pid, call, flow, error=draw(st.integers(1, 133))),
                tap(time, draw(st.integers(0, 31)), draw(st.binary(max_size=60)), flow),
                record(time, "irq_handler_entry", DRIVER, track, flow, irq=pid, name=track),
                record(time, "irq_handler_exit", DRIVER, track, flow, irq=pid, name=track),
                record(time, "console", KERNEL, "log", flow, level=6, text=draw(st.text(max_size=20))),
                record(
                    time, "sched_process_fork", KERNEL, "sched", flow, pid=pid, child=pid + 1, comm="child"
                ),
                record(time, "sched_process_exit", KERNEL, "sched", flow, pid=pid, comm="viewer", status=9),
                record(time, "signal_deliver", KERNEL, "sched", flow, pid=pid, comm="viewer", signal=15),
                record(time, "who knows", layer, track, flow, what=draw(st.text(max_size=5)), data=b"\xff"),
            ]
        )
    )


ANY_RECORDS = st.lists(_records(), max_size=40)
"""Strategy for lists of trace records in any order, even one that no machine can produce. A system call may
have no sys_exit record.
"""
