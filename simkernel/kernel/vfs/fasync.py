"""O_ASYNC: signals for open files that become ready (fs/fcntl.c).

    fcntl(fd, F_SETOWN, pid)          selects the recipient   -> file.owner
    fcntl(fd, F_SETFL, O_ASYNC)       enables the signal      -> in the object's FasyncList
    fasync.kill()                     the object sends the signal

The signal is SIGIO, or the one selected with F_SETSIG.
"""

from __future__ import annotations

from typing import Protocol

import attrs

from simkernel.kernel.sched.process import Processes
from simkernel.kernel.sched.wait import WaitQueue
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.errno import EINVAL, os_error
from simkernel.uapi.fcntl import O_ASYNC
from simkernel.uapi.signal import SIGIO, valid_signal


@attrs.define(eq=False, repr=False)
class FileOwner:
    """The recipient of a file's signals (`struct fown_struct`).

    `signal` is the number set with F_SETSIG; 0 means SIGIO.
    """

    _processes: Processes[Task]
    target: Task | None = None
    signal: int = 0
    _setter_uid: int = 0

    def set(self, task: Task, pid: int) -> None:
        """Set the recipient (F_SETOWN); pid 0 removes it.  Raise ESRCH if the process does not exist."""
        self.target = self._processes.find(pid) if pid else None
        self._setter_uid = task.credentials.uid

    def get(self) -> int:
        """Return the pid of the recipient (F_GETOWN), or 0 if there is no recipient."""
        return self.target.tgid if self.target is not None and self.target.alive else 0

    def set_signal(self, number: int) -> None:
        """Select the signal (F_SETSIG).  Raise EINVAL if `number` is not a signal."""
        if number and not valid_signal(number):
            raise os_error(EINVAL)
        self.signal = number

    def send(self) -> None:
        """Send the signal, if the task that set the recipient is permitted to send it (`send_sigio()`,
        `sigio_perm()`).
        """
        target = self.target
        if target is None or not target.alive:
            return
        if self._setter_uid in (0, target.credentials.uid):
            self._processes.send_signal(target, self.signal or SIGIO)


class FasyncWaiter:
    """A permanent entry in a wait queue that sends SIGIO at each wake-up."""

    exclusive = False

    def __init__(self, files: FasyncList) -> None:
        self._files = files

    def wake(self, woken: bool) -> None:
        """Send a signal for each file with O_ASYNC to its recipient."""
        self._files.kill()

    def wake_for(self, queue: WaitQueue, events: int) -> bool:
        """Send a signal for each file with O_ASYNC to its recipient. `events` is ignored."""
        self._files.kill()
        return True


class AsyncFile(Protocol):
    """The attributes of an open file that the functions for O_ASYNC use."""

    flags: int
    owner: FileOwner | None


class FasyncList:
    """The list of an object's open files with O_ASYNC. When the object becomes ready, the kernel sends a
    signal for each file to the recipient that F_SETOWN has set.
    """

    __slots__ = ("_files",)

    def __init__(self) -> None:
        # this dict is created at first use, because few objects have files with O_ASYNC
        self._files: dict[AsyncFile, int] | None = None

    def __bool__(self) -> bool:
        return bool(self._files)

    def switch(self, file: AsyncFile, fd: int, on: bool) -> None:
        """If `on` is true, set O_ASYNC in the flags of `file` and add the file to this list. Otherwise, clear
        O_ASYNC and remove the file from this list (`fasync_helper()`).
        """
        if on:
            if self._files is None:
                self._files = {}
            self._files[file] = fd
            file.flags |= O_ASYNC
        else:
            if self._files is not None:
                self._files.pop(file, None)
            file.flags &= ~O_ASYNC

    def kill(self) -> None:
        """Send a signal for each file in this list to its recipient (`kill_fasync()`). The signal has no
        `si_code`.
        """
        if self._files:
            # reversed, because Linux adds each file at the head of its list (`fasync_insert_entry()`)
            for file in reversed(tuple(self._files)):
                if file.owner is not None:
                    file.owner.send()
