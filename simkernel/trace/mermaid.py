"""A sequence diagram in the Mermaid language: participants in boxes, arrows, and loops for repeated steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from simkernel.engine import MILLISECOND

MAX_LOOP: Final = 8
"""Maximum number of steps that a loop can have."""

Place = tuple[str, str]
"""A participant of the diagram: the name of its box, and its own name."""

_ENTITIES: Final = {ord(char): f"#{ord(char)};" for char in '#;<>&%"`{}\\$'}


@attrs.frozen
class Arrow:
    """One step.  `time` is in nanoseconds.  Steps that differ only in their time are equal."""

    source: Place
    target: Place
    text: str
    time: int = attrs.field(eq=False)


@attrs.define
class Loop:
    """Steps that occur several times in sequence. `times` is the number of occurrences. Each step has the
    time of its first occurrence.
    """

    steps: list[Arrow | Loop]
    times: int


class SequenceDiagram:
    """A sequence diagram with a maximum number of steps (the argument `most`). A loop counts as one step."""

    def __init__(self, most: int) -> None:
        self.left_out = 0
        self._most = most
        self._steps: list[Arrow | Loop] = []

    def add(self, arrow: Arrow) -> None:
        """Append a step.  After the first step beyond the limit, all further steps are omitted."""
        if not self.left_out:
            self._steps.append(arrow)
            self._fold()
        if self.left_out or len(self._steps) > self._most:
            del self._steps[self._most :]
            self.left_out += 1

    def _fold(self) -> None:
        """If the diagram ends with repeated steps, put them into a loop, or increment the count of the loop
        before them.
        """
        steps = self._steps
        for size in range(1, MAX_LOOP + 1):
            last, before = steps[-size:], steps[-2 * size : -size]
            loop = steps[-size - 1] if len(steps) > size else None
            if isinstance(loop, Loop) and loop.steps == last:
                loop.times += 1
                del steps[-size:]
                return
            if len(before) == size and before == last:
                steps[-2 * size :] = [Loop(before, 2)]
                return

    def lines(self, boxes: Iterable[str], notes: Iterable[str]) -> list[str]:
        """Return the lines of the diagram, with boxes in the order of `boxes` and the notes at the end."""
        names = {place: f"p{number}" for number, place in enumerate(self._places(), 1)}
        lines = ["sequenceDiagram"]
        for box in boxes:
            inside = [(name, track) for (of, track), name in names.items() if of == box]
            if inside:
                lines.append(f"    box transparent {escape(box)}")
                lines += [f"    participant {name} as {escape(track)}" for name, track in inside]
                lines.append("    end")
        for step in self._steps:
            lines += _written(step, names)
        lines += [
            f"    Note over {name}: {escape(note)}" for name in list(names.values())[:1] for note in notes
        ]
        return lines

    def _places(self) -> dict[Place, None]:
        return dict.fromkeys(
            place for arrow in _arrows(self._steps) for place in (arrow.source, arrow.target)
        )


def escape(text: str) -> str:
    """Escape the characters that have a meaning in Mermaid or in HTML."""
    printable = "".join(char if char.isprintable() else " " for char in text).strip()
    return printable.translate(_ENTITIES) or "-"


def _arrows(steps: Iterable[Arrow | Loop]) -> Iterator[Arrow]:
    for step in steps:
        if isinstance(step, Arrow):
            yield step
        else:
            yield from _arrows(step.steps)


def _written(step: Arrow | Loop, names: dict[Place, str], times: int = 1) -> list[str]:
    if isinstance(step, Loop):
        if len(step.steps) == 1:
            return _written(step.steps[0], names, step.times)
        inside = [line for each in step.steps for line in _written(each, names)]
        return [f"    loop {step.times} times", *inside, "    end"]
    text = f"{step.time / MILLISECOND:.6f} ms: {step.text}" + (f" ({times} times)" if times > 1 else "")
    return [f"    {names[step.source]}->>{names[step.target]}: {escape(text)}"]
