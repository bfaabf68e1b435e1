"""What happens on a machine, as lines to read: system calls as strace prints them, and tracepoints.

    transcript = Transcript(machine)
    with transcript.watch("rwmmio_read", "rwmmio_write") as seen:
        machine.spawn(program)
        machine.run()
    run.text(seen.text())

A line begins with the time in microseconds, and who: a program, or what of the machine a tracepoint is about.
What is deeper down stands further to the right: kernel, driver, hardware.
"""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import attrs

from simkernel.engine import MICROSECOND, Record, SimulationError
from simkernel.kernel.lib.layers import APPLICATION
from simkernel.trace.layers import LAYERS
from simkernel.trace.strace import Strace
from simkernel.trace.strace.abbreviation import abbreviated
from simkernel.trace.tracepoint import line as tracepoint_line

if TYPE_CHECKING:
    from simkernel.machine import Machine

WIDTH: Final = 78
"""Columns at most: 80 with a margin, as `simkernel guide` has around code."""
TIME: Final = 9
WHO: Final = 11
"""Columns of a line, of its time and of who it is about."""
STEP: Final = 2
"""How much further to the right each layer stands."""
CONTINUED: Final = 4
"""How much further to the right a line goes on."""
_BREAKS: Final = re.compile(r"(?<=[ |])(?<!= )|(?<=resumed>)(?!\))")
_CALLS: Final = frozenset({"sys_enter", "sys_exit", "signal_deliver"})
_LEARNED: Final = "netlink_deliver_tap"
"""The record by which strace knows the families."""


@attrs.frozen
class Line:
    """Something that happened: when, in ns; where; and what."""

    time: int
    layer: str
    who: str
    text: str


@attrs.define
class Watch:
    """What happens while it is watched: its records, and once that is over its lines."""

    records: list[Record] = attrs.field(factory=list)
    """All of them, in the order of their times."""
    lines: list[Line] = attrs.field(factory=list)

    def __repr__(self) -> str:
        return f"<Watch of {len(self.records)} records>"

    def named(self, name: str, **fields: object) -> list[Record]:
        """The records of that name which have these fields."""
        return [each for each in self.records if each.name == name and fields.items() <= each.fields.items()]

    def text(self, zero: int | None = None) -> str:
        """The lines, none wider than 78 columns; what repeats itself stands there once.

        Times count from `zero` ns of the machine's clock on, or else from the first line.
        """
        if zero is None:
            zero = self.lines[0].time if self.lines else 0
        folded: list[tuple[Line, int]] = []
        for each in self.lines:
            last = folded[-1] if folded else None
            if last is not None and (last[0].who, last[0].text) == (each.who, each.text):
                folded[-1] = (last[0], last[1] + 1)
            else:
                folded.append((each, 1))
        return "\n".join(_laid_out(each, times, zero) for each, times in folded)


class Transcript:
    """Listens to a machine.  Programs called as one of `hidden` are not shown."""

    def __init__(self, machine: Machine, hidden: Collection[str] = ()) -> None:
        self._hidden = hidden
        self._written = io.StringIO()
        self._strace = Strace(self._written, machine.specification)
        self._watch: Watch | None = None
        self._lines: list[Line] = []
        self._begun: Record | None = None
        """The record with which the line began that strace is writing."""
        machine.trace.subscribe(self._take)

    def __repr__(self) -> str:
        return "<Transcript while watched>" if self._watch else "<Transcript>"

    @contextmanager
    def watch(self, *points: str) -> Iterator[Watch]:
        """A `with` block whose calls, and tracepoints of these names, are written down.

        SimulationError while another lasts.
        """
        if self._watch is not None:
            raise SimulationError("a transcript has one watch at a time: make another Transcript(machine)")
        self._watch = watch = Watch()
        try:
            yield watch
        finally:
            self._watch = None
            watch.records.sort(key=lambda record: record.time)
            for record in watch.records:
                self._write(record)
                if record.name in points:
                    self._cut()
                    self._lines.append(Line(record.time, record.layer, record.track, tracepoint_line(record)))
            self._cut()
            watch.lines, self._lines = self._lines, []

    def _take(self, record: Record) -> None:
        if self._watch is not None:
            self._watch.records.append(record)
            return
        self._write(record)
        self._cut()
        self._lines.clear()

    # -- lines of strace ----------------------------------------------------------

    def _write(self, record: Record) -> None:
        """Let strace have a record, if it is for it."""
        if record.name == _LEARNED:
            self._strace(record)
        elif record.name in _CALLS and record.fields["comm"] not in self._hidden:
            if self._begun is not None and self._begun.fields["pid"] != record.fields["pid"]:
                self._cut()
            self._begun = self._begun or record
            self._strace(record)
            self._collect()

    def _cut(self) -> None:
        """Something else comes: a line that is being written ends here."""
        self._strace.cut()
        self._collect()

    def _collect(self) -> None:
        """Take the line that strace has written, if it is whole."""
        written = self._written.getvalue()
        if self._begun is None or not written.endswith("\n"):
            return
        for each in written.splitlines():
            text = abbreviated(each.partition(" ")[2].lstrip())  # without the process number
            self._lines.append(Line(self._begun.time, APPLICATION, self._begun.track, text))
        self._begun = None
        self._written.seek(0)
        self._written.truncate()


def _laid_out(each: Line, times: int, zero: int) -> str:
    text = f"{each.text}   ({times} times)" if times > 1 else each.text
    first = f"{(each.time - zero) / MICROSECOND:{TIME}.3f}  {each.who:{WHO}} "
    first += " " * STEP * LAYERS.index(each.layer)
    return "\n".join(_broken(text, first, " " * (len(first) + CONTINUED)))


def _broken(text: str, first: str, others: str) -> list[str]:
    """The text in lines that are not too wide: broken after a blank, and where flags or a call go on."""
    lines = [first]
    for piece in _BREAKS.split(text):
        if len(lines[-1]) + len(piece.rstrip()) > WIDTH and lines[-1] not in (first, others):
            lines.append(others)
        lines[-1] += piece
    return [line.rstrip() for line in lines]
