"""A transcript of a machine: system calls as strace prints them, and tracepoints, as lines of text.

    transcript = Transcript(machine)
    with transcript.watch("rwmmio_read", "rwmmio_write") as seen:
        machine.spawn(program)
        machine.run()
    run.text(seen.text())

A line begins with the time in microseconds and the track: the program, or the part of the machine that a
tracepoint concerns.  Lines are indented by layer: application, kernel, driver, hardware.
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
"""Maximum width of a line in columns. It is less than 80, because `simkernel guide` prints code with margins.
"""
TIME_WIDTH: Final = 9
TRACK_WIDTH: Final = 11
"""Widths of the first two columns of a line in characters: the time of an event, and its track (the task or
object to which the event belongs).
"""
INDENT: Final = 2
"""Indentation in columns of each layer (such as the kernel) relative to the layer above."""
CONTINUATION_INDENT: Final = 4
"""Columns of additional indentation for the continuation of a line."""
_BREAKS: Final = re.compile(r"(?<=[ |])(?<!= )|(?<=resumed>)(?!\))")
_CALLS: Final = frozenset({"sys_enter", "sys_exit", "signal_deliver"})
_LEARNED: Final = "netlink_deliver_tap"
"""Name of a tracepoint. From its records, the strace formatter learns the ids of netlink families."""


@attrs.frozen
class TranscriptLine:
    """A line of a transcript: the text of an event, its time in ns, its layer (such as the kernel) and its
    track (the task or object to which the event belongs).
    """

    time: int
    layer: str
    track: str
    text: str


@attrs.define
class Watch:
    """The events during a `with` block of `Transcript.watch`. `records` are the trace records of the events.
    After the block, `lines` describe the events as text.
    """

    records: list[Record] = attrs.field(factory=list)
    """The records of the block.  They are sorted by time when the block ends."""
    lines: list[TranscriptLine] = attrs.field(factory=list)

    def __repr__(self) -> str:
        return f"<Watch of {len(self.records)} records>"

    def named(self, name: str, **fields: object) -> list[Record]:
        """Return the records whose name is `name` and whose fields have the given values."""
        return [each for each in self.records if each.name == name and fields.items() <= each.fields.items()]

    def text(self, zero: int | None = None) -> str:
        """Return the lines, wrapped at 78 columns.  Equal consecutive lines are merged.

        Times are relative to `zero` ns of the machine's clock, or to the first line.
        """
        if zero is None:
            zero = self.lines[0].time if self.lines else 0
        folded: list[tuple[TranscriptLine, int]] = []
        for each in self.lines:
            last = folded[-1] if folded else None
            if last is not None and (last[0].track, last[0].text) == (each.track, each.text):
                folded[-1] = (last[0], last[1] + 1)
            else:
                folded.append((each, 1))
        return "\n".join(_laid_out(each, times, zero) for each, times in folded)


class Transcript:
    """A trace listener that writes down system calls and tracepoints.

    Programs with a name in `hidden` are omitted.
    """

    def __init__(self, machine: Machine, hidden: Collection[str] = ()) -> None:
        self._hidden = hidden
        self._written = io.StringIO()
        self._strace = Strace(self._written, machine.specification)
        self._watch: Watch | None = None
        self._lines: list[TranscriptLine] = []
        self._begun: Record | None = None
        """The first record of the line that strace is writing, or None."""
        machine.trace.subscribe(self._take)

    def __repr__(self) -> str:
        return "<Transcript while watched>" if self._watch else "<Transcript>"

    @contextmanager
    def watch(self, *points: str) -> Iterator[Watch]:
        """Record the system calls, and the tracepoints with these names, during a `with` block.

        Raise SimulationError if another block is active.
        """
        if self._watch is not None:
            raise SimulationError("a transcript has one watch() at a time: make another Transcript(machine)")
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
                    self._lines.append(
                        TranscriptLine(record.time, record.layer, record.track, tracepoint_line(record))
                    )
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
        """Pass a record to strace if it concerns a system call, a signal or a netlink family."""
        if record.name == _LEARNED:
            self._strace(record)
        elif record.name in _CALLS and record.fields["comm"] not in self._hidden:
            if self._begun is not None and self._begun.fields["pid"] != record.fields["pid"]:
                self._cut()
            self._begun = self._begun or record
            self._strace(record)
            self._collect()

    def _cut(self) -> None:
        """End the line that strace is writing, because another task's call or a tracepoint follows."""
        self._strace.cut()
        self._collect()

    def _collect(self) -> None:
        """If strace has written a complete line, append it to the transcript."""
        written = self._written.getvalue()
        if self._begun is None or not written.endswith("\n"):
            return
        for each in written.splitlines():
            text = abbreviated(each.partition(" ")[2].lstrip())  # without the pid
            self._lines.append(TranscriptLine(self._begun.time, APPLICATION, self._begun.track, text))
        self._begun = None
        self._written.seek(0)
        self._written.truncate()


def _laid_out(each: TranscriptLine, times: int, zero: int) -> str:
    text = f"{each.text}   ({times} times)" if times > 1 else each.text
    first = f"{(each.time - zero) / MICROSECOND:{TIME_WIDTH}.3f}  {each.track:{TRACK_WIDTH}} "
    first += " " * INDENT * LAYERS.index(each.layer)
    return "\n".join(_broken(text, first, " " * (len(first) + CONTINUATION_INDENT)))


def _broken(text: str, first: str, others: str) -> list[str]:
    """Break a text into lines of at most WIDTH columns, at blanks and between flags or arguments."""
    lines = [first]
    for piece in _BREAKS.split(text):
        if len(lines[-1]) + len(piece.rstrip()) > WIDTH and lines[-1] not in (first, others):
            lines.append(others)
        lines[-1] += piece
    return [line.rstrip() for line in lines]
