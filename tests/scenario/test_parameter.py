"""Parameters of scenarios: accepted texts, rejected texts, and error messages."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel import SimulationError
from simkernel.scenario import ScenarioParameter

DURATION = ScenarioParameter("duration", float, 5.0, minimum=0.001, maximum=3600.0, unit="s")
FRAMES = ScenarioParameter("frames", int, 3, minimum=1)
LOUD = ScenarioParameter("loud", bool, False)
FORMAT = ScenarioParameter("format", str, "YUYV", choices=("GREY", "YUYV"))
FORMATS = ScenarioParameter("formats", str, "GREY", choices=("GREY", "YUYV"), several=True)


@pytest.mark.parametrize(
    ("parameter", "text", "value"),
    [
        (DURATION, "0.001", 0.001),
        (DURATION, "3600", 3600.0),
        (DURATION, "1e1", 10.0),
        (FRAMES, "1", 1),
        (FRAMES, "0x10", 16),
        (FRAMES, "1_000", 1000),
        (LOUD, "Yes", True),
        (LOUD, "0", False),
        (FORMAT, "GREY", "GREY"),
    ],
)
def test_reads_text(parameter: ScenarioParameter, text: str, value: object) -> None:
    read = parameter.read(text)
    assert read == value
    assert type(read) is parameter.kind


@pytest.mark.parametrize(
    ("parameter", "given", "said"),
    [
        (DURATION, "0", "parameter duration is a number from 0.001 to 3600 s, not 0.0"),
        (DURATION, "nan", "parameter duration is a number from 0.001 to 3600 s, not nan"),
        (DURATION, "soon", "parameter duration is a number from 0.001 to 3600 s, not 'soon'"),
        (FRAMES, "0", "parameter frames is a whole number not below 1, not 0"),
        (FRAMES, "2.5", "parameter frames is a whole number not below 1, not '2.5'"),
        (FRAMES, True, "parameter frames is a whole number not below 1, not True"),
        (LOUD, "maybe", "parameter loud is true or false, not 'maybe'"),
        (LOUD, 1, "parameter loud is true or false, not 1"),
        (FORMAT, "grey", "parameter format is one of GREY, YUYV, not 'grey'"),
        (FORMAT, "GREY,YUYV", "parameter format is one of GREY, YUYV, not 'GREY,YUYV'"),
        (FORMATS, "GREY,grey", "parameter formats is one or more of GREY, YUYV, not 'GREY,grey'"),
        (FORMATS, "GREY,", "parameter formats is one or more of GREY, YUYV, not 'GREY,'"),
    ],
)
def test_refuses_with_name_range_and_value(parameter: ScenarioParameter, given: Any, said: str) -> None:
    with pytest.raises(SimulationError) as refused:
        parameter.read(given)
    assert str(refused.value) == said


def test_takes_an_int_for_a_float() -> None:
    read = DURATION.read(7)
    assert (read, type(read)) == (7.0, float)


def test_several_texts_stand_in_a_row() -> None:
    assert FORMATS.read("YUYV,GREY") == "YUYV,GREY"


def test_default_keeps_to_the_range() -> None:
    with pytest.raises(SimulationError, match="parameter frames is a whole number not above 2, not 3"):
        ScenarioParameter("frames", int, 3, maximum=2)


def test_type_is_one_of_four() -> None:
    with pytest.raises(SimulationError, match="bool, int, float or str"):
        ScenarioParameter("frames", list, [])  # type: ignore[arg-type]


@given(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.text()))
def test_printed_text_parses_to_the_same_value(value: bool | int | float | str) -> None:
    assert ScenarioParameter("any", type(value), value).read(str(value)) == value


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for parameter in (DURATION, FRAMES, LOUD, FORMAT):
        try:
            read = parameter.read(text)
        except SimulationError:
            continue
        assert parameter.check(read) == read
