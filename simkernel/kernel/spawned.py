"""The handle of a process that `Machine.spawn()` has created for a test or a script."""

from __future__ import annotations

from simkernel.kernel.kernel import Kernel
from simkernel.kernel.vfs.task import Task


class Process:
    """A process that was spawned with `Machine.spawn()`: its state and its result."""

    def __init__(self, task: Task, kernel: Kernel) -> None:
        self._task = task
        self._kernel = kernel

    @property
    def pid(self) -> int:
        """The process id that getpid(2) returns in the program."""
        return self._task.pid

    @property
    def alive(self) -> bool:
        """True until the process has ended."""
        return self._task.alive

    @property
    def exit_status(self) -> int | None:
        """The wait status (see os.waitstatus_to_exitcode). None while the process runs."""
        return None if self._task.alive else self._task.exit_status

    @property
    def failure(self) -> BaseException | None:
        """The exception that the program raised, or None."""
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
        """Send a signal to the process with the permissions of root."""
        self._kernel.engine.check_thread()
        self._kernel.processes.kill(self._kernel.processes.init, self._task.pid, signal)
