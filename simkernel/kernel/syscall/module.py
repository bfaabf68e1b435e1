"""Calls about modules: init_module(2), delete_module(2)."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from simkernel.kernel.vfs.task import Task
from simkernel.uapi.capability import CAP_SYS_MODULE
from simkernel.uapi.errno import EPERM, os_error

if TYPE_CHECKING:
    from simkernel.kernel.parts import KernelParts


class ModuleCalls:
    """Loading and unloading; what is loaded /proc/modules tells."""

    def __init__(self, kernel: KernelParts) -> None:
        self._modules = kernel.modules

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
