"""Files of /proc that list objects of the kernel: devices, interrupts, modules.

Sources: fs/proc/devices.c, kernel/irq/proc.c (`show_interrupts()`), kernel/module/procfs.c.
"""

from __future__ import annotations

from typing import Final

from simkernel.kernel.irq.descriptor import IrqDescriptor
from simkernel.kernel.module.module import LoadedModule, ModuleState
from simkernel.kernel.parts import KernelParts

CHIP: Final = "simbus"
FLOW: Final = "level"
"""The text that /proc/interrupts shows for the flow handler of each interrupt. All interrupts have the same
flow handler, `handle_level_irq()`.
"""

ADDRESS: Final = "0x0000000000000000"
"""The text that /proc/modules shows as the address of each module. Linux hides the real address
(`kallsyms_show_value()` with kptr_restrict=2).
"""
MARKS: Final = {ModuleState.COMING: "+", ModuleState.GOING: "-"}


def devices(kernel: KernelParts) -> list[str]:
    """Return /proc/devices: the reserved major numbers and their names.

    The list of block devices in the file is empty.
    """
    regions = kernel.char_devices.regions
    lines = [f"{region.major:3d} {region.name}\n" for region in regions]
    return ["Character devices:\n", *lines, "\nBlock devices:\n"]


def interrupts(kernel: KernelParts) -> list[str]:
    """Return /proc/interrupts: a line for each interrupt that has a handler.

    All interrupts are counted for CPU 0.
    """
    lines = kernel.interrupts.lines
    cpus = kernel.scheduler.count
    digits = max(3, len(str(len(lines))))
    header = " " * (digits + 8) + "".join(f"CPU{number:<8d}" for number in range(cpus)) + "\n"
    return [header, *(_interrupt(line, cpus, digits) for line in lines if line.actions)]


def _interrupt(line: IrqDescriptor, cpus: int, digits: int) -> str:
    counts = "".join(f" {line.count if number == 0 else 0:10d}" for number in range(cpus))
    names = ", ".join(action.name for action in line.actions)
    return f"{line.irq:{digits}d}:{counts} {CHIP:>8s} {line.irq:{digits}d}-{FLOW:<8s}  {names}\n"


def modules(kernel: KernelParts) -> list[str]:
    """Return /proc/modules: a line for each module, newest first (`m_show()`)."""
    return [_module(module) for module in kernel.modules if module.state is not ModuleState.UNFORMED]


def _module(module: LoadedModule) -> str:
    users = "".join(f"{user.name}," for user in module.users)
    if module.permanent:
        users += "[permanent],"
    flags = module.taints.letters + MARKS.get(module.state, "")
    return (
        f"{module.name} {module.image.size} {module.references} {users or '-'} "
        f"{module.state.value} {ADDRESS}{f' ({flags})' if flags else ''}\n"
    )
