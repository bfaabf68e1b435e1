"""The system call table: from a name to the function that serves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simkernel.kernel.syscall.file import FileCalls
from simkernel.kernel.syscall.module import ModuleCalls
from simkernel.kernel.syscall.process import ProcessCalls
from simkernel.kernel.syscall.socket import SocketCalls
from simkernel.kernel.task.runner import Handler

if TYPE_CHECKING:
    from simkernel.kernel.kernel import Kernel

GROUPS = (SocketCalls, FileCalls, ProcessCalls, ModuleCalls)


def system_calls(kernel: Kernel) -> dict[str, Handler]:
    """Every system call of `kernel`: a function of the calling task and the call's arguments."""
    return {name: getattr(group, name) for group in (kind(kernel) for kind in GROUPS) for name in group.CALLS}
