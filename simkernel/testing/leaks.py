"""What programs and devices have left behind when they are gone.  If it is anything, somebody has a bug."""

from __future__ import annotations

from simkernel.kernel.holdings import Holdings, left
from simkernel.kernel.holdings import holdings as kernel_holdings
from simkernel.machine import Machine


def holdings(machine: Machine) -> Holdings:
    """Return what programs and devices hold now, as the baseline of a later `left_behind`."""
    return kernel_holdings(machine.kernel)


def left_behind(machine: Machine, since: Holdings | None = None) -> list[str]:
    """Return what is still held, in words, less what was held at `since`.

    Processes, sockets, group members, open files (pipes, eventfds, memfds, devices), mappings, timers, DMA
    memory, references to modules, registrations.  Nothing shall be held when every program has ended and
    no device is plugged in; modules may be loaded.  What a living daemon holds (udevd is one) is not
    counted, nor is a module that an oops has pinned.  `Machine(check_leaks=True)` asks when it closes.
    """
    return left(holdings(machine), since or {})
