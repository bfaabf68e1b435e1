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
"""Function that takes the device and returns the text of the attribute's file: at most one page, newline
included.
"""
StoreAttribute = Callable[[Any, bytes], "int | Awaitable[int | None] | None"]
"""A function that takes the device and the bytes that a program has written to the attribute's file. It
returns how many bytes it used; None means all bytes.
"""


@attrs.frozen
class DeviceAttribute:
    """A file of a device in /sys.  `show` returns the file's text; `store` gets the bytes that a program
    writes to the file.

    If the name is `group/name`, the file is in a subdirectory `group` of the device's directory
    (`attribute_group`).
    """

    name: str
    show: Show | None = None
    store: StoreAttribute | None = None
    mode: int = attrs.field(kw_only=True)

    @mode.default
    def _default_mode(self) -> int:
        """Return the default mode of the file, as DEVICE_ATTR_RO, DEVICE_ATTR_WO or DEVICE_ATTR_RW sets
        it.
        """
        return (0o444 if self.show else 0) | (0o200 if self.store else 0)

    def __attrs_post_init__(self) -> None:
        if not all(self.name.split("/")) or self.name.count("/") > 1:
            raise SimulationError(f"{self.name!r} is not an attribute name: use a file name, or 'group/name'")
        if self.mode & ~PERMISSIONS:
            raise SimulationError(
                f"attribute {self.name}: mode {self.mode:o} is not a permission mode: use 0 to 777"
            )


@attrs.frozen(eq=False)
class Attached:
    """An attribute file that a module has added to a device."""

    attribute: DeviceAttribute
    module: LoadedModule | None
    resource: Resource | None = None
