"""Symbols: the functions that modules export, and the resolution of imports (`simplify_symbols()`).

The first argument of an exported function is the object that its module's `init` returned. An importer
gets the function with this argument bound, like a bound method.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from types import SimpleNamespace
from typing import Any

import attrs

from simkernel.engine import SECOND
from simkernel.kernel.lib.log import Log
from simkernel.kernel.lib.taint import Taint
from simkernel.kernel.module.module import LoadedModule, ModuleState
from simkernel.kernel.sched.wait import WaitQueue, sleep_on
from simkernel.uapi.errno import EBUSY, ENOENT, ENOEXEC, os_error

SYMBOL_TIMEOUT = 30 * SECOND
"""Time in ns to wait for a symbol of a module that is still initializing (`resolve_symbol_wait()`)."""


@attrs.frozen
class _Export:
    owner: LoadedModule
    name: str
    function: Callable[..., Any]

    @property
    def gpl_only(self) -> bool:
        return self.function not in self.owner.declaration.exports


@attrs.frozen(eq=False)
class Symbols:
    """The symbols that a machine's modules export. The wait queue `changed` is woken when the state of a
    module changes.
    """

    _modules: Iterable[LoadedModule]
    _log: Log
    _changed: WaitQueue

    def check_exports(self, module: LoadedModule) -> None:
        """Raise ENOEXEC if `module` exports a symbol whose name another module already exports
        (`verify_exported_symbols()`).
        """
        for name in module.declaration.exported:
            other = self._find(name, without=module)
            if other is not None:
                self._log.err(f"{module.name}: exports duplicate symbol {name} (owned by {other.owner.name})")
                raise os_error(ENOEXEC)

    async def resolve_all(self, module: LoadedModule, deadline: int) -> None:
        """Resolve the imports of `module`, and take a reference to each module from which it imports.

        Each missing symbol is logged. Raises the errno of the last one: ENOENT, or EBUSY if its module was
        still initializing at `deadline` (ns).
        """
        failed = 0
        symbols = {}
        for name in module.declaration.imports:
            try:
                symbols[name] = await self._resolve_waiting(module, name, deadline)
            except _Unresolved as unresolved:
                failed = unresolved.number
                self._log.warn(f"{module.name}: Unknown symbol {name} (err -{failed})")
        if failed:
            raise os_error(failed)
        module.this.symbols = SimpleNamespace(**symbols)

    async def _resolve_waiting(self, module: LoadedModule, name: str, deadline: int) -> Callable[..., Any]:
        while (export := self._find(name, without=module)) is not None:
            if export.owner.state is not ModuleState.COMING:
                return self._resolve(module, export)
            if not await sleep_on(self._changed, deadline=deadline):
                owner = export.owner.name
                self._log.warn(f"{module.name}: gave up waiting for init of module {owner}.")
                raise _Unresolved(EBUSY)
        raise _Unresolved(ENOENT)

    def _resolve(self, module: LoadedModule, export: _Export) -> Callable[..., Any]:
        """Return the exported function that `module` imports. Check that the licence of `module` allows this
        import (`resolve_symbol()`).
        """
        owner = export.owner
        if export.gpl_only and not module.declaration.gpl_compatible:
            licence = module.declaration.license
            self._log.warn(
                f"{module.name}: {export.name} is for GPL modules only, not for licence '{licence}'"
            )
            raise _Unresolved(ENOENT)
        module.uses_gpl_symbols |= export.gpl_only
        self._inherit_taint(module, export)
        if owner not in module.uses:
            if not owner.try_get():
                raise _Unresolved(ENOENT)
            module.uses.append(owner)
            owner.users.insert(0, module)
        return partial(export.function, owner.data)

    def _inherit_taint(self, module: LoadedModule, export: _Export) -> None:
        """Mark a module as proprietary if it uses symbols of a proprietary module (`inherit_taint()`)."""
        owner = export.owner
        if Taint.PROPRIETARY_MODULE not in owner.taints:
            return
        if module.uses_gpl_symbols:
            self._log.err(
                f"{module.name}: module using GPL-only symbols uses symbols {export.name} "
                f"from proprietary module {owner.name}."
            )
            raise _Unresolved(ENOENT)
        if Taint.PROPRIETARY_MODULE not in module.taints:
            self._log.warn(
                f"{module.name}: module uses symbols {export.name} "
                f"from proprietary module {owner.name}, inheriting taint."
            )
            module.taints.add(Taint.PROPRIETARY_MODULE)

    def release_all(self, module: LoadedModule) -> None:
        """Drop the references of `module` to the modules that it imports from (`module_unload_free()`)."""
        for owner in module.uses:
            owner.users.remove(module)
            owner.put()
        module.uses.clear()
        module.this.symbols = SimpleNamespace()

    def _find(self, name: str, *, without: LoadedModule) -> _Export | None:
        """Return the exported symbol `name`, or None (`find_symbol()`).

        A module in state UNFORMED exports nothing yet.
        """
        for owner in self._modules:
            if owner is not without and owner.state is not ModuleState.UNFORMED:
                function = owner.declaration.exported.get(name)
                if function is not None:
                    return _Export(owner, name, function)
        return None


class _Unresolved(Exception):
    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
