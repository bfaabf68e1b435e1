"""/sys/module: the loaded modules (kernel/module/sysfs.c, kernel/params.c)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from simkernel.kernel.module.module import LoadedModule, ModuleState
from simkernel.kernel.parts import KernelParts
from simkernel.kernel.pseudofs.sysfs.entry import Attribute, Contents, Folder, Link, value
from simkernel.kernel.pseudofs.sysfs.uevent import uevent_file

STATES: Final[Mapping[ModuleState, str]] = {
    ModuleState.LIVE: "live",
    ModuleState.COMING: "coming",
    ModuleState.GOING: "going",
}
"""The text of a module's file `initstate` for each state of the module (`show_initstate()`)."""


def contents(kernel: KernelParts) -> Contents:
    """Yield a directory for each module, except for one in state UNFORMED."""
    for module in kernel.modules:
        if module.state is not ModuleState.UNFORMED:
            yield module.name, Folder(partial(_module, kernel, module))


def _module(kernel: KernelParts, module: LoadedModule) -> Contents:
    yield "coresize", value(lambda: module.image.size)
    if any(_drivers(kernel, module)):
        yield "drivers", Folder(lambda: _drivers(kernel, module))
    yield (
        "holders",
        Folder(lambda: ((user.name, Link(f"/module/{user.name}")) for user in tuple(module.users))),
    )
    # initsize is 0, because Linux frees the init section after the module's init function has run
    yield "initsize", value(lambda: 0)
    yield "initstate", value(lambda: STATES[module.state])
    if any(parameter.perm for parameter in module.declaration.parameters):
        yield "parameters", Folder(lambda: _parameters(module))
    yield "refcnt", value(lambda: module.references)
    yield "taint", value(lambda: module.taints.letters)
    yield "uevent", uevent_file(kernel.uevents, f"/module/{module.name}", "module")
    if module.declaration.version:
        yield "version", value(lambda: module.declaration.version)


def _drivers(kernel: KernelParts, module: LoadedModule) -> Contents:
    """Yield a link to each driver that a module has registered. The name of the link is `BUS:DRIVER`
    (`module_add_driver()`).
    """
    for bus in kernel.devices.buses.values():
        for driver in tuple(bus.drivers):
            if driver.module is module:
                yield f"{bus.name}:{driver.name}", Link(driver.devpath)


def _parameters(module: LoadedModule) -> Contents:
    """Yield a read-only file for each parameter of a module, unless the parameter's declared mode is 0."""
    for parameter in module.declaration.parameters:
        if parameter.perm and parameter.name in module.this.parameters:
            show = partial(_parameter, module, parameter.name)
            yield parameter.name, Attribute(show, mode=parameter.perm)


def _parameter(module: LoadedModule, name: str) -> str:
    return shown(module.this.parameters[name]) + "\n"


def shown(given: Any) -> str:
    """Return a parameter's value as param_get_bool() and similar functions format it."""
    if isinstance(given, bool):
        return "Y" if given else "N"
    if isinstance(given, tuple):
        return ",".join(map(shown, given))
    return str(given)
