"""Conversions of seconds, milliseconds and microseconds to simulated time, an int of nanoseconds.

`seconds`, `millis` and `micros` round to the nearest nanosecond.  `nanoseconds_up` rounds up: it is for
calls that have a name and arguments of Python's API, where a sleep is never shorter than requested.
"""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

from simkernel.engine.errors import SimulationError

Duration = int | float | Decimal | Fraction

MICROSECOND = 1_000
MILLISECOND = 1_000_000
SECOND = 1_000_000_000


def seconds(value: Duration) -> int:
    """Return `value` seconds in nanoseconds, rounded to 1 ns."""
    return _scale(value, SECOND, "seconds()")


def millis(value: Duration) -> int:
    """Return `value` milliseconds in nanoseconds, rounded to 1 ns."""
    return _scale(value, MILLISECOND, "millis()")


def micros(value: Duration) -> int:
    """Return `value` microseconds in nanoseconds, rounded to 1 ns."""
    return _scale(value, MICROSECOND, "micros()")


def nanoseconds_up(value: Duration, unit: int = SECOND) -> int:
    """Convert a duration to nanoseconds: `value` is a number of units, and a unit has `unit` ns. Round up to
    a whole ns, as Python rounds its timeouts.

    Like Python, it multiplies a float as a float: 0.1 s is 100 000 000 ns, although the float 0.1 is
    slightly above 1/10.
    """
    if isinstance(value, float) and math.isfinite(value):
        return math.ceil(value * unit)
    return math.ceil(_exact(value, "a timeout") * unit)


def whole_nanoseconds(value: object, what: str) -> int:
    """Return `value` if it is an int, else raise SimulationError.  `what` names the value in the error
    text.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise SimulationError(
        f"{what} must be an int of nanoseconds, not {value!r}: write seconds(...), millis(...) or micros(...)"
    )


def _scale(value: Duration, unit: int, name: str) -> int:
    if type(value) is int:
        return value * unit
    return round(_exact(value, name) * unit)


def _exact(value: Duration, name: str) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | Fraction):
        raise SimulationError(f"{name} takes int, float, Decimal or Fraction, not {value!r}")
    try:
        return Fraction(value)
    except (ValueError, OverflowError):
        raise SimulationError(f"{name} takes a finite number, not {value!r}") from None
