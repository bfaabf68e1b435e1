"""What modules have registered: one table, so that nothing survives its module unnoticed.

Whatever registers something for a module (a family, an interrupt handler, a timer) adds it here and
removes it when it is unregistered.  What is still here when the module has gone is a leak.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs

from simkernel.kernel.lib.fault import Armed, check_fault
from simkernel.kernel.module.module import LoadedModule

DRIVER = "driver"
"""The kind that a driver is."""

Release = Callable[[], Awaitable[None] | None]


@attrs.frozen(eq=False)
class Resource:
    """One thing registered: what it is, what it is called, and how it is taken away by force."""

    module: LoadedModule | None
    kind: str
    name: str
    release: Release

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".rstrip()


class Resources:
    """Everything that is registered in a kernel, by the module that did it, in the order it was done."""

    def __init__(self, faults: Armed | None = None, on_add: Callable[[str], None] | None = None) -> None:
        self._faults = faults
        self._on_add = on_add
        self._of: dict[LoadedModule | None, dict[Resource, None]] = {}

    def allocate(self, module: LoadedModule | None, kind: str) -> None:
        """Allocate what `module` is about to register.  ENOMEM at the fault point `kmalloc`.

        What the kernel itself registers never fails: that is done as it boots, or when first asked for.
        """
        if module is not None:
            check_fault(self._faults, "kmalloc", module=module.name, what=kind)

    def add(self, module: LoadedModule | None, kind: str, name: str, release: Release) -> Resource:
        """Note that `module` (None: the kernel itself) has registered something."""
        resource = Resource(module, kind, name, release)
        self._of.setdefault(module, {})[resource] = None
        if self._on_add is not None:
            self._on_add(kind)
        return resource

    def remove(self, resource: Resource) -> None:
        """Note that it is registered no more.  Harmless if it was removed before."""
        held = self._of.get(resource.module)
        if held is not None:
            held.pop(resource, None)
            if not held:
                del self._of[resource.module]

    def of(self, module: LoadedModule | None) -> tuple[Resource, ...]:
        """What `module` has registered, oldest first."""
        return tuple(self._of.get(module, ()))

    def __len__(self) -> int:
        return sum(map(len, self._of.values()))
