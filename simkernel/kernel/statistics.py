"""The public counters of a machine, collected from the parts that maintain them.

Every part counts its work, whether or not a tracer is attached.  The number of `events` in a report is a
sum of such counters. So this number describes the model, not how the engine executes it.
"""

from __future__ import annotations

from typing import Any

import attrs

from simkernel.kernel.kernel import Kernel
from simkernel.kernel.sched.scheduler import RunQueue


def statistics(kernel: Kernel) -> dict[str, Any]:
    """Return all counters as nested dictionaries of plain values.

    `taints` are the letters of the kernel's taint flags. `devices` has the counters of each device by its
    name.  `cpus` is empty if every task has its own CPU. `copies` is None unless
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
    """Return the number of events: calls, messages, interrupts, bus accesses, and internal events of
    devices.
    """
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
