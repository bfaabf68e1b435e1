"""/proc/interrupts (kernel/irq/proc.c: show_interrupts())."""

from __future__ import annotations

from typing import Final

from simkernel.kernel.irq.descriptor import IrqDescriptor
from simkernel.kernel.parts import KernelParts

CHIP: Final = "simbus"
FLOW: Final = "level"
"""The name of the handler of a line (`handle_level_irq`)."""


def records(kernel: KernelParts) -> list[str]:
    """A header with the CPUs, and a line for each interrupt that has a handler; CPU 0 takes them all."""
    lines = kernel.interrupts.lines
    cpus = kernel.scheduler.count
    digits = max(3, len(str(len(lines))))
    header = " " * (digits + 8) + "".join(f"CPU{number:<8d}" for number in range(cpus)) + "\n"
    return [header, *(_line(line, cpus, digits) for line in lines if line.actions)]


def _line(line: IrqDescriptor, cpus: int, digits: int) -> str:
    counts = "".join(f" {line.count if number == 0 else 0:10d}" for number in range(cpus))
    names = ", ".join(action.name for action in line.actions)
    return f"{line.irq:{digits}d}:{counts} {CHIP:>8s} {line.irq:{digits}d}-{FLOW:<8s}  {names}\n"
