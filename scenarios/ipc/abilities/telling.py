"""Who begins, and who hears of it: one event, and what it takes to be told."""

from __future__ import annotations

from typing import Any, Final

from ..jobs.event import Outcome, show
from ..ways.way import Settings, Way

LOOKS: Final = 20
"""Looks of who looks, before there is something to see."""
AT_ONCE: Final = 3
"""Calls of who is told: to be woken, to take it, and to wait again."""


def _one(machine: Any, way: type[Way], settings: Settings, listeners: int) -> Outcome:
    """An event, some time after everybody began to wait for it."""
    return show(machine, way, settings, listeners, 1, LOOKS * max(settings.poll, 1000))


def starts(machine: Any, way: type[Way], settings: Settings) -> str:
    """Whether the other side can begin: who waits in a call is told, and makes no other call before."""
    outcome = _one(machine, way, settings, 1)
    ear = outcome.ears[0]
    return "yes" if outcome.told(ear) and not ear.looks and _calls(outcome) <= AT_ONCE else "no"


def polling(machine: Any, way: type[Way], settings: Settings) -> str:
    """How often one has to look for one event: by calls, unless one looks at memory without a pause."""
    outcome = _one(machine, way, settings, 1)
    if _calls(outcome) > AT_ONCE:
        return f"yes: {_calls(outcome)} calls"
    looks = outcome.ears[0].looks
    return f"yes: {looks} looks" if looks else "no"


def _calls(outcome: Outcome) -> int:
    """Those of the listener."""
    return outcome.calls - outcome.sends


def multicast(machine: Any, way: type[Way], settings: Settings) -> str:
    """How many of three hear of it, and how often it has to be sent for that."""
    outcome = _one(machine, way, settings, 3)
    heard = sum(outcome.told(ear) for ear in outcome.ears)
    sends = "" if way.other == "driver" else f", {outcome.sends} send{'' if outcome.sends == 1 else 's'}"
    return f"{'yes' if outcome.sends <= 1 and heard == 3 else 'no'}: {heard} of 3{sends}"
