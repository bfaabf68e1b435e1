"""The public counters of a machine, gathered from the parts that keep them.

Every part counts what passes through it, whether anyone traces or not.  What a report calls its
`events` is a sum of such counters, so that it says what happened in the model and nothing of how the
engine went about it.
"""

from __future__ import annotations

from typing import Any

import attrs

from simkernel.kernel.kernel import Kernel
from simkernel.kernel.sched.scheduler import RunQueue


def statistics(kernel: Kernel) -> dict[str, Any]:
    """All counters, as nested dictionaries of plain values.

    `taints` are the letters of the kernel's taint flags; `devices` has each device's own counters, by
    its name.  `cpus` is empty where every task has a CPU of its own, and `copies` None unless
    `Machine(instrumented=True)` counts them.
    """
    processes, interrupts, modules = kernel.processes, kernel.interrupts, kernel.modules
    scheduler = kernel.scheduler
    cpus = scheduler.statistics() if isinstance(scheduler, RunQueue) else []
    return {
        "system_calls": processes.runner.system_calls,
        "processes": {
            "forks": processes.forks,
            "alive": sum(task.alive for task in processes),
            "failed": processes.failed,
        },
        "cpus": cpus,
        "copies": attrs.asdict(kernel.copies) if kernel.copies else None,
        "netlink": attrs.asdict(kernel.netlink.statistics),
        "interrupts": {
            "taken": interrupts.count,
            "lines": {line.irq: line.count for line in interrupts.lines if line.count},
        },
        "work_items": kernel.work_queues.executed,
        "timers": kernel.timers.expired,
        "uevents": kernel.uevents.sequence,
        "modules": {
            "loaded": len(modules),
            "loads": modules.loads,
            "unloads": modules.unloads,
            "requests": modules.requests.count,
            "leaks": modules.leaks,
        },
        "dma": {"allotted": kernel.dma.allotted},
        "log": {"records": kernel.log.written},
        "oopses": kernel.oopses.count,
        "taints": kernel.taints.letters,
        "bus": attrs.asdict(kernel.bus.statistics),
        "devices": {
            device.name: attrs.asdict(device.statistics)
            for device in kernel.bus.all_devices()
            if attrs.has(type(device.statistics))
        },
    }


def events(kernel: Kernel) -> int:
    """How much has happened: calls, messages, interrupts, accesses, and what devices did by themselves."""
    netlink, bus = kernel.netlink.statistics, kernel.bus.statistics
    return (
        kernel.processes.runner.system_calls
        + netlink.requests
        + netlink.delivered
        + netlink.overruns
        + kernel.interrupts.count
        + kernel.work_queues.executed
        + kernel.timers.expired
        + bus.reads
        + bus.writes
        + bus.aborts
        + bus.dma_reads
        + bus.dma_writes
        + bus.events
    )
