"""The system call table: maps the name of a call to its handler."""

from __future__ import annotations

from types import CoroutineType
from typing import Any, Final

from simkernel.kernel.parts import KernelParts
from simkernel.kernel.sched.calls import Handler
from simkernel.kernel.sched.wait import Blocked
from simkernel.kernel.syscall.epoll import EpollCalls
from simkernel.kernel.syscall.file import FileCalls
from simkernel.kernel.syscall.futex import FutexCalls
from simkernel.kernel.syscall.mmap import MmapCalls
from simkernel.kernel.syscall.path import PathCalls
from simkernel.kernel.syscall.pipe import PipeCalls
from simkernel.kernel.syscall.poll import PollCalls
from simkernel.kernel.syscall.process import ProcessCalls
from simkernel.kernel.syscall.read_write import ReadWriteCalls
from simkernel.kernel.syscall.socket import BlockedReceive, SocketCalls
from simkernel.kernel.syscall.system import SystemCalls
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.errno import ENOSYS

GROUPS = (
    SocketCalls, FileCalls, ReadWriteCalls, PollCalls, EpollCalls, PipeCalls, PathCalls, MmapCalls,
    ProcessCalls, FutexCalls, SystemCalls,
)  # fmt: skip

GROUP_OF: Final = {name: group for group in GROUPS for name in vars(group) if not name.startswith("_")}
"""Maps the name of each system call to the class that has its handler. A test compares the names with
`uapi.syscalls`.
"""


class SystemCallTable:
    """The system call handlers of a kernel, by name.

    A handler takes the calling task and the call's arguments.

    A handler is added when it is first used, because most machines use few calls.  An unknown call raises
    ENOSYS, as in a kernel that was built without it.
    """

    pending: Final = frozenset({CoroutineType, Blocked, BlockedReceive})

    def __init__(self, kernel: KernelParts) -> None:
        self.handlers: dict[str, Handler] = {}
        self._kernel = kernel
        self._groups: dict[type, object] = {}

    def find(self, name: str) -> Handler:
        """Return the handler of the system call `name`. If simkernel models this system call, also store the
        handler in `handlers`, where the next call of `name` finds it.
        """
        kind = GROUP_OF.get(name)
        if kind is None:
            return self._refusal(name)
        group = self._groups.get(kind)
        if group is None:
            group = self._groups[kind] = kind(self._kernel)
        handler: Handler = getattr(group, name)
        self.handlers[name] = handler
        return handler

    def _refusal(self, name: str) -> Handler:
        def refuse(task: Task, *arguments: Any) -> Any:
            raise self._kernel.unmodelled(f"the system call {name} is not modelled", ENOSYS)

        return refuse
