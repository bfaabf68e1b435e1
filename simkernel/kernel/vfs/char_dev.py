"""Character devices: device numbers and their drivers (fs/char_dev.c).

A driver reserves a region of numbers and adds a `Cdev` with its `FileOperations`.  open(2) of a node with
such a number creates a `CharDeviceFile` (char_file.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs

from simkernel.kernel.lib.log import Log
from simkernel.kernel.module.module import LoadedModule
from simkernel.kernel.module.resources import Resource, Resources
from simkernel.kernel.vfs.char_file import Cdev, CharDevContext, CharDeviceFile, FileOperations
from simkernel.kernel.vfs.file import OpenFile
from simkernel.kernel.vfs.inode import Inode
from simkernel.uapi.errno import EBUSY, EINVAL, ENXIO, os_error

MINORS: Final = 1 << 20
"""Number of minor numbers for each major number (1 << MINORBITS)."""
MAJORS: Final = 512
"""Number of major numbers (CHRDEV_MAJOR_MAX)."""
DYNAMIC: Final = (*range(254, 233, -1), *range(511, 383, -1))
"""Major numbers that can be allocated dynamically, in the order in which the kernel tries them
(`find_dynamic_major()`).
"""


@attrs.define(eq=False)
class Region:
    """A reserved range of device numbers: `count` minors from `minor` on (`struct char_device_struct`)."""

    major: int
    minor: int
    count: int
    name: str
    resource: Resource | None = None


@attrs.define(eq=False, repr=False)
class CharDevices:
    """The character devices of a machine: reserved numbers and registered `Cdev`s."""

    _context: CharDevContext
    _log: Log
    _resources: Resources
    _regions: list[Region] = attrs.field(factory=list)
    _cdevs: list[Cdev] = attrs.field(factory=list)

    @property
    def regions(self) -> list[Region]:
        """The reserved regions in the order of their numbers (/proc/devices)."""
        return sorted(self._regions, key=lambda each: (each.major, each.minor))

    # -- numbers --------------------------------------------------------------

    def register_region(
        self, module: LoadedModule | None, major: int, minor: int, count: int, name: str
    ) -> Region:
        """Reserve device numbers (`__register_chrdev_region()`).  Major 0 selects a free major.

        Raises EBUSY if a number is in use or no major is free, EINVAL for out-of-range numbers.
        """
        if not 0 <= major < MAJORS:
            self._log.err(
                f'CHRDEV "{name}" major requested ({major}) is greater than the maximum ({MAJORS - 1})'
            )
            raise os_error(EINVAL)
        if not 0 <= minor < MINORS or not 0 < count <= MINORS - minor:
            self._log.err(
                f'CHRDEV "{name}" minor range requested ({minor}-{minor + count - 1}) is out of range of '
                f"maximum range (0-{MINORS - 1}) for a single major"
            )
            raise os_error(EINVAL)
        if major == 0:
            taken = {region.major for region in self._regions}
            free = next((each for each in DYNAMIC if each not in taken), None)
            if free is None:
                raise os_error(EBUSY)
            major = free
        region = Region(major, minor, count, name)
        for other in self._regions:
            if other.major == major and other.minor < minor + count and minor < other.minor + other.count:
                raise os_error(EBUSY)
        self._resources.allocate(module, "chrdev region")
        region.resource = self._track(
            module, "chrdev region", f"{major}:{minor} ({name})", lambda: self.unregister_region(region)
        )
        self._regions.append(region)
        return region

    def unregister_region(self, region: Region) -> None:
        """Release a region of numbers.  A second call has no effect."""
        if region in self._regions:
            self._regions.remove(region)
            if region.resource is not None:
                self._resources.remove(region.resource)

    def cdev(self, module: LoadedModule | None, operations: FileOperations, data: Any = None) -> Cdev:
        """Return a new device without a number (`cdev_init()`)."""
        return Cdev(self._context, module, operations, data)

    def add(self, cdev: Cdev, number: tuple[int, int], count: int = 1) -> None:
        """Register `cdev` for `count` minors from `number` on (`cdev_add()`).

        Programs can open the device at once.
        """
        self._resources.allocate(cdev.module, "cdev")
        cdev.number = number
        cdev.count = count
        name = f"{number[0]}:{number[1]}"
        cdev.resource = self._track(cdev.module, "cdev", name, lambda: self.delete(cdev))
        self._cdevs.append(cdev)

    def delete(self, cdev: Cdev) -> None:
        """Unregister `cdev`, so that it cannot be opened again (`cdev_del()`).

        Open files of the device stay usable.  A second call of `delete` has no effect.
        """
        if cdev in self._cdevs:
            self._cdevs.remove(cdev)
        if cdev.resource is not None:
            self._resources.remove(cdev.resource)

    def find(self, major: int, minor: int) -> Cdev:
        """Return the device with this number, or raise ENXIO (`kobj_lookup()`).

        If ranges overlap, the device with the smallest range is returned.
        """
        serving = [
            cdev
            for cdev in self._cdevs
            if cdev.number[0] == major and cdev.number[1] <= minor < cdev.number[1] + cdev.count
        ]
        if not serving:
            raise os_error(ENXIO)
        return min(serving, key=lambda cdev: cdev.count)

    def _track(
        self, module: LoadedModule | None, kind: str, name: str, release: Callable[[], None]
    ) -> Resource | None:
        """Record that `module` has registered an object, so that the kernel finds an object that is never
        unregistered. If `module` is None, the kernel itself has registered the object, and nothing is
        recorded.
        """
        return None if module is None else self._resources.add(module, kind, name, release)

    # -- opening ----------------------------------------------------------------

    def open(
        self, inode: Inode, major: int, minor: int, file: OpenFile
    ) -> CharDeviceFile | Awaitable[CharDeviceFile]:
        """Open a node with a device number: return the file, or an awaitable that gives it
        (`chrdev_open()`).
        """
        cdev = self.find(major, minor)
        if cdev.module is not None and not cdev.module.try_get():
            raise os_error(ENXIO)
        device_file = CharDeviceFile(cdev, inode, (major, minor), file)
        if cdev.operations.open is None:
            return device_file
        try:
            self._resources.allocate(cdev.module, "open file")
            pending = device_file.call("open")
        except BaseException:
            device_file.put_module()
            raise
        return self._opened(device_file, pending) if isinstance(pending, Awaitable) else device_file

    @staticmethod
    async def _opened(device_file: CharDeviceFile, pending: Awaitable[None]) -> CharDeviceFile:
        try:
            await pending
        except BaseException:
            device_file.put_module()
            raise
        return device_file
