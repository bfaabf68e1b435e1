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
from collections.abc import Collection
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import attrs

from simkernel.engine import APPLICATION, LAYERS, MICROSECOND, Record
from simkernel.trace.strace import Strace
from simkernel.trace.strace.abbreviation import abbreviated
from simkernel.trace.tracepoint import line as tracepoint_line

if TYPE_CHECKING:
    from simkernel.machine import Machine

WIDTH: Final = 80
TIME: Final = 9
WHO: Final = 11
"""Columns of a line, of its time and of who it is about."""
STEP: Final = 2
"""How much further to the right each layer stands."""
CONTINUED: Final = 4
"""How much further to the right a line goes on."""
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


class Watch:
    """What happens while it is watched: its records, and once that is over its lines."""

    def __init__(self, transcript: Transcript, points: Collection[str], zero: int) -> None:
        self._transcript = transcript
        self._points = points
        self._zero = zero
        self.records: list[Record] = []
        """All of them, in the order of their times."""
        self.lines: list[Line] = []

    def __enter__(self) -> Self:
        self._transcript.begin(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.records.sort(key=lambda record: record.time)
        self.lines = self._transcript.end(self.records, self._points)

    def named(self, name: str, **fields: object) -> list[Record]:
        """The records of that name which have these fields."""
        return [each for each in self.records if each.name == name and fields.items() <= each.fields.items()]

    def text(self) -> str:
        """The lines, none wider than 80 columns; what repeats itself stands there once."""
        folded: list[tuple[Line, int]] = []
        for each in self.lines:
            last = folded[-1] if folded else None
            if last is not None and (last[0].who, last[0].text) == (each.who, each.text):
                folded[-1] = (last[0], last[1] + 1)
            else:
                folded.append((each, 1))
        return "\n".join(self._laid_out(each, times) for each, times in folded)

    def _laid_out(self, each: Line, times: int) -> str:
        text = f"{each.text}   ({times} times)" if times > 1 else each.text
        head = f"{(each.time - self._zero) / MICROSECOND:{TIME}.3f}  {each.who:{WHO}} "
        indent = STEP * LAYERS.index(each.layer)
        first = head + " " * indent
        others = " " * (len(first) + CONTINUED)
        return "\n".join(_broken(text, first, others))


class Transcript:
    """Listens to a machine.  Programs called as one of `hidden` are not shown."""

    def __init__(self, machine: Machine, hidden: Collection[str] = ()) -> None:
        self._hidden = hidden
        self._written = io.StringIO()
        self._strace = Strace(self._written, machine.specification)
        self._watch: Watch | None = None
        machine.trace.subscribe(self._take)

    def watch(self, *points: str, zero: int = 0) -> Watch:
        """A `with` block whose calls, and tracepoints of these names, are written down.

        Times count from `zero` ns on.
        """
        return Watch(self, points, zero)

    def begin(self, watch: Watch) -> None:
        """A watch begins."""
        self._watch = watch

    def end(self, records: Collection[Record], points: Collection[str]) -> list[Line]:
        """A watch is over: the lines for its records."""
        self._watch = None
        lines: list[Line] = []
        call: Record | None = None
        for record in records:
            if record.name in _CALLS:
                if self._is_hidden(record):
                    continue
                if call is not None and call.fields["pid"] != record.fields["pid"]:
                    self._cut(call, lines)
                    call = None
                begun = call or record
                self._strace(record)
                call = None if self._ended(begun, lines) else begun
            elif record.name == _LEARNED:
                self._strace(record)
            if record.name in points:
                if call is not None:
                    self._cut(call, lines)
                    call = None
                lines.append(Line(record.time, record.layer, record.track, tracepoint_line(record)))
        if call is not None:
            self._cut(call, lines)
        return lines

    def _take(self, record: Record) -> None:
        if self._watch is not None:
            self._watch.records.append(record)
        elif record.name in _CALLS or record.name == _LEARNED:
            self._strace(record)
            self._strace.cut()
            self._clear()

    def _is_hidden(self, record: Record) -> bool:
        return record.layer == APPLICATION and record.fields["comm"] in self._hidden

    def _cut(self, call: Record, lines: list[Line]) -> None:
        self._strace.cut()
        self._ended(call, lines)

    def _ended(self, begun: Record, lines: list[Line]) -> bool:
        """Take the line that strace has written, if it is whole."""
        written = self._written.getvalue()
        if not written.endswith("\n"):
            return False
        for each in written.splitlines():
            text = each.partition(" ")[2].lstrip()
            lines.append(Line(begun.time, APPLICATION, begun.track, abbreviated(text)))
        self._clear()
        return True

    def _clear(self) -> None:
        self._written.seek(0)
        self._written.truncate()


def _broken(text: str, first: str, others: str) -> list[str]:
    """The text in lines that are not too wide, broken after a blank or within a set of flags."""
    lines = [first]
    for piece in re.split(r"(?<=[ |])", text):
        if len(lines[-1]) + len(piece.rstrip()) > WIDTH and lines[-1] not in (first, others):
            lines.append(others)
        lines[-1] += piece
    return [line.rstrip() for line in lines]
