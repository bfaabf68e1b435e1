"""Calls about the whole system: uname(2), init_module(2), delete_module(2) (kernel/sys.c, kernel/module/)."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final

from simkernel.kernel.parts import KernelParts
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.capability import CAP_SYS_MODULE
from simkernel.uapi.errno import EPERM, os_error
from simkernel.uapi.utsname import Utsname
from simkernel.uapi.version import UTS_RELEASE, UTS_VERSION

NODENAME: Final = "simkernel"
"""Each machine's, as nothing sets it."""
UTSNAME: Final = Utsname("Linux", NODENAME, UTS_RELEASE, UTS_VERSION, "x86_64")
"""init_uts_ns: there are no other namespaces of names."""


class SystemCalls:
    """The system's names, and its modules; /proc/modules lists those that are loaded."""

    def __init__(self, kernel: KernelParts) -> None:
        self._modules = kernel.modules

    def uname(self, task: Task) -> Utsname:
        """uname(2)."""
        return UTSNAME

    def finit_module(
        self, task: Task, path: str, parameters: str = "", flags: int = 0
    ) -> Coroutine[Any, Any, None]:
        """finit_module(2) of a path on the module path; `parameters` as on insmod(8)'s line."""
        _check(task)
        return self._modules.load(path, parameters, flags)

    def delete_module(self, task: Task, name: str, flags: int = 0) -> Coroutine[Any, Any, None]:
        """delete_module(2)."""
        _check(task)
        return self._modules.unload(name, flags)


def _check(task: Task) -> None:
    if not task.credentials.capable(CAP_SYS_MODULE):
        raise os_error(EPERM)
