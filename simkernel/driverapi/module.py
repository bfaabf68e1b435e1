"""include/linux/module.h, moduleparam.h, kmod.h: the declaration of a module.

    MODULE = Module(
        license="GPL",
        description="Driver of the virtual camera",
        parameters=(ModuleParameter("buffers", int, 4, minimum=2, maximum=16),),
        devices=DEVICES,
        imports=("devclass_add",),
    )

    async def init(this: ThisModule) -> Camera:     # plain or async; OSError makes the load fail
        ...
        return state

    async def exit(this: ThisModule, state: Camera) -> None:
        ...

A module has the name of its file. Its top level must be immutable, because the file is executed once for
all machines of a process. Mutable data belongs in the state that `init` returns.

`this.parameters["buffers"]` is the value of a parameter. A module calls functions that another module
exports and that it imports:

    class DeviceClasses:                            # devclass.py; its `init` returns an instance
        def devclass_add(self, ...) -> Device: ...

    MODULE = Module(license="GPL", exports=(DeviceClasses.devclass_add,))

    if TYPE_CHECKING:                               # the importer; at run time the kernel links the modules
        from ..devclass import DeviceClasses

    MODULE = Module(license="GPL", imports=("devclass_add",))
    classes: DeviceClasses = this.symbols           # has only the imported functions
    classes.devclass_add(...)
"""

from __future__ import annotations

from collections.abc import Awaitable

from simkernel.driverapi.context import kernel_of, may_sleep, module_of
from simkernel.kernel.module.awaiting import sleeps
from simkernel.kernel.module.declaration import Module as Module
from simkernel.kernel.module.declaration import ModuleParameter as ModuleParameter
from simkernel.kernel.module.module import ThisModule as ThisModule


def try_module_get(module: ThisModule) -> bool:
    """Take a reference, which prevents unloading of `module`. Return False if it is already being
    unloaded.
    """
    return module_of(module).try_get()


def module_put(module: ThisModule) -> None:
    """Drop a reference that `try_module_get` took."""
    module_of(module).put()


@sleeps
def request_module(this: ThisModule, name: str) -> Awaitable[int]:
    """Request that user space loads a module by name or alias. The result is modprobe's exit status, 0 for
    success.
    """
    return may_sleep(this, "request_module", kernel_of(this).modules.requests.request, name)
