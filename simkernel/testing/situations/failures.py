"""Situations in which an operation of the kernel fails at a fault point. They need a machine with fault
points: `Machine(faults=Injector())`.
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
    """Make an allocation of the kernel fail: by default, the next kmalloc(). To select another one, pass a
    rule, such as `fault=Fault("skb.alloc", nth=1)`.
    """
    return _fail(machine, "allocation-failed", fault)


def interrupt_lost(machine: Machine, device: Device, *, nth: int = 1) -> Occurrence:
    """Lose one interrupt of `device`, so that no handler runs for it: the next interrupt if `nth` is 1, the
    second one if `nth` is 2.
    """
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
