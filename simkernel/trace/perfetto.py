"""Chrome trace JSON for Perfetto: layers are processes, objects are threads, and flows are arrows.

Theory of operation.  Sources: the Trace Event Format, and Perfetto's importer (slice_tracker.cc,
flow_tracker.cc, trace_sorter.h).

A pair of records (SLICES) becomes one complete event "X" with a duration.  Any other record becomes a
complete event of duration 0 (a point), because an arrow can bind to a slice and not to an instant event
"i".  Slices of a thread may nest, but Perfetto drops a slice that partially overlaps another.  Records of
different tasks can be out of order. Therefore a slice that begins before an earlier slice of its track has
ended goes to a second thread of that track.  A point causes no conflict.  If a slice ends under a
different flow than it began, a point for that flow is added 1 ns before its end, so that it is still
inside.

Only when no more records of a flow follow is it known that an arrow's end ("f") is the last.  So the last
step of each flow is delayed.  A step binds to the slice that Perfetto sorts last before it.  For a point
this means that both must be adjacent in the file.  If there are too many flows, those that have been idle
the longest are ended.
"""

from __future__ import annotations

import json
from typing import Any, Final, TextIO

import attrs

from simkernel.engine import Record
from simkernel.trace.call_flows import CallFlows
from simkernel.trace.exporter import Exporter
from simkernel.trace.layers import LAYERS
from simkernel.trace.plain import brief

SLICES: Final = {
    "sys_enter": ("sys_exit", ()),
    "irq_handler_entry": ("irq_handler_exit", ("irq",)),
    "workqueue_execute_start": ("workqueue_execute_end", ("function",)),
}
"""For each record that begins a slice (a bar in Perfetto's timeline): the name of the record that ends it,
and a tuple of fields. These fields must have equal values in both records.
"""

TITLES: Final = {
    "sys_enter": "{call}",
    "sys_exit": "{call} returns",
    "irq_handler_entry": "irq {irq} {name}",
    "workqueue_execute_start": "work {function}",
    "genl_doit": "{family} {cmd}",
    "genl_dumpit": "{family} {cmd} (dump)",
    "timer_expire_entry": "timer {name}",
    "module_load": "load {module}",
    "module_free": "free {module}",
    "module_request": "request {name}",
    "probe": "probe {device}",
    "remove": "remove {device}",
    "kobject_uevent": "uevent {action}",
    "rwmmio_read": "read {register}",
    "rwmmio_write": "write {register}",
}
"""Title of an event, by record name.  For a record that is not listed or lacks a field, the title is the
record's name.
"""

MAX_FLOWS: Final = 4096
"""Maximum number of flows whose last step is not yet written. Above it, the exporter ends the flow that was
idle the longest.
"""

_BEGINS: Final = {end: begin for begin, (end, _) in SLICES.items()}
_FIRST_TID: Final = 100  # larger than any pid: Perfetto takes a thread with tid == pid for the main thread

_encode = json.JSONEncoder(separators=(",", ":"), default=brief).encode
_Event = dict[str, Any]


@attrs.define
class _Lane:
    """A thread in the output.  Slices of one track that overlap are written to different threads."""

    pid: int
    tid: int
    occupied: bool = False
    free_from: int = 0


_Slice = tuple[Record, _Lane]
_Step = tuple[str | None, _Event]
"""A step of a flow that is not yet written. The first element is the step's event, or None if the step begins
a slice. The second element is the flow's arrow.
"""


class TraceJson(Exporter):
    """An exporter of Chrome trace JSON. It delays each step of a flow until the next step, because the last
    step has another format.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._separator = ""
        self._call_flows = CallFlows()
        self._processes: dict[str, int] = {}
        self._tracks: dict[tuple[str, str], list[_Lane]] = {}
        self._threads = 0
        self._arrows = 0
        self._open: dict[tuple[object, ...], _Slice] = {}
        self._last: dict[int, _Step] = {}
        self._time = 0
        file.write('{"displayTimeUnit":"ns","traceEvents":[')
        for layer in LAYERS:
            self._process(layer)

    def record(self, record: Record) -> None:
        for settled in self._call_flows.take(record):
            self._take(settled)

    def _take(self, record: Record) -> None:
        self._time = max(self._time, record.time)
        if record.name in SLICES:
            self._begin(record)
        elif (begun := self._open.pop(_key(record, _BEGINS.get(record.name)), None)) is not None:
            self._end(begun, record.time, record.fields)
            beginning, _ = begun
            if record.flow not in (0, beginning.flow):
                self._point(attrs.evolve(record, time=max(beginning.time, record.time - 1)))
        else:
            self._point(record)

    def finish(self) -> None:
        for record in self._call_flows.rest():
            self._take(record)
        for open_slice in self._open.values():
            self._end(open_slice, self._time, {})
        for point, arrow in self._last.values():
            self._end_flow(point, arrow)
        self._file.write("\n]}\n")

    # -- slices and points --------------------------------------------------

    def _begin(self, record: Record) -> None:
        key = _key(record, record.name)
        if (unfinished := self._open.pop(key, None)) is not None:
            self._end(unfinished, record.time, {})
        lane = self._free_lane(record)
        lane.occupied = True
        self._open[key] = record, lane
        if record.flow:
            self._step(record, lane, None)

    def _end(self, begun: _Slice, time: int, fields: dict[str, Any]) -> None:
        """Write a slice that ends at `time`, and add `fields` to its arguments.

        Its duration is at least 1 ns, because Perfetto treats a slice of duration 0 as a point.
        """
        record, lane = begun
        duration = max(time - record.time, 1)
        event = _event(record, lane)
        event["args"] |= fields
        self._write(_encode(event | {"dur": duration / 1000}))
        lane.occupied = False
        lane.free_from = record.time + duration

    def _point(self, record: Record) -> None:
        lane = self._lanes(record)[0]
        point = _encode(_event(record, lane))
        if record.flow:
            self._step(record, lane, point)
        else:
            self._write(point)

    # -- arrows -------------------------------------------------------------

    def _step(self, record: Record, lane: _Lane, point: str | None) -> None:
        if (last := self._last.pop(record.flow, None)) is None:
            self._arrows += 1
            phase, number = "s", self._arrows
        else:
            before, arrow = last
            self._write(before, _encode(arrow))
            phase, number = "t", arrow["id"]
        arrow = {"ph": phase, "id": number, "name": "flow", "cat": "flow", "ts": record.time / 1000,
                 "pid": lane.pid, "tid": lane.tid}  # fmt: skip
        self._last[record.flow] = point, arrow
        if len(self._last) > MAX_FLOWS:
            self._end_flow(*self._last.pop(next(iter(self._last))))

    def _end_flow(self, point: str | None, arrow: _Event) -> None:
        first = arrow["ph"] == "s"
        self._write(point, None if first else _encode(arrow | {"ph": "f", "bp": "e"}))

    # -- processes and threads ----------------------------------------------

    def _process(self, layer: str) -> int:
        if (pid := self._processes.get(layer)) is None:
            pid = self._processes[layer] = len(self._processes) + 1
            self._name("process", layer, pid, pid)
        return pid

    def _lanes(self, record: Record) -> list[_Lane]:
        key = record.layer, record.track
        if (lanes := self._tracks.get(key)) is None:
            lanes = self._tracks[key] = [self._new_lane(record, record.track)]
        return lanes

    def _free_lane(self, record: Record) -> _Lane:
        lanes = self._lanes(record)
        for lane in lanes:
            if not lane.occupied and lane.free_from <= record.time:
                return lane
        lanes.append(self._new_lane(record, f"{record.track} ({len(lanes) + 1})"))
        return lanes[-1]

    def _new_lane(self, record: Record, name: str) -> _Lane:
        lane = _Lane(self._process(record.layer), _FIRST_TID + self._threads)
        self._threads += 1
        self._name("thread", name, lane.pid, lane.tid)
        return lane

    def _name(self, what: str, name: str, pid: int, tid: int) -> None:
        common = {"ph": "M", "pid": pid, "tid": tid}
        self._write(
            _encode(common | {"name": f"{what}_name", "args": {"name": name}}),
            _encode(common | {"name": f"{what}_sort_index", "args": {"sort_index": tid}}),
        )

    def _write(self, *events: str | None) -> None:
        for event in events:
            if event is not None:
                self._file.write(f"{self._separator}\n{event}")
                self._separator = ","


def _key(record: Record, begin: str | None) -> tuple[object, ...]:
    if begin is None:
        return ()
    return (begin, record.layer, record.track, *(record.fields.get(name) for name in SLICES[begin][1]))


def _event(record: Record, lane: _Lane) -> _Event:
    return {"ph": "X", "name": _title(record), "cat": record.layer, "ts": record.time / 1000, "dur": 0,
            "pid": lane.pid, "tid": lane.tid, "args": {"flow": record.flow, **record.fields}}  # fmt: skip


def _title(record: Record) -> str:
    try:
        return TITLES[record.name].format_map(record.fields)
    except KeyError:
        return record.name
