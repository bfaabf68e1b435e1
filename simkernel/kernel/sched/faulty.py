"""A runner that interrupts tasks on demand: the fault point `sleep.eintr`."""

from __future__ import annotations

from typing import Any

from simkernel.engine import Call
from simkernel.kernel.lib.fault import Armed
from simkernel.kernel.sched.runner import Runner
from simkernel.kernel.sched.task import SchedTask
from simkernel.kernel.sched.wait import Sleeping
from simkernel.uapi.errno import EINTR, os_error


class FaultyRunner(Runner):
    """A runner that interrupts sleeps on demand, and records the running call for all fault points."""

    def __init__(self, faults: Armed, *parts: Any) -> None:
        super().__init__(*parts)
        self._faults = faults

    def enter(self, call: Call[Any]) -> Any:
        """Run a system call. Until it returns, its name is known to the fault points, whose rules can select
        calls by name.
        """
        before, self._faults.entered = self._faults.entered, call.name
        try:
            return super().enter(call)
        finally:
            self._faults.entered = before

    def _sleep(self, task: SchedTask, sleep: Sleeping) -> None:
        """Sleep, or fail with EINTR on demand, as if a signal were pending (`signal_pending_state()`)."""
        if sleep.interruptible and not task.kthread and self._faults.hit_for(task, "sleep.eintr"):
            task.flow = self._trace.flow
            self._completes(task, self._resume, None, os_error(EINTR))
        else:
            super()._sleep(task, sleep)
