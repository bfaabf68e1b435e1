"""What programs and devices have left behind when they are gone.  If it is anything, somebody has a bug."""

from __future__ import annotations

from collections.abc import Iterator

from simkernel.machine import Machine


def left_behind(machine: Machine) -> list[str]:
    """What is still held, in words: processes, sockets, groups, memory, and modules that are held.

    To be asked when every program has ended and no device is plugged in.  Modules may be loaded still.
    """
    return list(_held(machine))


def _held(machine: Machine) -> Iterator[str]:
    kernel = machine.kernel
    for task in kernel.processes:
        if not task.kthread and task not in (kernel.processes.init, kernel.processes.kthreadd):
            yield f"process {task.track} ({task.state.value})"
    if sockets := kernel.netlink.statistics.sockets:
        yield f"{sockets} netlink sockets"
    for entry in kernel.netlink.entries:
        if entry.subscribers:
            yield f"{entry.subscribers} members of groups of netlink protocol {entry.number}"
    if kernel.bus.memory.allotted:
        yield f"{kernel.bus.memory.allotted} bytes of DMA memory"
    for module in kernel.modules:
        if (held := module.references - len(module.users)) > 0:
            yield f"{held} references to module {module.name}"
    if kernel.modules.leaks:
        yield f"{kernel.modules.leaks} registrations of modules that were unloaded"
