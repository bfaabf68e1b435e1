"""Simulated time is an int of nanoseconds; these functions make one from other units.

`seconds`, `millis` and `micros` round to the nearest nanosecond.  `nanoseconds_up` is for calls
that bear Python's names and so take what Python takes: as there, a sleep is never too short.
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
    """Nanoseconds in `value` seconds, rounded to 1 ns."""
    return _scale(value, SECOND, "seconds()")


def millis(value: Duration) -> int:
    """Nanoseconds in `value` milliseconds, rounded to 1 ns."""
    return _scale(value, MILLISECOND, "millis()")


def micros(value: Duration) -> int:
    """Nanoseconds in `value` microseconds, rounded to 1 ns."""
    return _scale(value, MICROSECOND, "micros()")


def nanoseconds_up(value: Duration, unit: int = SECOND) -> int:
    """Nanoseconds in `value` times `unit`, rounded up, as Python's own timeouts are.

    A float is multiplied as a float, as there: 0.1 s are 100 000 000 ns, though 0.1 is a little more.
    """
    if isinstance(value, float) and math.isfinite(value):
        return math.ceil(value * unit)
    return math.ceil(_exact(value, "a timeout") * unit)


def whole_nanoseconds(value: object, what: str) -> int:
    """Return `value` if it is an int.  SimulationError for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise SimulationError(
        f"{what} is an int of nanoseconds, not {value!r}: write seconds(...), millis(...) or micros(...)"
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
