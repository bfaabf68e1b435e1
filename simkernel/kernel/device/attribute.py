"""Attributes of devices: a driver's files below /sys (`struct device_attribute`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from simkernel.engine import SimulationError
from simkernel.kernel.module.module import LoadedModule
from simkernel.kernel.module.resources import Resource
from simkernel.uapi.stat import PERMISSIONS

Show = Callable[[Any], str]
"""Takes the device; its text, with the newline at its end, at most a page."""
StoreAttribute = Callable[[Any, bytes], "int | Awaitable[int | None] | None"]
"""Takes the device and what was written; how many bytes it took, None for all."""


@attrs.frozen
class DeviceAttribute:
    """A file of a device: what it shows, and what it does with what is written to it.

    Its name may be `group/name`: then it stands in a directory `group` of the device's (`attribute_group`).
    """

    name: str
    show: Show | None = None
    store: StoreAttribute | None = None
    mode: int = attrs.field(kw_only=True)

    @mode.default
    def _usual(self) -> int:
        """DEVICE_ATTR_RO, _WO or _RW."""
        return (0o444 if self.show else 0) | (0o200 if self.store else 0)

    def __attrs_post_init__(self) -> None:
        if not all(self.name.split("/")) or self.name.count("/") > 1:
            raise SimulationError(f"{self.name!r} is no name of an attribute")
        if self.mode & ~PERMISSIONS:
            raise SimulationError(f"attribute {self.name}: mode {self.mode:o} has more than permissions")


@attrs.frozen(eq=False)
class Attached:
    """An attribute that a device has: whose code it is."""

    attribute: DeviceAttribute
    module: LoadedModule | None
    resource: Resource | None = None
