"""Sources of motion: scripts, recordings and random walks."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.engine import SimulationError, micros, millis
from simkernel.hardware import MotionError, Move, Script, Walk, parse_recording, recording
from simkernel.hardware.mouse import registers as regs

GOOD = """\
# time in ms   dx   dy   buttons   wheel
0               3   -1
8.25            0   +2   L      # pressed
16.000001       0    0   LRMSE  -1

16.000001       0    0   -       2
"""


def test_a_recording_is_read(tmp_path: Path) -> None:
    file = tmp_path / "moves.txt"
    file.write_text(GOOD, encoding="utf-8")
    assert recording(file) == Script(
        [
            Move(0, 3, -1),
            Move(micros(8250), 0, 2, regs.BUTTON_LEFT),
            Move(16_000_001, 0, 0, regs.BUTTON_ALL, -1),
            Move(16_000_001, 0, 0, 0, 2),
        ]
    )


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("5 1", "expected TIME DX DY [BUTTONS [WHEEL]], found 2 fields"),
        ("5 1 1 - 0 0", "expected TIME DX DY [BUTTONS [WHEEL]], found 6 fields"),
        ("-1 0 0", "TIME must be milliseconds with at most six decimals, not '-1'"),
        ("1.0000001 0 0", "TIME must be milliseconds with at most six decimals, not '1.0000001'"),
        ("5 x 0", "DX must be an int, not 'x'"),
        ("5 0 1.5", "DY must be an int, not '1.5'"),
        ("5 0 0 LX", "BUTTONS must be letters of LRMSE, or - for none, not 'LX'"),
        ("5 0 0 - up", "WHEEL must be an int, not 'up'"),
        ("3 0 0", "time 3 is before the time of the previous move"),
    ],
)
def test_a_mistake_is_reported_with_its_line(line: str, text: str) -> None:
    with pytest.raises(MotionError) as caught:
        parse_recording(f"# a comment\n4 0 0\n{line}\n", "moves.txt")
    assert str(caught.value) == f"moves.txt:3: {text}"


def test_a_binary_file_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "moves.bin"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MotionError, match=r"moves.bin: not a text file"):
        recording(file)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        script = parse_recording(text)
    except MotionError:
        return
    assert list(script.steps) == sorted(script.steps, key=lambda move: move.time)


@pytest.mark.parametrize(
    ("moves", "text"),
    [
        ([Move(5), Move(4)], "move 1 at 4 ns is before"),
        ([Move(-1)], "move 0 at -1 ns is before"),
        ([Move(0.5)], "the time of move 0 must be an int of nanoseconds"),  # type: ignore[arg-type]
        ([Move(0, buttons=32)], "use the five bits"),
    ],
)
def test_a_senseless_script_is_refused(moves: list[Move], text: str) -> None:
    with pytest.raises(SimulationError, match=text):
        Script(moves)


def test_a_walk_comes_from_its_stream() -> None:
    def taken(seed: int) -> list[Move]:
        return list(islice(Walk(millis(4), reach=5).moves(Random(seed)), 500))

    assert taken(1) == taken(1) != taken(2)
    assert [move.time for move in taken(1)] == [millis(4) * number for number in range(1, 501)]
    assert {move.dx for move in taken(1)} == set(range(-5, 6))
    assert {move.buttons for move in taken(1)} == {0, regs.BUTTON_LEFT}
    assert {move.wheel for move in taken(1)} == {-1, 0, 1}


def test_a_walk_may_end() -> None:
    assert len(list(Walk(steps=7).moves(Random(0)))) == 7
    with pytest.raises(SimulationError, match="a step of at least 1 ns"):
        Walk(step=0)
