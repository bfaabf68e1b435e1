"""include/linux/module.h, moduleparam.h, kmod.h: what a module is.

    MODULE = Module(
        license="GPL",
        description="Driver of the virtual camera",
        parameters=(ModuleParameter("buffers", int, 4, minimum=2, maximum=16),),
        devices=DEVICES,
        imports=("devclass_add",),
    )

    async def init(this: ThisModule) -> Camera:     # plain or async; OSError refuses the load
        ...
        return state

    async def exit(this: ThisModule, state: Camera) -> None:
        ...

A module is called as its file is.  Nothing at its top level may change: the file is executed once for
all machines of a process.  What changes lives in the state that `init` returns.

`this.parameters["buffers"]` is a parameter's value.

A module reaches another one through the functions that the other exports and it imports:

    class DeviceClasses:                            # devclass.py; `init` returns one
        def devclass_add(self, ...) -> Device: ...

    MODULE = Module(license="GPL", exports=(DeviceClasses.devclass_add,))

    if TYPE_CHECKING:                               # the importer; at run time the kernel links the two
        from ..devclass import DeviceClasses

    MODULE = Module(license="GPL", imports=("devclass_add",))
    classes: DeviceClasses = this.symbols           # has the imported functions, and nothing else
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
    """Keep `module` from being unloaded; False if it is going already."""
    return module_of(module).try_get()


def module_put(module: ThisModule) -> None:
    """End one `try_module_get`."""
    module_of(module).put()


@sleeps
def request_module(this: ThisModule, name: str) -> Awaitable[int]:
    """Have user space load a module by name or alias; 0 if modprobe says that all went well."""
    return may_sleep(this, "request_module", kernel_of(this).modules.requests.request, name)
