"""What something has cost: calls, copied bytes, time of the processors; by the machine's own counters."""

from __future__ import annotations

from typing import Any

import attrs


@attrs.frozen
class Reading:
    """The counters at an instant, or how far they have moved: times in ns, bytes."""

    time: int
    calls: int
    copies: int
    copied: int
    busy: int

    def __sub__(self, before: Reading) -> Reading:
        moved = [mine - its for mine, its in zip(attrs.astuple(self), attrs.astuple(before), strict=True)]
        return Reading(*moved)


def read(machine: Any) -> Reading:
    """The counters now."""
    counters = machine.statistics
    return Reading(
        machine.now,
        counters["system_calls"],
        counters["copies"]["count"],
        counters["copies"]["bytes"],
        sum(cpu["busy_ns"] for cpu in counters["cpus"]),
    )
