"""/proc/loadavg (fs/proc/loadavg.c, kernel/sched/loadavg.c).

Linux samples the number of running and uninterruptible tasks every five seconds.  Here samples are taken
only when the file is read. All samples since the last read get the current value, as `calc_load_n()` does
with samples that an idle CPU has missed.
"""

from __future__ import annotations

from typing import Final

from simkernel.engine import SECOND
from simkernel.kernel.parts import KernelParts
from simkernel.kernel.sched.task import TaskState

FSHIFT: Final = 11
FIXED_1: Final = 1 << FSHIFT
EXPONENTS: Final = (1884, 2014, 2037)
"""Decay factors of the 1-, 5- and 15-minute load averages (EXP_1, EXP_5, EXP_15), in units of 1/FIXED_1. For
each sample, the old average is multiplied by its factor, and the sample's share is added.
"""
PERIOD: Final = 5 * SECOND
ROUNDING: Final = FIXED_1 // 200


class LoadAverages:
    """The three load averages of a machine, in units of 1/FIXED_1."""

    def __init__(self) -> None:
        self._loads: tuple[int, ...] = (0, 0, 0)
        self._samples = 0

    def update(self, now: int, active: int) -> tuple[int, ...]:
        """Compute and return the load averages at the simulated time `now` (ns). `active` is the number of
        tasks that run or sleep uninterruptibly.
        """
        samples = max(now, 0) // PERIOD
        missed, self._samples = samples - self._samples, samples
        self._loads = tuple(
            _decay(load, power(exponent, missed), active * FIXED_1)
            for load, exponent in zip(self._loads, EXPONENTS, strict=True)
        )
        return self._loads

    def records(self, kernel: KernelParts) -> list[str]:
        """Return the text of /proc/loadavg: the three averages, the numbers of running and of existing tasks,
        and the pid of the newest task.
        """
        running = active = 0
        current = kernel.current()
        for task in kernel.processes:
            kthread_works = task.kthread and task.program is not None
            works = task is current or task.call is not None or kthread_works
            runs = task.alive and task.sleep is None and works
            running += runs
            active += runs and task is not current
            active += (
                task.state is TaskState.UNINTERRUPTIBLE and not task.kthread
            )  # sleeping kernel threads do not add to the load
        loads = self.update(kernel.engine.time(), active)
        averages = " ".join(_fixed(load + ROUNDING) for load in loads)
        return [f"{averages} {running}/{len(kernel.processes)} {kernel.processes.last_pid}\n"]


def _decay(load: int, exponent: int, active: int) -> int:
    """Return the new value of the average `load` after one or more samples that all have the value `active`
    (`calc_load()`). `exponent` is the decay factor of all these samples together. All values are in units of
    1/FIXED_1.
    """
    new = load * exponent + active * (FIXED_1 - exponent)
    if active >= load:
        new += FIXED_1 - 1
    return new // FIXED_1


def power(base: int, times: int) -> int:
    """Return `base ** times` (`fixed_power_int()`). `base` and the result are fixed-point numbers in units of
    1/FIXED_1.

    The result of each multiplication is rounded.
    """
    result = FIXED_1
    while times:
        if times & 1:
            result = (result * base + (FIXED_1 >> 1)) >> FSHIFT
        base = (base * base + (FIXED_1 >> 1)) >> FSHIFT
        times >>= 1
    return result


def _fixed(load: int) -> str:
    return f"{load >> FSHIFT}.{((load & FIXED_1 - 1) * 100) >> FSHIFT:02d}"
