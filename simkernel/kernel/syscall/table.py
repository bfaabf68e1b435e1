"""The system call table: from a name to the function that serves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simkernel.kernel.syscall.epoll import EpollCalls
from simkernel.kernel.syscall.file import FileCalls
from simkernel.kernel.syscall.mmap import MmapCalls
from simkernel.kernel.syscall.module import ModuleCalls
from simkernel.kernel.syscall.path import PathCalls
from simkernel.kernel.syscall.pipe import PipeCalls
from simkernel.kernel.syscall.poll import PollCalls
from simkernel.kernel.syscall.process import ProcessCalls
from simkernel.kernel.syscall.read_write import ReadWriteCalls
from simkernel.kernel.syscall.socket import SocketCalls
from simkernel.kernel.task.runner import Handler
from simkernel.kernel.unmodelled import Unmodelled
from simkernel.uapi.errno import ENOSYS

if TYPE_CHECKING:
    from simkernel.kernel.kernel import Kernel
    from simkernel.kernel.task.task import Task

GROUPS = (
    SocketCalls,
    FileCalls,
    ReadWriteCalls,
    PollCalls,
    EpollCalls,
    PipeCalls,
    PathCalls,
    MmapCalls,
    ProcessCalls,
    ModuleCalls,
)


class SystemCallTable(dict[str, Handler]):
    """The handlers by name.  A call without one is as in a kernel built without it: ENOSYS."""

    def __init__(self, unmodelled: Unmodelled) -> None:
        super().__init__()
        self._unmodelled = unmodelled

    def __missing__(self, name: str) -> Handler:
        def refuse(task: Task, *arguments: Any) -> Any:
            raise self._unmodelled(f"the system call {name}", ENOSYS)

        return refuse


def system_calls(kernel: Kernel) -> dict[str, Handler]:
    """Every system call of `kernel`: a function of the calling task and the call's arguments."""
    return {name: getattr(group, name) for group in (kind(kernel) for kind in GROUPS) for name in group.CALLS}
