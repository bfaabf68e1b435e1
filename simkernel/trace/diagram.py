"""A Mermaid sequence diagram: which object of which layer hands what to whom, and because of what.

A flow is followed from record to record: an arrow goes from where it was to where it is now.  A long
run repeats itself, so of the flows that begin alike only the first few are drawn, equal steps in a
row are one, and the whole has a length; notes at the end say what is not shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, TextIO

import attrs

from simkernel.engine import LAYERS, MILLISECOND, Record
from simkernel.trace.exporter import Exporter
from simkernel.trace.stories import Stories
from simkernel.uapi.genetlink import GENL_HDRLEN, GenlMsgHdr
from simkernel.uapi.netlink import NLMSG_HDRLEN, NlMsgHdr

UNSEEN: Final = frozenset({"netlink_deliver_tap", "sched_switch", "sched_wakeup", "console"})
"""Records that watch a message and do not move it."""

TEXTS: Final = {
    "sys_exit": "{call}() returns",
    "irq_handler_entry": "interrupt {irq}",
    "irq_handler_exit": "interrupt {irq} handled",
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
"""What an arrow says; of any other record, and of one that lacks a field, the record's name."""

MOST_FLOWS: Final = 4096
"""Flows remembered at the same time; the one silent the longest is forgotten."""

_Place = tuple[str, str]


@attrs.define
class _Arrow:
    source: _Place
    target: _Place
    time: int
    text: str
    times: int = 1

    def covers(self, source: _Place, target: _Place, text: str) -> bool:
        """Whether such a step is more of the same: it goes the same way, or stays where this one went."""
        return self.text == text and self.target == target and source in (self.source, target)


@attrs.define
class _Flow:
    place: _Place
    shown: bool


class Diagram(Exporter):
    """Collects at most `steps` arrows, of at most `alike` flows that begin alike; writes them when closed."""

    def __init__(self, file: TextIO, steps: int = 300, alike: int = 2) -> None:
        self._file = file
        self._steps = steps
        self._alike = alike
        self._arrows: list[_Arrow] = []
        self._flows: dict[int, _Flow] = {}
        self._begun: Counter[str] = Counter()
        self._cut = 0
        self._stories = Stories()

    def record(self, record: Record) -> None:
        for settled in self._stories.take(record):
            self._take(settled)

    def _take(self, record: Record) -> None:
        if not record.flow or record.name in UNSEEN:
            return
        place = record.layer, record.track
        flow = self._flows.pop(record.flow, None) or self._begin(record, place)
        self._flows[record.flow] = flow
        if flow.shown:
            self._draw(flow.place, place, record)
        flow.place = place
        if len(self._flows) > MOST_FLOWS:
            del self._flows[next(iter(self._flows))]

    def _begin(self, record: Record, place: _Place) -> _Flow:
        kind = f"{_kind(record)} ({record.track})"
        self._begun[kind] += 1
        return _Flow(place, self._begun[kind] <= self._alike)

    def _draw(self, source: _Place, target: _Place, record: Record) -> None:
        text = _text(record)
        if self._arrows and self._arrows[-1].covers(source, target, text):
            self._arrows[-1].times += 1
        elif len(self._arrows) < self._steps:
            self._arrows.append(_Arrow(source, target, record.time, text))
        else:
            self._cut += 1

    def finish(self) -> None:
        for record in self._stories.rest():
            self._take(record)
        names = self._participants()
        lines = ["sequenceDiagram"]
        for layer in _layers(names):
            lines.append(f"    box transparent {_escape(layer)}")
            lines += [
                f"    participant {name} as {_escape(track)}"
                for (of, track), name in names.items()
                if of == layer
            ]
            lines.append("    end")
        lines += [_line(arrow, names) for arrow in self._arrows]
        if names:
            lines += [
                f"    Note over {next(iter(names.values()))}: {_escape(note)}" for note in self._notes()
            ]
        self._file.write("\n".join(lines) + "\n")

    def _participants(self) -> dict[_Place, str]:
        places = dict.fromkeys(place for arrow in self._arrows for place in (arrow.source, arrow.target))
        return {place: f"p{number}" for number, place in enumerate(places, 1)}

    def _notes(self) -> list[str]:
        notes = [
            f"{count - self._alike} more flows that begin with {kind} are not shown"
            for kind, count in self._begun.items()
            if count > self._alike
        ]
        if self._cut:
            notes.append(f"cut here: {self._cut} more steps are not shown")
        return notes


def _layers(places: dict[_Place, str]) -> list[str]:
    """The layers that occur, from the application down."""
    return list(dict.fromkeys([*(layer for layer in LAYERS if any(of == layer for of, _ in places)),
                               *(layer for layer, _ in places)]))  # fmt: skip


def _kind(record: Record) -> str:
    """What flows that begin with `record` have in common."""
    return _text(record) if record.name == "sys_enter" else record.name


def _text(record: Record) -> str:
    try:
        if record.name == "sys_enter":
            return f"{record.fields['call']}(){_request(record.fields['arguments'])}"
        return TEXTS[record.name].format_map(record.fields)
    except (KeyError, ValueError, TypeError):
        return record.name


def _request(arguments: Sequence[object]) -> str:
    """Which message a call sends, if it sends one: the types of netlink and of generic netlink."""
    data = arguments[1] if len(arguments) > 1 else None
    if not isinstance(data, bytes) or len(data) < NLMSG_HDRLEN + GENL_HDRLEN:
        return ""
    return f" of type {NlMsgHdr.unpack(data).type}, command {GenlMsgHdr.unpack(data, NLMSG_HDRLEN).cmd}"


def _line(arrow: _Arrow, names: dict[_Place, str]) -> str:
    times = f" ({arrow.times} times)" if arrow.times > 1 else ""
    text = f"{arrow.time / MILLISECOND:.6f} ms: {arrow.text}{times}"
    return f"    {names[arrow.source]}->>{names[arrow.target]}: {_escape(text)}"


_ENTITIES: Final = {ord(char): f"#{ord(char)};" for char in '#;<>&%"`{}\\$'}


def _escape(text: str) -> str:
    """Text that Mermaid's lexer and the HTML it makes leave alone."""
    printable = "".join(char if char.isprintable() else " " for char in text).strip()
    return printable.translate(_ENTITIES) or "-"
