"""Shrink a failing plan to a smaller one that fails in the same way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from simkernel.explore.plan import IRQ, Plan
from simkernel.explore.run import Outcome, Target, run

MAX_TRIES: Final = 200
"""Maximum number of runs for shrinking."""
Part = tuple[str, Any, Any]


def shrink(target: Target, failed: Outcome, options: Mapping[str, Any]) -> tuple[Outcome, int]:
    """Find a small plan whose run fails in the same way as the run `failed`.

    Return the outcome of its run, and the number of runs tried.

    First remove perturbations: halves, then smaller parts (delta debugging).  Then try shorter and rounder
    times, and earlier stimuli.
    """
    return _Shrinker(target, failed, options).shrink()


class _Shrinker:
    def __init__(self, target: Target, failed: Outcome, options: Mapping[str, Any]) -> None:
        self._target = target
        self._best = failed
        self._signature = failed.signature
        self._options = options
        self._tries = 0
        self._seen = {str(failed.plan)}

    def shrink(self) -> tuple[Outcome, int]:
        self._fails(self._best.plan.without_perturbations())
        while self._left_out() or self._lessened():
            pass
        self._fails(attrs.evolve(self._best.plan, seed=0))
        return self._best, self._tries

    def _fails(self, plan: Plan) -> bool:
        """Run the target under a plan that was not tried before.  If the run fails in the same way, keep the
        plan and return True.
        """
        if str(plan) in self._seen or self._tries >= MAX_TRIES:
            return False
        self._seen.add(str(plan))
        self._tries += 1
        outcome = run(self._target, plan, **self._options)
        if outcome.failure is None or outcome.signature != self._signature:
            return False
        # The outcome's plan lists only the faults that occurred in the run.  It omits faults without effect.
        self._best = outcome
        return True

    def _left_out(self) -> bool:
        """Try to remove perturbations from the plan: first groups of half of them, then of a quarter, and
        finally single ones.

        Return True if a smaller plan was found.
        """
        parts = _parts(self._best.plan)
        size, smaller = max(1, len(parts) // 2), False
        while parts:
            at = 0
            while at < len(parts):
                rest = parts[:at] + parts[at + size :]
                if self._fails(_with(self._best.plan, rest)):
                    parts, smaller = _parts(self._best.plan), True
                else:
                    at += size
            if size == 1:
                break
            size //= 2
        return smaller

    def _lessened(self) -> bool:
        """Try simpler values in the plan, such as shorter times that are powers of ten, and earlier stimuli.
        Return True if a run with such a value fails in the same way.
        """
        smaller = False
        for part in _parts(self._best.plan):
            for value in _lesser(part):
                kind, key, _ = part
                changed = [
                    (k, n, value if (k, n) == (kind, key) else v) for k, n, v in _parts(self._best.plan)
                ]
                if self._fails(_with(self._best.plan, changed)):
                    smaller = True
                    break
        return smaller


def _parts(plan: Plan) -> list[Part]:
    parts: list[Part] = [("point", at, ns) for at, ns in plan.points.items()]
    parts += [("fault", name, n) for name, n in plan.faults]
    return parts + [("stimulus", name, n) for name, n in plan.stimuli.items() if n]


def _with(plan: Plan, parts: list[Part]) -> Plan:
    return attrs.evolve(
        plan,
        points={at: ns for kind, at, ns in parts if kind == "point"},
        faults=tuple((name, n) for kind, name, n in parts if kind == "fault"),
        stimuli={name: n for kind, name, n in parts if kind == "stimulus"},
    )


def _lesser(part: Part) -> Iterator[int]:
    """Yield simpler values for a part of a plan, the simplest first."""
    kind, _, value = part
    if kind == "point" and value != IRQ:
        yield IRQ
        yield from (ns for ns in (1_000, 10_000, 100_000, 1_000_000, 10_000_000) if ns < value)
    elif kind == "stimulus":
        yield from sorted({value // 8, value // 4, value // 2, value * 3 // 4, value - 1} - {value})
