"""A module in a kernel: its state, its references and its users (`struct module`)."""

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
    """The state of a module (`enum module_state`). The value is the text in /proc/modules."""

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
"""For each state, the states that may follow it. The kernel can also remove a module whose state is UNFORMED
or GOING.
"""


@attrs.frozen(eq=False)
class Image:
    """The executed code of a module: its declaration and its functions.

    `size` is the size of the source code in bytes.
    """

    name: str
    declaration: Module
    namespace: ModuleType
    size: int


class ThisModule:
    """The object that represents a loaded module in the module's own code. The module's `init` gets it as
    argument; C code calls it THIS_MODULE.

    `parameters` are the values set at load, by name.  `symbols` has the imported functions as attributes;
    annotate it with the class that exports them.  The functions of driverapi find the kernel through this
    object. A driver cannot access the kernel itself.
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
    """A module that is loaded into a kernel, or is being loaded.

    `make_this` creates the module's `this`.  `data` is the object that `init` returned.
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
    """The reference count, as lsmod shows it (`module_refcount()`)."""
    users: list[LoadedModule] = attrs.field(factory=list)
    """The modules that import from this one, in the order of their loading."""
    uses: list[LoadedModule] = attrs.field(factory=list)
    """The modules from which this one imports."""
    taints: Taints = attrs.field(factory=Taints)
    uses_gpl_symbols: bool = False
    pinned: bool = False
    """True if `pin` has taken a reference that is never dropped."""
    data: Any = None

    def __attrs_post_init__(self) -> None:
        self.name = self.image.name
        self.declaration = self.image.declaration
        self.this = self._make_this(self)

    def __repr__(self) -> str:
        return f"<module {self.name} {self.state.value}>"

    @property
    def permanent(self) -> bool:
        """True if the module cannot be unloaded, because it has an `init` and no `exit`."""
        namespace = self.image.namespace
        return hasattr(namespace, "init") and not hasattr(namespace, "exit")

    def become(self, state: ModuleState) -> None:
        """Change the state.  Raise InternalError if `TRANSITIONS` does not allow the change."""
        if state not in TRANSITIONS[self.state]:
            raise InternalError(
                f"module {self.name} cannot go from {self.state} to {state}: please report this bug"
            )
        self.state = state

    def try_get(self) -> bool:
        """Take a reference, so that the module is not unloaded (`try_module_get()`).

        Returns False if the module is being unloaded.
        """
        if self.state is ModuleState.GOING:
            return False
        self.references += 1
        self._trace("module_get")
        return True

    def put(self) -> None:
        """Drop a reference (`module_put()`).  Raise RuntimeError if no reference is held."""
        if not self.references:
            raise RuntimeError(f"module {self.name} has no reference to drop")
        self.references -= 1
        self._trace("module_put")

    def pin(self) -> None:
        """Take a reference that is never dropped, so that the module cannot be unloaded. After an oops or an
        interrupted `init`, other code may still refer to the module's code.
        """
        if not self.pinned:
            self.pinned = True
            self.references += 1

    def _trace(self, event: str) -> None:
        if (emit := self._engine.trace.emit) is not None:
            emit(event, KERNEL, "module", module=self.name, references=self.references)
