"""A run as data that a page draws: the hops of flows, the bytes in receive queues, and the busy times of
tasks.

    with Machine() as machine:
        recording = Recording(machine)
        ...
        machine.run(until=seconds(1))
    recording  # in the last line of a notebook cell: draws the run

No record has the memory of a receive queue.  The length of a message does not determine it, because the
buffer of a dump is as large as its reader requests.  So a recording reads the memory of a socket, as in
/proc/net/netlink, after each record that changes it.  This does not change the trace.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, TypeVar

import attrs

from simkernel.engine import Record
from simkernel.kernel.netlink.sock import PORTS, NetlinkSock
from simkernel.kernel.netlink.tap import TAPPED
from simkernel.machine import Machine
from simkernel.trace.exporter import Exporter
from simkernel.trace.hops import Hop, Hops
from simkernel.trace.layers import LAYERS
from simkernel.trace.notebook import as_html

MAX_FLOWS: Final = 60
MAX_QUEUES: Final = 12
MAX_ROWS: Final = 16
MAX_POINTS: Final = 2000
"""Limits of the data that `Recording.as_dict` returns: the maximum number of flows, of queues and of rows.
MAX_POINTS limits the points of each queue and the spans of each row.
"""

MAX_SEEN: Final = 1024
"""Maximum number of receive queues that a recording observes, and also of rows (tasks, interrupt handlers,
work items and devices). Later queues and rows are ignored.
"""

BEGINS, ENDS, INSTANT = "begin", "end", "instant"

SPANS: Final = {
    "sys_enter": (BEGINS, "task {pid}", "{comm}"),
    "sys_exit": (ENDS, "task {pid}", "{comm}"),
    "irq_handler_entry": (BEGINS, "irq {irq} {name}", "interrupt handler {name}"),
    "irq_handler_exit": (ENDS, "irq {irq} {name}", "interrupt handler {name}"),
    "workqueue_execute_start": (BEGINS, "work {function}", "work {function}"),
    "workqueue_execute_end": (ENDS, "work {function}", "work {function}"),
    "frame_start": (BEGINS, "{track}", "{track}"),
    "frame_done": (ENDS, "{track}", "{track}"),
    "frame_error": (ENDS, "{track}", "{track}"),
    "frame_overrun": (ENDS, "{track}", "{track}"),
    "report": (INSTANT, "{track}", "{track}"),
    "report_lost": (INSTANT, "{track}", "{track}"),
}
"""For each trace record that shows when something is busy: its kind (begin, end or instant), and two
templates, for the key and the title of a row. A row belongs to a task, an interrupt handler, a work item or a
device.
"""

PORT: Final = {
    "netlink_deliver_tap": "dst_portid",
    "netlink_unicast": "portid",
    "netlink_recv": "portid",
    "netlink_overrun": "portid",
}
"""Tracepoints that show a change of a receive queue, each with the name of its field for the socket's port
id.
"""

_Pair = list[int]


@attrs.define
class _Queue:
    """A receive queue: its memory in bytes after each change, and the times of lost messages."""

    name: str
    number: int
    limit: int = 0
    points: list[_Pair] = attrs.Factory(list)
    lost: list[int] = attrs.Factory(list)

    def add(self, time: int, size: int, limit: int) -> None:
        self.limit = limit
        if not self.points or self.points[-1][1] != size:
            self.points.append([time, size])
        if len(self.points) > 2 * MAX_POINTS:
            self.points = _thinned(self.points, _points)

    def lose(self, time: int) -> None:
        self.lost.append(time)
        if len(self.lost) > MAX_POINTS:
            self.lost = self.lost[::2]

    @property
    def rank(self) -> tuple[int, int]:
        """Sort key: queues that lose messages come first, then queues that change most."""
        return len(self.lost), len(self.points)


@attrs.define
class _Row:
    """The spans of time in which a task, an interrupt handler, a work item or a device is busy."""

    name: str
    """Title of the row in the drawing of a run. If it is empty, the row is not drawn. It is empty for a
    process of `Machine.blocking`, which takes no simulated time.
    """
    layer: str
    spans: list[_Pair] = attrs.Factory(list)
    number: int = 0
    begin: int | None = None
    in_call: bool = False
    """True from the start to the end of a system call of the task, also while the task sleeps in it."""

    def end(self, time: int) -> None:
        if self.begin is None:
            return
        if self.spans and self.begin <= self.spans[-1][1]:
            self.spans[-1][1] = max(time, self.spans[-1][1])
        else:
            self.spans.append([self.begin, time])
        self.begin = None
        if len(self.spans) > 2 * MAX_POINTS:
            self.spans = _thinned(self.spans, _span)

    def finished(self, end: int) -> list[_Pair]:
        """Return the spans until `end`.  A task that is still in a system call counts as sleeping."""
        if self.begin is None or self.in_call:
            return self.spans
        return [*self.spans, [self.begin, end]]


_T = TypeVar("_T", _Queue, _Row)


class Recording(Exporter):
    """An exporter that subscribes to the trace of `machine` and collects the data of `as_dict`."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._hops = Hops()
        self._queues: dict[NetlinkSock, _Queue] = {}
        self._rows: dict[str, _Row] = {}
        self._changed: tuple[int, int, int | None] | None = None
        self._records = self._end = 0
        machine.trace.subscribe(self)

    def record(self, record: Record) -> None:
        self._records += 1
        self._end = max(self._end, record.time)
        self._hops(record)
        self._sample()
        with suppress(KeyError):  # a driver's tracepoint of the same name can lack a field
            self._take(record)

    def _take(self, record: Record) -> None:
        fields = record.fields
        if (port := PORT.get(record.name)) is not None:
            self._changed = record.time, fields["protocol"], fields[port]
            if record.name == "netlink_overrun":
                for queue in self._sample():
                    queue.lose(record.time)
        elif record.name == "netlink_broadcast" and fields["protocol"] not in TAPPED:
            self._changed = (
                record.time,
                fields["protocol"],
                None,
            )  # None: read all queues, because no record lists the receivers of a multicast
        elif record.name in SPANS:
            self._span(record)
        elif record.name.startswith("sched_"):
            self._schedule(record)
        if record.name == "sched_process_exit" or fields.get("call") == "close":
            for sock, queue in self._queues.items():
                if not sock.rmem:  # the socket is closed, possibly with unread messages
                    queue.add(record.time, 0, queue.limit)

    def finish(self) -> None:
        self._hops.close()

    # -- receive queues -----------------------------------------------------

    def _sample(self) -> list[_Queue]:
        """Read the queues that the previous record changed.

        The kernel emits the record before the change.
        """
        if self._changed is None:
            return []
        (time, protocol, portid), self._changed = self._changed, None
        sampled = []
        for net in self._machine.kernel.namespaces:
            ports = PORTS.of(net).get(protocol)
            socks = () if ports is None else ports.values() if portid is None else [ports.get(portid)]
            for sock in socks:
                if sock is not None and (queue := self._queue(sock)) is not None:
                    queue.add(time, sock.rmem, sock.rcvbuf)
                    sampled.append(queue)
        return sampled

    def _queue(self, sock: NetlinkSock) -> _Queue | None:
        if sock not in self._queues and len(self._queues) < MAX_SEEN:
            self._queues[sock] = _Queue(self._name(sock), sock.portid)
        return self._queues.get(sock)

    def _name(self, sock: NetlinkSock) -> str:
        for task in self._machine.kernel.processes:
            if any(file.object is sock for _, file in task.files.items()):
                return f"{task.comm}'s {'event' if sock.group_count else 'request'} socket"
        return ""

    # -- rows ---------------------------------------------------------------

    def _span(self, record: Record) -> None:
        kind, key, name = SPANS[record.name]
        names = {"track": record.track, **record.fields}
        key = key.format_map(names)
        if key not in self._rows:
            if len(self._rows) == MAX_SEEN:
                return
            number = names.get("pid", 0)
            ordinary = any(task.pid == number and task.on_result for task in self._machine.kernel.processes)
            name = "" if ordinary else name.format_map(names)
            self._rows[key] = _Row(name, record.layer, number=number)
        row = self._rows[key]
        row.end(record.time)
        if kind != ENDS or "call" in names:
            row.begin = record.time
        if kind == INSTANT:
            row.end(record.time)
        row.in_call = record.name == "sys_enter"

    def _schedule(self, record: Record) -> None:
        """Update the busy time of a task after a wake-up, a switch of tasks or an exit. If the task stops in
        a system call, discard its unfinished span, because no record says when the task went to sleep.
        """
        name, fields = record.name, record.fields
        if name == "sched_process_exit":
            self._stop(fields["pid"], record.time)
        elif name == "sched_wakeup":
            self._resume(fields["pid"], record.time)
        elif name == "sched_switch":
            self._stop(fields["previous"].rpartition("/")[2], record.time)
            self._resume(fields["next"].rpartition("/")[2], record.time)

    def _resume(self, pid: object, time: int) -> None:
        if (row := self._rows.get(f"task {pid}")) is not None:
            row.begin = time

    def _stop(self, pid: object, time: int) -> None:
        if (row := self._rows.get(f"task {pid}")) is not None:
            if not row.in_call:
                row.end(time)
            row.begin = None

    # -- the result ---------------------------------------------------------

    def as_dict(self, follow: Collection[int] | None = None) -> dict[str, Any]:
        """Return the recording as JSON data.

        `follow` are the flows to include, at most 60.  With None, they are the typical flow and its
        neighbours; with an empty list, the typical flow alone.  In the result, `typical` is the flow to
        show first, and `left_out` has the numbers of flows, queues and rows beyond the limits.
        """
        self._sample()
        self._hops.finish()
        flows, typical = self._hops.flows(), self._hops.typical()
        if follow is None:
            first = max(0, flows.index(typical) - MAX_FLOWS // 2) if typical else 0
            follow = flows[first : first + MAX_FLOWS]
        followed = [flow for flow in dict.fromkeys(follow or [typical]) if self._hops.path(flow)]
        queues = sorted(self._queues.values(), key=lambda queue: queue.rank, reverse=True)
        end = max(self._end, self._machine.now)
        busy = [row for row in self._rows.values() if row.name and row.finished(end)]
        rows = sorted(busy, key=lambda row: len(row.spans), reverse=True)[:MAX_ROWS]
        names = {f"port {queue.number}": queue.name for queue in self._queues.values() if queue.name}
        return {
            "end": end,
            "records": self._records,
            "typical": typical,
            "flows": [
                {"flow": flow, "hops": [_named(hop, names) for hop in self._hops.path(flow)]}
                for flow in followed[:MAX_FLOWS]
            ],
            "queues": [
                {
                    "name": name,
                    "limit": each.limit,
                    "points": _thinned(each.points, _points),
                    "lost": [*each.lost],
                }
                for name, each in _distinct(queues[:MAX_QUEUES])
            ],
            "rows": [
                {"name": name, "layer": each.layer, "spans": _thinned(each.finished(end), _span)}
                for name, each in _distinct(sorted(rows, key=lambda row: LAYERS.index(row.layer)))
            ],
            "left_out": {
                "flows": len(flows) - min(len(followed), MAX_FLOWS),
                "queues": max(0, len(queues) - MAX_QUEUES),
                "rows": len(busy) - len(rows),
            },
        }

    def _repr_html_(self) -> str:
        return as_html(self.as_dict())


def _named(hop: Hop, names: Mapping[str, str]) -> list[Any]:
    """Return the hop as a list for JSON. In its text, each port id is replaced with the name of its socket,
    if known.
    """
    text = re.sub(r"port \d+", lambda found: names.get(found[0], found[0]), hop.text)
    return [hop.time, hop.layer, hop.station, text, hop.count]


def _distinct(parts: Sequence[_T]) -> Iterator[tuple[str, _T]]:
    """Yield each queue or row with a unique name. If several have the same name, append a number to the
    name.
    """
    names = Counter(part.name for part in parts)
    for part in parts:
        number = f" ({part.number})" if names[part.name] > 1 else ""
        yield f"{part.name}{number}" if part.name else f"port {part.number}", part


def _thinned(pairs: list[_Pair], join: Callable[[list[_Pair]], list[_Pair]]) -> list[_Pair]:
    """Return `pairs`, reduced to at most MAX_POINTS. The function `join` replaces each group of pairs that
    are close in time with one or two pairs.
    """
    gap, pairs = 1, [[*pair] for pair in pairs]
    while len(pairs) > MAX_POINTS:
        gap *= 2
        cells = groupby(pairs, partial(_cell, gap))
        pairs = [pair for _, group in cells for pair in join(list(group))]
    return pairs


def _cell(gap: int, pair: _Pair) -> int:
    return pair[0] // gap


def _points(group: list[_Pair]) -> list[_Pair]:
    """Of a group of points, return only the highest and the last point."""
    highest = max(group, key=itemgetter(1))
    return [highest] if highest is group[-1] else [highest, group[-1]]


def _span(group: list[_Pair]) -> list[_Pair]:
    return [[group[0][0], group[-1][1]]]
