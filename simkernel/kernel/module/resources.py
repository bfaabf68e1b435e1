"""A table of all registered objects, by module. It shows which objects an unloaded module has not
unregistered.

A function that registers an object for a module (a family, an interrupt handler, a timer) adds it here and
removes it when it is unregistered.  An entry that remains after the module's unload is a leak.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs

from simkernel.kernel.lib.fault import Armed, check_fault
from simkernel.kernel.module.module import LoadedModule

DRIVER = "driver"
"""Value of `Resource.kind` for a registered device driver."""

Release = Callable[[], Awaitable[None] | None]


@attrs.frozen(eq=False)
class Resource:
    """A registered object: its kind, its name, and the function that releases it by force."""

    module: LoadedModule | None
    kind: str
    name: str
    release: Release

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".rstrip()


class Resources:
    """The registered objects of a kernel by module, in the order of registration."""

    def __init__(self, faults: Armed | None = None, on_add: Callable[[str], None] | None = None) -> None:
        self._faults = faults
        self._on_add = on_add
        self._of: dict[LoadedModule | None, dict[Resource, None]] = {}

    def allocate(self, module: LoadedModule | None, kind: str) -> None:
        """Simulate the allocation of an object that `module` is about to register. Raise ENOMEM if the fault
        point `kmalloc` makes the allocation fail.

        Registrations by the kernel itself never fail. The kernel makes them at boot or at first use.
        """
        if module is not None:
            check_fault(self._faults, "kmalloc", module=module.name, what=kind)

    def add(self, module: LoadedModule | None, kind: str, name: str, release: Release) -> Resource:
        """Record a registration by `module`. If `module` is None, the kernel itself has registered the
        object.
        """
        resource = Resource(module, kind, name, release)
        self._of.setdefault(module, {})[resource] = None
        if self._on_add is not None:
            self._on_add(kind)
        return resource

    def remove(self, resource: Resource) -> None:
        """Remove the record of an unregistered object.  A second call has no effect."""
        held = self._of.get(resource.module)
        if held is not None:
            held.pop(resource, None)
            if not held:
                del self._of[resource.module]

    def of(self, module: LoadedModule | None) -> tuple[Resource, ...]:
        """Return the registrations of `module`, oldest first."""
        return tuple(self._of.get(module, ()))

    def __len__(self) -> int:
        return sum(map(len, self._of.values()))
