"""A module in a kernel: its state, who holds it, who uses it (`struct module`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import attrs

from simkernel.engine import Engine, InternalError
from simkernel.kernel.lib.layers import KERNEL
from simkernel.kernel.lib.taint import Taints
from simkernel.kernel.module.declaration import Module


class ModuleState(Enum):
    """`enum module_state`; the value is what /proc/modules calls it."""

    UNFORMED = ""
    COMING = "Loading"
    LIVE = "Live"
    GOING = "Unloading"


TRANSITIONS: Mapping[ModuleState, tuple[ModuleState, ...]] = {
    ModuleState.UNFORMED: (ModuleState.COMING,),
    ModuleState.COMING: (ModuleState.LIVE, ModuleState.GOING),
    ModuleState.LIVE: (ModuleState.GOING,),
    ModuleState.GOING: (),
}
"""From each state, those that may follow.  From UNFORMED and GOING a module may also vanish."""


@attrs.frozen(eq=False)
class Image:
    """A module's code, executed: what it declares, and its functions.  `size` is the bytes of its text."""

    name: str
    declaration: Module
    namespace: ModuleType
    size: int


class ThisModule:
    """A module as its own code sees it, the argument of `init` (Linux's THIS_MODULE).

    `parameters` are the values that the loader gave, by name.  `symbols` has the imported functions as
    attributes; annotate it with the class that exports them.  The functions of driverapi take the module's
    kernel from here; a driver does not reach it.
    """

    __slots__ = ("_kernel", "_module", "name", "parameters", "symbols")

    def __init__(self, kernel: object, module: LoadedModule) -> None:
        self._kernel: Any = kernel
        self._module = module
        self.name = module.name
        self.parameters: Mapping[str, Any] = {}
        self.symbols: Any = SimpleNamespace()

    def __repr__(self) -> str:
        return repr(self._module)


@attrs.define(eq=False, repr=False)
class LoadedModule:
    """A module that is loaded into a kernel, or is being.

    `make_this` makes what its own code sees of it.  `data` is what `init` returned.
    """

    _engine: Engine
    image: Image
    directory: Path
    _make_this: Callable[[LoadedModule], ThisModule]
    name: str = attrs.field(init=False)
    declaration: Module = attrs.field(init=False)
    this: ThisModule = attrs.field(init=False)
    state: ModuleState = ModuleState.UNFORMED
    references: int = 0
    """Reference count, as lsmod shows it (`module_refcount()`)."""
    users: list[LoadedModule] = attrs.field(factory=list)
    """Modules that import from it, in the order in which they were loaded."""
    uses: list[LoadedModule] = attrs.field(factory=list)
    """Modules that it imports from."""
    taints: Taints = attrs.field(factory=Taints)
    uses_gpl_symbols: bool = False
    pinned: bool = False
    """True if an oops in the module left a reference that is never dropped."""
    data: Any = None

    def __attrs_post_init__(self) -> None:
        self.name = self.image.name
        self.declaration = self.image.declaration
        self.this = self._make_this(self)

    def __repr__(self) -> str:
        return f"<module {self.name} {self.state.value}>"

    @property
    def permanent(self) -> bool:
        """Whether it can never be removed: it has a beginning and no end."""
        namespace = self.image.namespace
        return hasattr(namespace, "init") and not hasattr(namespace, "exit")

    def become(self, state: ModuleState) -> None:
        """Change the state, along `TRANSITIONS`."""
        if state not in TRANSITIONS[self.state]:
            raise InternalError(f"module {self.name} goes from {self.state} to {state}: please report")
        self.state = state

    def try_get(self) -> bool:
        """Hold it, so that it is not unloaded; False if it is going (`try_module_get()`)."""
        if self.state is ModuleState.GOING:
            return False
        self.references += 1
        self._trace("module_get")
        return True

    def put(self) -> None:
        """Hold it no longer (`module_put()`).  RuntimeError if nobody does."""
        if not self.references:
            raise RuntimeError(f"module {self.name} is put more often than got")
        self.references -= 1
        self._trace("module_put")

    def pin(self) -> None:
        """Hold it for ever: code of it has died, and what that held nobody gives back."""
        if not self.pinned:
            self.pinned = True
            self.references += 1

    def _trace(self, event: str) -> None:
        if (emit := self._engine.trace.emit) is not None:
            emit(event, KERNEL, "module", module=self.name, references=self.references)
