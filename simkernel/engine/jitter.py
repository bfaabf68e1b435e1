"""Time charges that vary at random, as the durations of operations vary on a real machine.

Each charge is multiplied by a random factor.  The factors have the measured quantiles.  On a real machine
a disturbance (an interrupt, a cold cache, a busy sibling thread) affects several charges in a row.  So all
charges within HOLD ns use one factor.
"""

from __future__ import annotations

from typing import Final, TypeVar, cast

from simkernel.engine.engine import LONG_AGO, Engine
from simkernel.engine.streams import Streams

HOLD: Final = 10_000
"""Period of simulated time in ns in which all time charges are multiplied by the same random factor. After
it, a new factor is drawn.
"""
LEVELS: Final = (0.5, 0.9, 0.99)
"""Levels of the quantiles that determine the random factors of time charges: median, 90 % and 99 %."""

E = TypeVar("E", bound=Engine)


class Jitter:
    """A mixin that multiplies an engine's time charges by random factors.

    `quantiles` are factors in thousandths, at the levels LEVELS.
    """

    jittered = True
    quantiles: tuple[int, ...]
    now: int
    rng: Streams
    _charged = 0
    _drawn_at = LONG_AGO
    _factor = 1.0

    @property
    def charged(self) -> int:
        """The cost in ns of the current section (the code of one event) so far."""
        return self._charged

    @charged.setter
    def charged(self, ns: int) -> None:
        more = ns - self._charged
        self._charged = self._charged + self.drawn(more) if more > 0 else ns

    def spend(self, ns: int) -> None:
        """Add exactly `ns` to the cost of the current section (the code of one event), without a random
        factor.
        """
        self._charged += ns

    def drawn(self, ns: int) -> int:
        """Return the time in ns that work of cost `ns` takes: `ns` times the current random factor."""
        now = self.now + self._charged
        if not 0 <= now - self._drawn_at < HOLD:
            self._drawn_at = now
            self._factor = factor(self.rng("jitter").random(), self.quantiles)
        return round(ns * self._factor)


def factor(level: float, quantiles: tuple[int, ...]) -> float:
    """Return a quantile of the random factor. `level` is between 0 and 1: the share of factors that are
    smaller than the result.

    It is interpolated from 1 at level 0 through the quantiles, and extrapolated beyond the last quantile.
    """
    points = [(0.0, 1000), *zip(LEVELS, quantiles, strict=True)]
    above = next((index for index, (at, _) in enumerate(points) if level < at), len(points) - 1)
    (low, least), (high, most) = points[above - 1 : above + 1]
    return (least + (level - low) / (high - low) * (most - least)) / 1000


def engine_class(kind: type[E], quantiles: tuple[int, ...] | None) -> type[E]:
    """If `quantiles` is None, return the engine class `kind`. Otherwise return a subclass of `kind` that
    multiplies time charges by random factors, which have these quantiles.
    """
    if quantiles is None:
        return kind
    return cast("type[E]", type(kind.__name__, (Jitter, kind), {"quantiles": quantiles}))
