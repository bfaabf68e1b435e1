"""Situations in which an operation of the kernel fails at a fault point.  The machine must be made with
`faults`.
"""

from __future__ import annotations

from typing import Any, Final

from simkernel.engine import SimulationError
from simkernel.explore.faults import Fault, Injector
from simkernel.hardware.bus import Device
from simkernel.machine import Machine
from simkernel.testing.situations.occurrence import Occurrence

KMALLOC: Final = Fault("kmalloc", nth=1)


def allocation_failed(machine: Machine, *, fault: Fault = KMALLOC) -> Occurrence:
    """Make the next kmalloc() fail, or the allocation that `fault` selects ("skb.alloc", "dma.alloc")."""
    return _fail(machine, "allocation-failed", fault)


def interrupt_lost(machine: Machine, device: Device, *, nth: int = 1) -> Occurrence:
    """Lose the `nth` interrupt, counted from now, on the interrupt line of `device`."""
    return _fail(machine, "interrupt-lost", Fault("irq.lost", nth=nth, device=device.name))


def _fail(machine: Machine, name: str, fault: Fault) -> Occurrence:
    """Add a fault rule to the machine's rules. Remove the rule after the fault, or at the end of the `with`
    block.
    """
    occurrence = Occurrence(machine, name)
    if machine.kernel.faults is None:
        raise SimulationError(f"{name}: the machine has no fault points; make it with faults=Injector()")
    rule = Injector(fault)

    class Points:
        def hit(self, point: str, **about: Any) -> bool:
            fails = rule.hit(point, **about)
            if fails:
                occurrence.count()
            return points.hit(point, **about) or fails

    points = occurrence.replace(machine.kernel.faults, "_points", Points())
    return occurrence
