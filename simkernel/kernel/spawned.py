"""The process of a program that ordinary code has spawned."""

from __future__ import annotations

from simkernel.kernel.kernel import Kernel
from simkernel.kernel.vfs.task import Task


class Process:
    """A program that was spawned from outside: how it is, and how it ended."""

    def __init__(self, task: Task, kernel: Kernel) -> None:
        self._task = task
        self._kernel = kernel

    @property
    def pid(self) -> int:
        """Its number."""
        return self._task.pid

    @property
    def alive(self) -> bool:
        """True while it runs."""
        return self._task.alive

    @property
    def exit_status(self) -> int | None:
        """Its wait status (os.waitstatus_to_exitcode); None while it runs."""
        return None if self._task.alive else self._task.exit_status

    @property
    def failure(self) -> BaseException | None:
        """The exception that its program raised, or None."""
        return self._task.failure

    def __repr__(self) -> str:
        if self.alive:
            state = "running"
        elif self.failure is not None:
            state = f"failed with {type(self.failure).__name__}"
        else:
            state = f"ended with wait status {self.exit_status}"
        return f"<Process {self._task.track}, {state}>"

    def kill(self, signal: int) -> None:
        """Send it a signal, as root would."""
        self._kernel.engine.check_thread()
        self._kernel.processes.kill(self._kernel.processes.init, self._task.pid, signal)
