"""A runner that injects the fault `sleep.eintr`: an interruptible sleep fails with EINTR."""

from __future__ import annotations

from typing import Any

from simkernel.engine import Call
from simkernel.kernel.lib.fault import Armed
from simkernel.kernel.sched.runner import Runner
from simkernel.kernel.sched.task import SchedTask
from simkernel.kernel.sched.wait import Sleeping
from simkernel.uapi.errno import EINTR, os_error


class FaultyRunner(Runner):
    """A runner that injects EINTR into sleeps. It also records the name of the running system call, so that a
    fault rule can select calls by name.
    """

    def __init__(self, faults: Armed, *parts: Any) -> None:
        super().__init__(*parts)
        self._faults = faults

    def enter(self, call: Call[Any]) -> Any:
        """Run a system call. While the handler of the call runs, `Armed.entered` is the name of the call, so
        that a fault rule can select calls by name.
        """
        before, self._faults.entered = self._faults.entered, call.name
        try:
            return super().enter(call)
        finally:
            self._faults.entered = before

    def _sleep(self, task: SchedTask, sleep: Sleeping) -> None:
        """Sleep. If the fault `sleep.eintr` is injected, fail with EINTR instead, as if a signal were pending
        (`signal_pending_state()`).
        """
        if sleep.interruptible and not task.kthread and self._faults.hit_for(task, "sleep.eintr"):
            task.flow = self._trace.flow
            self._completes(task, self._resume, None, os_error(EINTR))
        else:
            super()._sleep(task, sleep)
