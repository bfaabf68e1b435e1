"""O_ASYNC: signals for files on which something can be done (fs/fcntl.c).

    fcntl(fd, F_SETOWN, pid)          who gets the signal     -> file.owner
    fcntl(fd, F_SETFL, O_ASYNC)       that it shall be sent   -> in the object's FasyncList
    the object: fasync.kill(POLL_IN)  something can be done

The signal is SIGIO, or the one that F_SETSIG says.
"""

from __future__ import annotations

from typing import Final, Protocol

import attrs

from simkernel.kernel.sched.process import Processes
from simkernel.kernel.sched.wait import WaitQueue
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.errno import EINVAL, os_error
from simkernel.uapi.fcntl import O_ASYNC
from simkernel.uapi.signal import SIGIO, valid_signal

# What has happened: si_code (include/uapi/asm-generic/siginfo.h).
POLL_IN: Final = 1
POLL_OUT: Final = 2
POLL_MSG: Final = 3
POLL_ERR: Final = 4
POLL_PRI: Final = 5
POLL_HUP: Final = 6


@attrs.define(eq=False, repr=False)
class FileOwner:
    """Who is sent a file's signals (`struct fown_struct`); `signal` 0 is SIGIO."""

    _processes: Processes[Task]
    target: Task | None = None
    signal: int = 0
    _setter_uid: int = 0

    def set(self, task: Task, pid: int) -> None:
        """F_SETOWN: 0 is nobody.  ESRCH if there is no such process."""
        self.target = self._processes.find(pid) if pid else None
        self._setter_uid = task.credentials.uid

    def get(self) -> int:
        """F_GETOWN."""
        return self.target.tgid if self.target is not None and self.target.alive else 0

    def set_signal(self, number: int) -> None:
        """F_SETSIG.  EINVAL if there is no such signal."""
        if number and not valid_signal(number):
            raise os_error(EINVAL)
        self.signal = number

    def send(self) -> None:
        """Send the signal, if whoever set the owner may (`send_sigio()`, `sigio_perm()`)."""
        target = self.target
        if target is None or not target.alive:
            return
        if self._setter_uid in (0, target.credentials.uid):
            self._processes.send_signal(target, self.signal or SIGIO)


class FasyncWaiter:
    """Stands in a wait queue for good, and has signals sent whenever somebody would be woken."""

    exclusive = False

    def __init__(self, files: FasyncList) -> None:
        self._files = files

    def wake(self, woken: bool) -> None:
        """Something can be done."""
        self._files.kill(POLL_IN)

    def wake_for(self, queue: WaitQueue, events: int) -> bool:
        """The same."""
        self._files.kill(POLL_IN)
        return True


class AsyncFile(Protocol):
    """An open file, as far as it is sent signals for."""

    flags: int
    owner: FileOwner | None


class FasyncList:
    """The open files that want a signal when something can be done with an object."""

    __slots__ = ("_files",)

    def __init__(self) -> None:
        self._files: dict[AsyncFile, int] | None = None  # most objects never have one

    def __bool__(self) -> bool:
        return bool(self._files)

    def switch(self, file: AsyncFile, fd: int, on: bool) -> None:
        """O_ASYNC was set or cleared on `file` (`fasync_helper()`)."""
        if on:
            if self._files is None:
                self._files = {}
            self._files[file] = fd
            file.flags |= O_ASYNC
        else:
            if self._files is not None:
                self._files.pop(file, None)
            file.flags &= ~O_ASYNC

    def kill(self, band: int) -> None:
        """Tell the owners that something happened: POLL_IN and so on (`kill_fasync()`)."""
        if self._files:
            for file in reversed(tuple(self._files)):  # the last to come first
                if file.owner is not None:
                    file.owner.send()
