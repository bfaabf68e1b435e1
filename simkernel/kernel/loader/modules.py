"""The module loader: finit_module(2) and delete_module(2) (kernel/module/main.c).

A load has these steps. If a step fails, the steps before it are undone in reverse order:

    locate       find the code on the module path              ENOENT
    image        read and execute the code                     ENOEXEC
    unformed     add the module to the list                    EEXIST, EBUSY
    link         resolve the imports, check the exports        ENOENT, EBUSY, ENOEXEC
    coming       parse the parameters                          EINVAL, ERANGE, ENOSPC
    init         call the module's init function               its error; an oops: EFAULT
    live
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs

from simkernel.engine import Engine
from simkernel.kernel.lib.costs import CostModel
from simkernel.kernel.lib.fault import Armed, check_fault
from simkernel.kernel.lib.layers import KERNEL
from simkernel.kernel.lib.log import Log
from simkernel.kernel.lib.taint import Taint, Taints
from simkernel.kernel.loader.image import ImageError, Instrument
from simkernel.kernel.loader.parameters import parse_parameters
from simkernel.kernel.loader.path import Location, find_specification, read_specification, unreadable
from simkernel.kernel.loader.request import MODULE_NAME_LEN, Modprobe, ModuleRequests
from simkernel.kernel.loader.snapshot import ModulePath
from simkernel.kernel.loader.symbols import SYMBOL_TIMEOUT, Symbols
from simkernel.kernel.module.awaiting import run
from simkernel.kernel.module.module import Image, LoadedModule, ModuleState, ThisModule
from simkernel.kernel.module.resources import DRIVER, Resources
from simkernel.kernel.oops import Oopses
from simkernel.kernel.sched.wait import WaitQueue, elapse, maybe, sleep_on
from simkernel.uapi.errno import EAGAIN, EBUSY, EEXIST, EFAULT, EINVAL, ENOENT, ENOEXEC, os_error
from simkernel.uapi.module import (
    MODULE_INIT_COMPRESSED_FILE,
    MODULE_INIT_IGNORE_MODVERSIONS,
    MODULE_INIT_IGNORE_VERMAGIC,
)
from simkernel.ynl import Spec
from simkernel.ynl.errors import SpecError

STAGING = "module is from the staging directory, the quality is unknown, you have been warned."
FLAGS = MODULE_INIT_IGNORE_MODVERSIONS | MODULE_INIT_IGNORE_VERMAGIC | MODULE_INIT_COMPRESSED_FILE


@attrs.define(eq=False, repr=False)
class Modules:
    """The modules of a machine.  Iteration yields the newest first, as /proc/modules lists them.

    `directories` is the module path; its first directory is the kernel's own tree. Specifications of
    families are also searched in `families`.  `modprobe` runs when the kernel requests a module.
    `make_module` creates a module, `make_this` the object that a module's code gets.  `send_uevent` takes
    action, devpath and subsystem. `instruments` transform the code of modules.
    """

    _engine: Engine
    _costs: CostModel
    _log: Log
    _taints: Taints
    _oopses: Oopses
    _resources: Resources
    _directories: Sequence[Path]
    _families: Path
    _instruments: Sequence[Instrument]
    _modprobe: Modprobe | None
    _make_module: Callable[..., LoadedModule]
    _make_this: Callable[[LoadedModule], ThisModule]
    _send_uevent: Callable[[str, str, str], None]
    _faults: Armed | None = None
    _list: dict[str, LoadedModule] = attrs.field(factory=dict)
    _loading: dict[str, _Load] = attrs.field(factory=dict)
    _changed: WaitQueue = attrs.field(factory=lambda: WaitQueue("a module's state"))
    path: ModulePath = attrs.field(init=False)
    requests: ModuleRequests = attrs.field(init=False)
    symbols: Symbols = attrs.field(init=False)
    loads: int = 0
    unloads: int = 0
    leaks: int = 0
    """Number of registrations that modules left behind when they were unloaded."""

    def __attrs_post_init__(self) -> None:
        self.path = ModulePath(self._directories, self._engine, self._log, self._instruments)
        self.requests = ModuleRequests(self._engine, self._log, self._modprobe)
        self.symbols = Symbols(self, self._log, self._changed)

    def __iter__(self) -> Iterator[LoadedModule]:
        return reversed(tuple(self._list.values()))

    def __len__(self) -> int:
        return len(self._list)

    def find(self, name: str) -> LoadedModule | None:
        """Return the module called `name` in any state, or None."""
        return self._list.get(name)

    def specification(self, name: str) -> Spec:
        """Return the specification of the generic netlink family `name`, for its clients. The YAML file is in
        the directory of the kernel's own families or on the module path.

        Raises LookupError or SpecError.
        """
        file = find_specification(name, (self._families, *self._directories))
        try:
            return read_specification(file)
        except (OSError, UnicodeDecodeError) as error:
            raise SpecError(file.name, 0, "", unreadable(file.name, error)) from None

    def spec(self, module: LoadedModule, name: str) -> Spec:
        """Return the netlink specification in the file NAME.yaml beside the code of `module`.

        Raises ENOENT if the file cannot be read, ENOEXEC if it is invalid. The reason is logged.
        """
        try:
            return read_specification(module.directory / f"{name}.yaml")
        except SpecError as mistake:
            self._log.err(f"{module.name}: {mistake}")
            raise os_error(ENOEXEC) from None
        except (OSError, UnicodeDecodeError) as error:
            self._log.err(f"{module.name}: specification {unreadable(f'{name}.yaml', error)}")
            raise os_error(ENOENT) from None

    # -- loading ------------------------------------------------------------

    async def load(self, name: str, parameters: str = "", flags: int = 0) -> None:
        """Find the module `name` on the module path, and load it (finit_module(2)). The text `parameters` has
        the form `a=1 b=2`.

        If another task is loading the module, wait for its load and return or raise the result
        (`idempotent_init_module()`).
        """
        if flags & ~FLAGS:
            raise os_error(EINVAL)
        location = self._locate(name)
        load = self._loading.get(location.name)
        if load is not None:
            await load.join(self._changed)
            return
        load = self._loading[location.name] = _Load()
        try:
            await self._load(location, parameters, flags)
        except OSError as error:
            load.failed = error.errno or EINVAL
            raise
        finally:
            load.done = True
            del self._loading[location.name]
            self._changed.wake_up_all()

    async def _load(self, location: Location, parameters: str, flags: int) -> None:
        """Read, link and initialize a module (`load_module()`)."""
        image = self._image(location)
        self._check_unique(image.name)
        self._engine.charge(self._costs.module_load)
        await elapse()
        module = self._list[image.name] = self._make_module(
            self._engine, image, location.directory, self._make_this
        )
        try:
            self._taint(module, location, flags)
            await self.symbols.resolve_all(module, self._engine.time() + SYMBOL_TIMEOUT)
            self.symbols.check_exports(module)
            module.become(ModuleState.COMING)
            module.this.parameters = MappingProxyType(
                parse_parameters(module.name, module.declaration, parameters, self._log)
            )
            await self._init(module)
        except GeneratorExit:
            module.pin()  # the task was killed, and how far init got is unknown
            raise
        except BaseException:
            await self._unwind(module)
            raise
        self.loads += 1

    def _locate(self, name: str) -> Location:
        location = self.path.snapshot().find(name)
        if location is None:
            why = (
                "give the name of the module, not a path" if "/" in name or "\\" in name else "no such module"
            )
            self._log.err(f"module {name!r} not found: {why}")
            raise os_error(ENOENT)
        return location

    def _image(self, location: Location) -> Image:
        try:
            return self.path.snapshot().image(location)
        except ImageError as error:
            self.path.on_fault(location.name, error).requested = True
            raise os_error(error.errno) from None

    def _check_unique(self, name: str) -> None:
        """Raise EEXIST if a loaded module has this name, or EBUSY if a module of this name is being loaded or
        unloaded (`module_patient_check_exists()`).
        """
        old = self._list.get(name)
        if old is None:
            return
        if old.state is ModuleState.LIVE:
            self._log.debug(f"module {name}: loaded already")
            raise os_error(EEXIST)
        self._log.debug(f"module {name}: loaded already, and {old.state.value.lower()}")
        raise os_error(EBUSY)

    def _taint(self, module: LoadedModule, location: Location, flags: int) -> None:
        """Set the taint flags of the kernel and of a new module, for example for an out-of-tree module
        (`check_modinfo()`, `module_augment_kernel_taints()`).
        """
        if flags & MODULE_INIT_IGNORE_VERMAGIC:
            self._add_taint(module, Taint.FORCED_MODULE, "bad vermagic: kernel tainted.")
        if not location.in_tree:
            self._add_taint(module, Taint.OOT_MODULE, "loading out-of-tree module taints kernel.")
        if module.declaration.staging:
            for taints in (self._taints, module.taints):
                taints.add(Taint.CRAP)
            self._log.warn(f"{module.name}: {STAGING}")
        if not module.declaration.gpl_compatible:
            licence = module.declaration.license
            self._add_taint(module, Taint.PROPRIETARY_MODULE, f"module license '{licence}' taints kernel.")

    def _add_taint(self, module: LoadedModule, flag: Taint, text: str) -> None:
        if flag not in self._taints:
            self._log.warn(f"{module.name}: {text}")
        self._taints.add(flag)
        module.taints.add(flag)

    async def _init(self, module: LoadedModule) -> None:
        """Call the module's `init` and make the module live (`do_init_module()`)."""
        self._trace("module_load", module, taints=module.taints.letters)
        check_fault(self._faults, "module.init", module=module.name)
        function = getattr(module.image.namespace, "init", None)
        module.references += 1
        if function is not None:
            with self._oopses.guard(module, "init"):
                module.data = await run(module, function, module.this)
        module.references -= 1
        module.become(ModuleState.LIVE)
        self._send_uevent("add", f"/module/{module.name}", "module")

    async def _unwind(self, module: LoadedModule) -> None:
        """Undo a failed load. If `init` has caused an oops, the module stays in the list and cannot be
        used.
        """
        if module.state is ModuleState.COMING:
            module.become(ModuleState.GOING)
            await self._release_leaks(module)
        if not module.pinned:
            self.symbols.release_all(module)
            del self._list[module.name]

    # -- unloading ----------------------------------------------------------

    async def unload(self, name: str, flags: int = 0) -> None:
        """Unload a module (delete_module(2)).

        Raises ENOENT if the module is not loaded, EAGAIN if another module or a reference holds it. Raises
        EBUSY if the module is not live, or has `init` but no `exit`.  Raises EFAULT after an oops in
        `exit`; then the module stays.  Forced removal (O_TRUNC) is not configured. rmmod(8) itself reports
        EBUSY instead of EAGAIN.
        """
        module = self._list.get(name) if 0 < len(name) < MODULE_NAME_LEN else None
        if module is None or module.state is ModuleState.UNFORMED:
            raise os_error(ENOENT)
        if module.users:
            raise os_error(EAGAIN)
        if module.state is not ModuleState.LIVE or module.permanent:
            raise os_error(EBUSY)
        if module.references:
            raise os_error(EAGAIN)
        module.become(ModuleState.GOING)
        self._engine.charge(self._costs.module_unload)
        await elapse()
        function = getattr(module.image.namespace, "exit", None)
        if function is not None:
            with self._oopses.contain(module, "exit"):
                await run(module, function, module.this, module.data)
        await self._release_leaks(module)
        if module.pinned:
            raise os_error(EFAULT)
        self._free(module)
        self._changed.wake_up_all()

    def _free(self, module: LoadedModule) -> None:
        """Remove an unloaded module from the list and notify user space (`free_module()`)."""
        self._trace("module_free", module)
        self._send_uevent("remove", f"/module/{module.name}", "module")
        self.symbols.release_all(module)
        module.data = None
        del self._list[module.name]
        self.unloads += 1

    async def _release_leaks(self, module: LoadedModule) -> None:
        """Force the release of everything that a module has left registered, the latest first.

        Drivers are released before everything else, because their release also releases the resources of
        their devices.
        """
        while left := self._resources.of(module):
            resource = next((each for each in reversed(left) if each.kind == DRIVER), left[-1])
            self.leaks += 1
            self._log.err(f"{module.name}: left behind: {resource}")
            await maybe(resource.release())
            self._resources.remove(resource)

    def _trace(self, event: str, module: LoadedModule, **fields: Any) -> None:
        if (emit := self._engine.trace.emit) is not None:
            emit(event, KERNEL, "module", module=module.name, **fields)


class _Load:
    """The state of a running finit_module(2) call. Other tasks that load the same module wait until this call
    ends.
    """

    def __init__(self) -> None:
        self.done = False
        self.failed = 0

    async def join(self, changed: WaitQueue) -> None:
        """Wait until the load has ended, and raise its error if it failed."""
        while not self.done:
            await sleep_on(changed)
        if self.failed:
            raise os_error(self.failed)
