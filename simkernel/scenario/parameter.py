"""Parameters of scenarios: a name, a type, a range and a default."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import attrs

from simkernel.engine import SimulationError

Value = bool | int | float | str

BOOLEANS: Final = {"true": True, "yes": True, "on": True, "1": True,
                   "false": False, "no": False, "off": False, "0": False}  # fmt: skip


def _boolean(text: str) -> bool:
    return BOOLEANS[text.lower()]


def _integer(text: str) -> int:
    return int(text, 0)


KINDS: Final[dict[type, tuple[Callable[[str], Any], str]]] = {
    bool: (_boolean, "true or false"),
    int: (_integer, "a whole number"),
    float: (float, "a number"),
    str: (str, "text"),
}
"""For each type of a parameter: a function that parses a value, and the name of such values in error texts.
"""


@attrs.frozen
class ScenarioParameter:
    """A parameter of a scenario, of type `kind` (bool, int, float or str).

    `minimum` and `maximum` are allowed values.  `choices` are the allowed texts of a str.  With `several`,
    the value is a list of choices, separated by commas.  `unit` and `help` are shown to users.
    """

    name: str
    kind: type[bool] | type[int] | type[float] | type[str]
    default: Value
    minimum: float | None = attrs.field(default=None, kw_only=True)
    maximum: float | None = attrs.field(default=None, kw_only=True)
    choices: tuple[str, ...] = attrs.field(default=(), kw_only=True)
    several: bool = attrs.field(default=False, kw_only=True)
    unit: str = attrs.field(default="", kw_only=True)
    help: str = attrs.field(default="", kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.kind not in KINDS:
            raise SimulationError(
                f"parameter {self.name} must be of type bool, int, float or str, not {self.kind!r}"
            )
        object.__setattr__(self, "default", self.check(self.default))

    def read(self, given: Value) -> Value:
        """Convert a text to a value of the parameter, and check it. A value that is not a text is only
        checked.

        Raise SimulationError, which names the range, for an invalid value.
        """
        if isinstance(given, str):
            try:
                given = KINDS[self.kind][0](given)
            except (ValueError, KeyError):
                raise self._error(given) from None
        return self.check(given)

    def check(self, value: Value) -> Value:
        """Return the value if it is allowed, with an int converted to float if `kind` is float.

        Raise SimulationError, which names the range, for a wrong type or value.
        """
        if self.kind is float and type(value) is int:
            value = float(value)
        if type(value) is not self.kind or not self._contains(value):
            raise self._error(value)
        return value

    def _contains(self, value: Value) -> bool:
        if isinstance(value, str):
            chosen = value.split(",") if self.several else [value]
            return not self.choices or all(each in self.choices for each in chosen)
        return (
            (isinstance(value, int) or math.isfinite(value))
            and (self.minimum is None or value >= self.minimum)
            and (self.maximum is None or value <= self.maximum)
        )

    @property
    def range(self) -> str:
        """Description of the allowed values, such as "a number from 0.001 to 3600 s"."""
        if self.choices:
            return f"one {'or more ' if self.several else ''}of {', '.join(self.choices)}"
        words = [KINDS[self.kind][1]]
        if self.minimum is not None and self.maximum is not None:
            words.append(f"from {_number(self.minimum)} to {_number(self.maximum)}")
        elif self.minimum is not None:
            words.append(f"not below {_number(self.minimum)}")
        elif self.maximum is not None:
            words.append(f"not above {_number(self.maximum)}")
        return " ".join([*words, self.unit]).strip()

    def _error(self, value: object) -> SimulationError:
        return SimulationError(f"parameter {self.name} is {self.range}, not {value!r}")


def _number(value: float) -> str:
    return f"{value:.12g}"
