"""A module in a kernel: its state, who holds it, who uses it (`struct module`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simkernel.engine import InternalError
from simkernel.kernel.lib.layers import KERNEL
from simkernel.kernel.lib.taint import Taints
from simkernel.kernel.loader.image import Image
from simkernel.kernel.module.declaration import Module

if TYPE_CHECKING:
    from simkernel.kernel.kernel import Kernel
    from simkernel.ynl import Spec


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


class LoadedModule:
    """A module that is loaded into a kernel, or is being.  A driver's `init` gets it as `this`.

    `parameters` are the values its loader gave, by name.  `symbols` are the functions it imports.
    `data` is what `init` returned.
    """

    def __init__(self, kernel: Kernel, image: Image, directory: Path) -> None:
        self.kernel = kernel
        self.image = image
        self.name = image.name
        self.declaration: Module = image.declaration
        self.directory = directory
        self.state = ModuleState.UNFORMED
        self.references = 0
        """How many hold it; what lsmod shows (`module_refcount()`)."""
        self.users: list[LoadedModule] = []
        """Modules that import from it, in the order in which they were loaded."""
        self.uses: list[LoadedModule] = []
        """Modules that it imports from."""
        self.taints = Taints()
        self.parameters: Mapping[str, Any] = {}
        self.symbols: Mapping[str, Callable[..., Any]] = {}
        self.uses_gpl_symbols = False
        self.pinned = False
        """Whether an oops in it has left a reference that nobody will give back."""
        self.data: Any = None

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

    def spec(self, name: str = "") -> Spec:
        """The specification NAME.yaml that lies beside the module's code; its own name by default.

        ENOENT if there is no such file, ENOEXEC if there is a mistake in it; the log says which.
        """
        return self.kernel.modules.spec(self, name or self.name)

    def _trace(self, event: str) -> None:
        if (emit := self.kernel.engine.trace.emit) is not None:
            emit(event, KERNEL, "module", module=self.name, references=self.references)
