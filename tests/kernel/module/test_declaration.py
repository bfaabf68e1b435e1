"""Declarations of module parameters that are refused, and the texts that say why."""

from __future__ import annotations

from typing import Any

import pytest

from simkernel import SimulationError
from simkernel.kernel.module.declaration import ModuleParameter

REFUSED: list[tuple[Any, Any, dict[str, Any], str]] = [
    (float, 1.0, {}, "its type must be bool, int or str, not <class 'float'>"),
    (str, "x", {"minimum": 0}, "only an int has a minimum and a maximum"),
    (bool, True, {"maximum": 1}, "only an int has a minimum and a maximum"),
    (int, "x", {}, "its default must be of type int, not 'x'"),
    (int, True, {}, "its default must be of type int, not True"),
    (int, 1, {"array": 2}, "its default must be a tuple of int, not 1"),
    (int, (1, "x"), {"array": 2}, "its default must be a tuple of int, not (1, 'x')"),
    (int, 1, {"minimum": 2}, "its default 1 is out of range"),
    (int, 4, {"maximum": 3}, "its default 4 is out of range"),
    (int, (2, 9), {"array": 2, "maximum": 8}, "its default (2, 9) is out of range"),
]


@pytest.mark.parametrize(("type", "default", "limits", "text"), REFUSED)
def test_a_wrong_declaration_is_refused(type: Any, default: Any, limits: dict[str, Any], text: str) -> None:
    with pytest.raises(SimulationError) as error:
        ModuleParameter("rate", type, default, **limits)
    assert str(error.value) == f"parameter 'rate': {text}"


@pytest.mark.parametrize(
    ("limits", "inside", "outside"),
    [
        ({}, (-(1 << 40), 1 << 40), ()),
        ({"minimum": 1}, (1, 1 << 40), (0,)),
        ({"maximum": 5}, (-5, 5), (6,)),
        ({"minimum": 1, "maximum": 5}, (1, 5), (0, 6)),
    ],
)
def test_limits_are_allowed_values(
    limits: dict[str, int], inside: tuple[int, ...], outside: tuple[int, ...]
) -> None:
    parameter = ModuleParameter("rate", int, 1, **limits)
    assert all(parameter.in_range(value) for value in inside)
    assert not any(parameter.in_range(value) for value in outside)


@pytest.mark.parametrize(
    ("type", "default", "limits", "text"),
    [
        (bool, True, {}, "y or n"),
        (int, 1, {}, "an int"),
        (str, "", {}, "a string"),
        (int, 1, {"minimum": 1}, "an int of at least 1"),
        (int, 1, {"minimum": 1, "maximum": 5}, "an int from 1 to 5"),
        (int, 1, {"maximum": 5}, "an int of at most 5"),
    ],
)
def test_text_of_the_allowed_values(type: Any, default: Any, limits: dict[str, int], text: str) -> None:
    assert ModuleParameter("rate", type, default, **limits).expected == text
