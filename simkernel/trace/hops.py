"""The path of a flow through the layers. Each hop has a time, a station (a task, a device or a part of the
kernel) and a sentence.

hops = Hops()
machine.trace.subscribe(hops)
machine.run(until=seconds(1))
for hop in hops.path():
    print(hop.time, hop.layer, hop.station, hop.text)
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final

import attrs

from simkernel.engine import Record
from simkernel.trace.call_flows import CallFlows
from simkernel.trace.exporter import Exporter
from simkernel.trace.layers import APPLICATION, HARDWARE, LAYERS
from simkernel.uapi.errno import error_name
from simkernel.uapi.netlink import NLMSG_ERROR, NLMSG_HDRLEN, NlMsgErr

TEXTS: Final = {
    "frame_start": ("sensor", "the sensor begins to expose frame {sequence}"),
    "frame_done": ("sensor", "frame {sequence} is complete"),
    "dma_write": ("memory", "DMA: the device writes {length} bytes into memory"),
    "irq_raise": ("interrupt line", "the device raises interrupt line {line}"),
    "irq_handler_entry": ("interrupt handler", "interrupt {irq}: the handler of {name} runs"),
    "rwmmio_read": ("registers", "the driver reads {value:#x} from register {register}"),
    "rwmmio_write": ("registers", "the driver writes {value:#x} to register {register}"),
    "sched_wakeup": ("scheduler", "{comm} wakes up"),
    "workqueue_execute_start": ("work queue", "the work {function} runs"),
    "timer_expire_entry": ("timer", "the timer {name} expires"),
    "genl_doit": ("family {family}", "the handler for {cmd} runs"),
    "genl_dumpit": ("family {family}", "the handler for {cmd} runs, one part of the list"),
    "netlink_extack": ("netlink", "the kernel refuses: {msg}"),
    "netlink_broadcast": ("netlink", "netlink: {length} bytes to multicast group {group}"),
    "netlink_unicast": ("netlink", "netlink: {length} bytes to port {portid}"),
    "sock_rcvqueue_full": (
        "netlink",
        "the receive queue of port {portid} refuses {truesize} bytes: it holds {rmem_alloc} of {sk_rcvbuf}",
    ),
    "netlink_overrun": ("netlink", "the message to port {portid} is lost"),
    "netlink_recv": ("netlink", "netlink: {length} bytes leave the receive queue"),
    "kobject_uevent": ("driver core", "uevent: {action} {devpath}"),
    "module_load": ("module loader", "the module {module} is loaded"),
    "module_free": ("module loader", "the module {module} is unloaded"),
    "module_request": ("module loader", "the kernel requests a module for {name}"),
    "probe": ("driver core", "the driver {driver} probes {device}"),
    "remove": ("driver core", "the driver {driver} is removed from {device}"),
    "sys_enter": ("{comm}", "{comm} calls {call}()"),
    "sys_exit": ("{comm}", "{call}() returns to {comm}"),
    "failed": ("{comm}", "{call}() returns {error} to {comm}"),
    "refused": ("netlink", "the kernel answers {error} to port {dst_portid}"),
}
"""Two templates for each kind of trace record that is a hop of a flow: for the hop's station (a task or
another part of the machine), and for the sentence that describes the hop. The kind is the record's name. Only
an error is different: the kind of a failed call is "failed", and that of a reply with an error is "refused".
"""

ALIKE: Final = 4
"""A new hop is compared with this number of earlier hops of its flow. If an equal hop is found, its count is
increased and no hop is added.
"""

_ERROR: Final = NLMSG_ERROR.to_bytes(2, "little")

MAX_FLOWS: Final = 4096
"""Maximum number of flows to keep.  Later flows are ignored."""

MAX_HOPS: Final = 1000
"""Maximum number of hops to keep of each flow.  Later hops are ignored."""


@attrs.define
class Hop:
    """A hop of a flow. `time` is in ns. `count` is the number of equal hops that this object represents."""

    time: int
    layer: str
    station: str
    text: str
    count: int = 1


def hop(record: Record) -> Hop | None:
    """Convert a trace record to a hop (a step of a flow through the layers). Return None if TEXTS has no text
    for it.
    """
    try:
        name, fields = _variant(record)
        found = TEXTS.get(name)
        if found is None:
            return None
        station, text = (each.format_map(fields) for each in found)
    except (KeyError, ValueError, TypeError):  # a driver's tracepoint of this name can lack a field
        return None
    return Hop(record.time, record.layer, station, text)


def _variant(record: Record) -> tuple[str, dict[str, Any]]:
    """Return the key of `record` in TEXTS, and the fields with which the texts are formatted.

    The key is "failed" for a call with an error, "refused" for a reply with an error, otherwise the
    record's name.
    """
    name, fields = record.name, record.fields
    if name == "sys_exit" and "error" in fields:
        error = fields["error"]
        return "failed", {**fields, "error": error_name(error) if isinstance(error, int) else error}
    if name == "netlink_deliver_tap" and not fields["kernel"] and fields["data"][4:6] == _ERROR:
        error = NlMsgErr.unpack(fields["data"], NLMSG_HDRLEN).error
        return "refused" if error else name, {**fields, "error": error_name(-error)}
    return name, fields


class Hops(Exporter):
    """An exporter that keeps the hops of each flow of a machine."""

    def __init__(self) -> None:
        self._flows: dict[int, list[Hop]] = {}
        self._call_flows = CallFlows()

    def record(self, record: Record) -> None:
        for settled in self._call_flows.take(record):
            self._add(settled)

    def finish(self) -> None:
        for settled in self._call_flows.rest():
            self._add(settled)

    def _add(self, record: Record) -> None:
        if not record.flow or (new := hop(record)) is None:
            return
        known = self._flows.get(record.flow)
        if known is None:
            if len(self._flows) == MAX_FLOWS:
                return
            known = self._flows[record.flow] = []
        for old in known[-ALIKE:]:
            if (old.layer, old.station, old.text) == (new.layer, new.station, new.text):
                old.count += 1
                return
        if len(known) < MAX_HOPS:
            known.append(new)

    def flows(self) -> list[int]:
        """Return the ids of the flows that have hops, in the order of their first hop."""
        return list(self._flows)

    def path(self, flow: int | None = None) -> Sequence[Hop]:
        """Return the hops of a flow, up to the last program that it reaches.

        The list is empty if the flow has no hops.

        The default flow is `typical()`.
        """
        if flow is None:
            flow = self.typical()
        # Sort by time, because the hops of several CPUs can be recorded out of order.
        hops = sorted(self._flows.get(flow, ()), key=attrgetter("time"))
        outside = [index for index, each in enumerate(hops) if each.layer != APPLICATION]
        return hops[: outside[-1] + 2] if outside else hops

    def typical(self) -> int:
        """Return the id of a flow that visits the most layers, or 0 if no flow has hops.

        It is the middle one of these flows.  Flows that begin in the hardware are preferred.
        """
        widest = max(map(_width, self._flows.values()), default=0)
        wide = [number for number, hops in self._flows.items() if _width(hops) == widest]
        up = [number for number in wide if self._flows[number][0].layer == HARDWARE] or wide or [0]
        return up[len(up) // 2]


def _width(hops: Sequence[Hop]) -> int:
    return len({hop.layer for hop in hops} & set(LAYERS))
