"""Sources of a mouse's motion: a script, a file with recorded moves, or a random walk.

A custom motion is a class with `moves(rng)`, which returns an iterator of `Move`s in ascending order of
time.

A file of recorded moves is text with one move per line.  A `#` begins a comment:

    # time in ms   dx   dy   buttons   wheel
    0               3   -1
    8.25            0    0   L
    16              0    0   -          1

Times count from the plug of the mouse and have at most six decimals (1 ns).  Buttons are those that are
held: letters of LRMSE (left, right, middle, side, extra), or `-` for none.  Buttons and wheel are
optional.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import count, islice
from os import PathLike
from pathlib import Path
from random import Random
from typing import Final, Protocol

import attrs

from simkernel.engine import SimulationError, millis, whole_nanoseconds
from simkernel.hardware.mouse import registers as sheet

LETTERS: Final = {
    "L": sheet.BUTTON_LEFT,
    "R": sheet.BUTTON_RIGHT,
    "M": sheet.BUTTON_MIDDLE,
    "S": sheet.BUTTON_SIDE,
    "E": sheet.BUTTON_EXTRA,
}


@attrs.frozen
class Move:
    """A movement of the mouse, a click or a turn of the wheel, `time` ns after the mouse was plugged in.

    `buttons` are all buttons that are held from then on, as BUTTON_ bits of `registers.py`.
    """

    time: int
    dx: int = 0
    dy: int = 0
    buttons: int = 0
    wheel: int = 0


class Motion(Protocol):
    """The interface of a source of moves for a mouse."""

    def moves(self, rng: Random) -> Iterator[Move]:
        """Return the moves in ascending order of time. A random source takes its random numbers from `rng`
        only.
        """


class MotionError(ValueError):
    """A mistake in a file of recorded moves.  The text is `filename:line: description`."""


def _as_tuple(moves: Iterable[Move]) -> tuple[Move, ...]:
    return tuple(moves)


@attrs.frozen
class Script:
    """A list of moves: `Script([Move(0, dx=3), Move(millis(8), buttons=BUTTON_LEFT)])`."""

    steps: tuple[Move, ...] = attrs.field(converter=_as_tuple)

    @steps.validator
    def _check(self, _: attrs.Attribute[tuple[Move, ...]], steps: tuple[Move, ...]) -> None:
        last = 0
        for number, move in enumerate(steps):
            if whole_nanoseconds(move.time, f"the time of move {number}") < last:
                raise SimulationError(
                    f"move {number} at {move.time} ns is before the previous move: sort the moves by time"
                )
            if move.buttons & ~sheet.BUTTON_ALL:
                raise SimulationError(
                    f"move {number} has buttons {move.buttons:#x}: use the five bits of {sheet.BUTTON_ALL:#x}"
                )
            last = move.time

    def moves(self, rng: Random) -> Iterator[Move]:
        """Return an iterator over the moves of the list."""
        return iter(self.steps)


def recording(path: str | PathLike[str]) -> Script:
    """Return the moves in the file at `path`.

    MotionError if it has a mistake, OSError if it cannot be read.
    """
    name = Path(path).name
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise MotionError(f"{name}: not a text file in UTF-8") from None
    return parse_recording(text, name)


def parse_recording(text: str, filename: str = "recording") -> Script:
    """Parse recorded moves.  For a mistake in `text`, raise MotionError with file name and line."""
    moves: list[Move] = []
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.partition("#")[0].split()
        if fields:
            try:
                move = _parse_move(fields)
                if moves and move.time < moves[-1].time:
                    raise MotionError(f"time {fields[0]} is before the time of the previous move")
            except MotionError as error:
                raise MotionError(f"{filename}:{number}: {error}") from None
            moves.append(move)
    return Script(moves)


def _parse_move(fields: list[str]) -> Move:
    if not 3 <= len(fields) <= 5:
        raise MotionError(f"expected TIME DX DY [BUTTONS [WHEEL]], found {len(fields)} fields")
    return Move(
        _time(fields[0]),
        _number("DX", fields[1]),
        _number("DY", fields[2]),
        _buttons(fields[3]) if len(fields) > 3 else 0,
        _number("WHEEL", fields[4]) if len(fields) > 4 else 0,
    )


def _time(field: str) -> int:
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", field):
        raise MotionError(f"TIME must be milliseconds with at most six decimals, not {field!r}")
    return millis(Fraction(field))


def _number(name: str, field: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", field):
        raise MotionError(f"{name} must be an int, not {field!r}")
    return int(field)


def _buttons(field: str) -> int:
    held = 0
    for letter in field if field != "-" else "":
        if letter not in LETTERS:
            raise MotionError(f"BUTTONS must be letters of {''.join(LETTERS)}, or - for none, not {field!r}")
        held |= LETTERS[letter]
    return held


@attrs.frozen
class Walk:
    """A random walk: a move every `step` ns, by at most `reach` in each direction, for `steps` moves.

    If `steps` is None it never ends, so `Machine.run` needs `until`.  On average one move in 32 presses or
    releases the left button, and one in 32 turns the wheel.
    """

    step: int = millis(8)
    reach: int = 12
    steps: int | None = None

    def __attrs_post_init__(self) -> None:
        if self.step <= 0 or self.reach < 0:
            raise SimulationError(f"{self}: use a step of at least 1 ns and a reach of at least 0")

    def moves(self, rng: Random) -> Iterator[Move]:
        """Yield the moves of the random walk one by one. The random stream `rng` determines them."""
        buttons = 0
        for number in islice(count(1), self.steps):
            chance = rng.randint(0, 31)
            if chance == 0:
                buttons ^= sheet.BUTTON_LEFT
            yield Move(
                number * self.step,
                rng.randint(-self.reach, self.reach),
                rng.randint(-self.reach, self.reach),
                buttons,
                rng.randint(0, 1) * 2 - 1 if chance == 1 else 0,
            )


STILL: Final = Script(())
