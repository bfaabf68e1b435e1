"""Chrome trace JSON, which Perfetto opens: a process a layer, a thread an object, arrows along a flow.

Theory of operation.  Source: the Trace Event Format, and how Perfetto reads it (slice_tracker.cc,
flow_tracker.cc, trace_sorter.h).

A pair of records (SLICES) is one complete event "X" over the time between them; any other record is
one of duration 0, since an arrow binds to a slice and never to an instant "i".  Slices of a thread may
nest, but Perfetto drops one that overlaps another in part, and records of different tasks can run
ahead of each other: a slice that begins while its track has one open, or had one, goes to a
second thread of that track.  A point never disturbs.  A slice that ends under another flow than it
began has a point for that at its end, 1 ns early so that it is still inside.

An arrow's end "f" is known to be the end only when no record of its flow follows.  So the last step of
each flow is held back; a step binds to what Perfetto sorted last before it, which for a point
means that the two must be neighbours in the file.  Flows that have been silent the longest are ended.
"""

from __future__ import annotations

import json
from typing import Any, Final, TextIO

import attrs

from simkernel.engine import Record
from simkernel.trace.exporter import Exporter
from simkernel.trace.layers import LAYERS
from simkernel.trace.plain import brief
from simkernel.trace.stories import Stories

SLICES: Final = {
    "sys_enter": ("sys_exit", ()),
    "irq_handler_entry": ("irq_handler_exit", ("irq",)),
    "workqueue_execute_start": ("workqueue_execute_end", ("function",)),
}
"""Records that begin a slice: the one that ends it, and the fields that tell it from its like on a track."""

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
"""What an event is called; of any other record, and of one that lacks the field, the record's name."""

MOST_FLOWS: Final = 4096
"""Flows whose last step is held back at the same time."""

_BEGINS: Final = {end: begin for begin, (end, _) in SLICES.items()}
_FIRST_TID: Final = 100  # above the process numbers: a thread of a process's own number is its main thread

_encode = json.JSONEncoder(separators=(",", ":"), default=brief).encode
_Event = dict[str, Any]


@attrs.define
class _Lane:
    """A thread of a track: holds slices that do not overlap."""

    pid: int
    tid: int
    occupied: bool = False
    free_from: int = 0


_Slice = tuple[Record, _Lane]
_Step = tuple[str | None, _Event]
"""The point that an arrow binds to (None where that is a slice, which sorts by itself), and the arrow."""


class TraceJson(Exporter):
    """Writes each event as soon as its place in its flow is known."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._separator = ""
        self._stories = Stories()
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
        for settled in self._stories.take(record):
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
        for record in self._stories.rest():
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
        """Write a slice; at least 1 ns long, since Perfetto takes one of no length for a point."""
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
        if len(self._last) > MOST_FLOWS:
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
