"""Parsing the text of module parameters, such as `debug=1 rates=1,2`, as kernel/params.c and lib/kstrtox.c
do.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel import SimulationError
from simkernel.engine import Engine
from simkernel.kernel.lib.log import Log
from simkernel.kernel.loader.parameters import parse_parameters
from simkernel.kernel.module.declaration import Module, ModuleParameter
from simkernel.uapi.errno import EINVAL, ENOSPC, ERANGE

MODULE = Module(
    license="GPL",
    parameters=(
        ModuleParameter("buffers", int, 4, minimum=2, maximum=16),
        ModuleParameter("any_int", int, 0),
        ModuleParameter("debug", bool, False),
        ModuleParameter("label", str, "none"),
        ModuleParameter("rates", int, (1, 2), array=3, minimum=0),
    ),
)


def parse(line: str) -> tuple[dict[str, Any], list[str]]:
    log = Log(Engine())
    values = parse_parameters("camera", MODULE, line, log)
    return values, [record.text for record in log.records]


def failure(line: str) -> tuple[int, list[str]]:
    log = Log(Engine())
    with pytest.raises(OSError) as raised:
        parse_parameters("camera", MODULE, line, log)
    assert raised.value.errno is not None
    return raised.value.errno, [record.text for record in log.records]


def test_omitted_arguments_have_defaults() -> None:
    values, log = parse("")
    assert values == {"buffers": 4, "any_int": 0, "debug": False, "label": "none", "rates": (1, 2)}
    assert log == []


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("buffers=8", "buffers", 8),
        ("  buffers=8   ", "buffers", 8),
        ("any_int=0x10", "any_int", 16),
        ("any_int=010", "any_int", 8),
        ("any_int=-7", "any_int", -7),
        ("any_int=+7", "any_int", 7),
        ("any-int=7", "any_int", 7),
        ("any_int=0", "any_int", 0),
        ("any_int=-2147483648", "any_int", -(2**31)),
        ("debug", "debug", True),
        ("debug=y", "debug", True),
        ("debug=on", "debug", True),
        ("debug=onward", "debug", True),
        ("debug=offline", "debug", False),
        ("debug=ofx", "debug", False),
        ("debug=1", "debug", True),
        ("debug=true", "debug", True),
        ("debug debug=off", "debug", False),
        ("debug debug=N", "debug", False),
        ("label=front", "label", "front"),
        ('label="front door"', "label", "front door"),
        ('"label=front door"', "label", "front door"),
        ("label=", "label", ""),
        ("label=a=b", "label", "a=b"),
        ("rates=5", "rates", (5,)),
        ("rates=5,6,7", "rates", (5, 6, 7)),
        ("buffers=3 buffers=5", "buffers", 5),
    ],
)
def test_values(line: str, name: str, value: object) -> None:
    values, log = parse(line)
    assert values[name] == value
    assert type(values[name]) is type(value)
    assert log == []


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("buffers=1", EINVAL),
        ("buffers=17", EINVAL),
        ("buffers=many", EINVAL),
        ("buffers=", EINVAL),
        ("buffers", EINVAL),
        ("buffers=8k", EINVAL),
        ("any_int=08", EINVAL),
        ("any_int=0x", EINVAL),
        ("any_int=1_000", EINVAL),
        ("any_int=٣", EINVAL),
        ("any_int=2147483648", ERANGE),
        ("debug=maybe", EINVAL),
        ("debug=", EINVAL),
        ("label", EINVAL),
        ("label=" + "x" * 1025, ENOSPC),
        ("rates=1,2,3,4", EINVAL),
        ("rates=1,,2", EINVAL),
        ("rates=-1", EINVAL),
    ],
)
def test_wrong_arguments_are_refused(line: str, number: int) -> None:
    assert failure(line)[0] == number


def test_the_log_says_which_and_why() -> None:
    _, log = failure("buffers=99")
    assert log == ["camera: `99' invalid for parameter `buffers' (expected an int from 2 to 16)"]


def test_all_mistakes_are_logged_and_the_last_counts() -> None:
    number, log = failure("buffers=99 any_int=99999999999 label=x")
    assert number == ERANGE
    assert [line.split(" ")[1] for line in log] == ["`99'", "`99999999999'"]


def test_an_unknown_parameter_is_only_warned_of() -> None:
    values, log = parse("colour=red buffers=5")
    assert values["buffers"] == 5
    assert log == ["camera: unknown parameter 'colour' ignored"]


def test_parameters_after_two_dashes_are_ignored() -> None:
    values, log = parse("buffers=5 -- buffers=6 debug")
    assert values["buffers"] == 5
    assert values["debug"] is False
    assert log == ["camera: parameters 'buffers=6 debug' after `--' ignored"]


@given(st.text(max_size=60))
def test_no_line_is_more_than_an_errno(line: str) -> None:
    try:
        values, _ = parse(line)
    except OSError as error:
        assert error.errno in (EINVAL, ERANGE, ENOSPC)
    else:
        assert values.keys() == {"buffers", "any_int", "debug", "label", "rates"}
        assert 2 <= values["buffers"] <= 16


@given(st.integers(-(2**31), 2**31 - 1), st.sampled_from(["d", "#x", "X"]))
def test_integers_come_back(value: int, base: str) -> None:
    text = format(value, base) if base != "X" else format(value, "#X").replace("X", "x")
    assert parse(f"any_int={text}")[0]["any_int"] == value


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": float, "default": 1.0},
        {"type": int, "default": "4"},
        {"type": bool, "default": 1},
        {"type": str, "default": "x", "maximum": 3},
        {"type": int, "default": 4, "array": 2},
        {"type": int, "default": 4, "maximum": 3},
        {"type": int, "default": (4, 5), "array": 2, "minimum": 5},
    ],
)
def test_a_declaration_that_contradicts_itself(wrong: dict[str, Any]) -> None:
    with pytest.raises(SimulationError, match="'speed'"):
        ModuleParameter("speed", **wrong)
