"""A sequence diagram of a run. Each arrow is one step of a flow (a chain of causes and effects) between two
objects of the machine.

An arrow goes from the previous place of a flow to the place of its next record.  Because long runs repeat
themselves, only the first few of the flows that begin alike are drawn, and repeated steps become a loop.
The number of steps is limited.  Notes at the end of the diagram state how much is omitted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, TextIO

import attrs

from simkernel.engine import Record
from simkernel.hardware.layer import HARDWARE
from simkernel.trace.call_flows import CallFlows
from simkernel.trace.exporter import Exporter
from simkernel.trace.layers import LAYERS
from simkernel.trace.mermaid import Arrow, Place, SequenceDiagram
from simkernel.uapi.genetlink import GENL_HDRLEN, GenlMsgHdr
from simkernel.uapi.netlink import NETLINK_GENERIC, NLMSG_HDRLEN, NLMSG_MIN_TYPE, NlMsgHdr

NOT_DRAWN: Final = frozenset(
    {
        "netlink_deliver_tap",
        "sched_switch",
        "sched_wakeup",
        "console",
        "module_get",
        "module_put",
        "irq_handler_exit",
    }
)
"""Records that are not drawn, because they only observe a flow."""

ROUND_TRIPS: Final = frozenset({"rwmmio_read", "rwmmio_write", "netlink_extack"})
"""Names of records for an access that returns to its caller, such as a register read. The next arrow of the
flow begins at the caller, not at the accessed object.
"""

TEXTS: Final = {
    "sys_exit": "{call}() returns",
    "irq_handler_entry": "interrupt {irq}",
    "irq_raise": "raises line {line}",
    "netlink_recv": "received, {length} bytes",
    "netlink_unicast": "unicast to port {portid}, {length} bytes",
    "netlink_broadcast": "multicast to group {group}, {length} bytes",
    "netlink_extack": "extack: {msg}",
    "genl_doit": "{family}: {cmd}",
    "genl_dumpit": "{family}: {cmd} (dump)",
    "rwmmio_read": "readl {register} gives {value:#x}",
    "rwmmio_write": "writel {register} = {value:#x}",
    "dma_write": "DMA of {length} bytes to {address:#x}",
    "workqueue_execute_start": "work {function}",
    "timer_expire_entry": "timer {name}",
    "module_load": "loads {module}",
    "module_free": "frees {module}",
    "module_request": "wants a module for {name}",
    "probe": "driver {driver} probes {device}",
    "remove": "driver {driver} lets {device} go",
    "kobject_uevent": "uevent {action} {devpath}",
}
"""Text of an arrow, by record name.  For a record that is not listed or lacks a field, the text is the
record's name.
"""

LISTED: Final = 5
"""Maximum number of flows that an error text lists for each kind of flow."""

MAX_FLOWS: Final = 4096
"""Maximum number of flows to remember.  Above it, the diagram forgets the flow that was idle the longest."""


@attrs.define
class _Flow:
    place: Place
    shown: bool
    software: Place | None = None
    """The last object in the flow that is not in the hardware layer. The arrows of register accesses begin at
    this object.
    """


class Diagram(Exporter):
    """An exporter that draws a sequence diagram of at most `steps` steps. If many flows begin in the same
    way, it draws only the first ones. The argument `alike` is the maximum number of these.

    With `flow`, the number of a flow, it draws only that flow.  The diagram is written when the exporter
    is closed.
    """

    def __init__(self, file: TextIO, steps: int = 300, alike: int = 2, flow: int | None = None) -> None:
        self._file = file
        self._flow = flow
        self._found = flow is None
        self._listed: dict[str, list[int]] = {}
        self._alike = alike
        self._drawn = SequenceDiagram(steps)
        self._flows: dict[int, _Flow] = {}
        self._begun: Counter[str] = Counter()
        self._call_flows = CallFlows()

    def record(self, record: Record) -> None:
        for settled in self._call_flows.take(record):
            self._take(settled, record)

    def _take(self, record: Record, newest: Record) -> None:
        if not record.flow or record.name in NOT_DRAWN:
            return
        place = record.layer, record.track
        flow = self._flows.pop(record.flow, None) or self._begin(record, newest, place)
        self._flows[record.flow] = flow
        if len(self._flows) > MAX_FLOWS:
            del self._flows[next(iter(self._flows))]
        if record.name == "sys_exit" and flow.place == place:
            return
        if record.name in ROUND_TRIPS:
            flow.place = flow.software or flow.place
        elif record.layer == HARDWARE:
            flow.place = place  # a device acts by itself: draw the arrow from the device to itself
        if flow.shown:
            self._drawn.add(Arrow(flow.place, place, _text(record, newest), record.time))
        if record.name not in ROUND_TRIPS:
            flow.place = place
        if record.layer != HARDWARE:
            flow.software = flow.place

    def _begin(self, record: Record, newest: Record, place: Place) -> _Flow:
        kind = f"{_kind(record, newest)} ({record.track})"
        self._begun[kind] += 1
        if self._begun[kind] <= LISTED:
            self._listed.setdefault(kind, []).append(record.flow)
        if self._flow is None:
            return _Flow(place, self._begun[kind] <= self._alike)
        self._found |= (chosen := record.flow == self._flow)
        return _Flow(place, chosen)

    def unknown_flow(self) -> str:
        """Return an error text that lists the flows if the requested flow does not exist, else an empty
        string.
        """
        if self._found:
            return ""
        lines = [
            f"unknown flow {self._flow}: " + ("choose one of" if self._listed else "this run has no flows")
        ]
        for kind, numbers in self._listed.items():
            more = self._begun[kind] - len(numbers)
            lines.append(f"  {kind}: {', '.join(map(str, numbers))}" + (f" and {more} more" if more else ""))
        return "\n".join(lines)

    def finish(self) -> None:
        for record in self._call_flows.rest():
            self._take(record, record)
        self._file.write("\n".join(self._drawn.lines(LAYERS, self._notes())) + "\n")

    def _notes(self) -> list[str]:
        notes = [
            f"{count - self._alike} more flows that begin with {kind} are not shown"
            for kind, count in self._begun.items()
            if count > self._alike and self._flow is None
        ]
        if self._drawn.left_out:
            notes.append(f"cut here: {self._drawn.left_out} more steps are not shown")
        return notes


def _kind(record: Record, newest: Record) -> str:
    """Return a text made from the first record of a flow. Flows with equal texts are of the same kind."""
    return _text(record, newest) if record.name == "sys_enter" else record.name


def _text(record: Record, newest: Record) -> str:
    """Return the text that labels the arrow of `record`.

    For a system call, the `newest` record, which follows it, has the protocol.
    """
    try:
        if record.name == "sys_enter":
            sent = _request(record.fields["arguments"], newest.fields.get("protocol"))
            return f"{record.fields['call']}(){sent}"
        return TEXTS[record.name].format_map(record.fields)
    except (KeyError, ValueError, TypeError):
        return record.name


def _request(arguments: Sequence[object], protocol: object) -> str:
    """Describe the netlink message that a call sends: its type, and its generic netlink command.

    Return "" if none.
    """
    data = arguments[1] if len(arguments) > 1 else None
    if not isinstance(data, bytes) or len(data) < NLMSG_HDRLEN:
        return ""
    header = NlMsgHdr.unpack(data)
    if header.type < NLMSG_MIN_TYPE or not NLMSG_HDRLEN <= header.length <= len(data):
        return ""
    if protocol != NETLINK_GENERIC or header.length < NLMSG_HDRLEN + GENL_HDRLEN:
        return f" of type {header.type}"
    return f" of type {header.type}, command {GenlMsgHdr.unpack(data, NLMSG_HDRLEN).cmd}"
