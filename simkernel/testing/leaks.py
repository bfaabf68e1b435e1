"""Find resources that programs and devices still hold after their end.  Each of them is a bug."""

from __future__ import annotations

from simkernel.kernel.holdings import Holdings, left
from simkernel.kernel.holdings import holdings as kernel_holdings
from simkernel.machine import Machine


def holdings(machine: Machine) -> Holdings:
    """Return the resources that programs and devices hold now, as the baseline of a later `left_behind`."""
    return kernel_holdings(machine.kernel)


def left_behind(machine: Machine, since: Holdings | None = None) -> list[str]:
    """Return one line of text for each resource that is still held. Omit the resources in `since`, the result
    of an earlier call of `holdings`.

    Resources are processes, sockets, group memberships, open files (pipes, eventfds, memfds, devices),
    mappings, timers, DMA memory, references to modules and registrations.  When every program has ended
    and no device is plugged in, the list should be empty, even if modules are loaded.  It omits the
    resources of running daemons such as udevd, and modules pinned by an oops.  `Machine(check_leaks=True)`
    checks it at `close`.
    """
    return left(holdings(machine), since or {})
