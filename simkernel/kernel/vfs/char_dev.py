"""Character devices: numbers, and who serves them (fs/char_dev.c).

A driver reserves a region of numbers and puts a `Cdev` with its `FileOperations` on it.  Whoever opens
a node with such a number gets a `CharDeviceFile` (char_file.py).
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
"""Minor numbers of a major (MINORBITS)."""
MAJORS: Final = 512
"""CHRDEV_MAJOR_MAX."""
DYNAMIC: Final = (*range(254, 233, -1), *range(511, 383, -1))
"""Majors that are given to who asks for any, in this order (`find_dynamic_major()`)."""


@attrs.define(eq=False)
class Region:
    """Numbers that are reserved: `count` minors from `minor` on (`struct char_device_struct`)."""

    major: int
    minor: int
    count: int
    name: str
    resource: Resource | None = None


@attrs.define(eq=False, repr=False)
class CharDevices:
    """The character devices of one machine.  Built-in ones are there from the beginning."""

    _context: CharDevContext
    _log: Log
    _resources: Resources
    _regions: list[Region] = attrs.field(factory=list)
    _cdevs: list[Cdev] = attrs.field(factory=list)

    @property
    def regions(self) -> list[Region]:
        """What is reserved, by number (/proc/devices)."""
        return sorted(self._regions, key=lambda each: (each.major, each.minor))

    # -- numbers --------------------------------------------------------------

    def register_region(
        self, module: LoadedModule | None, major: int, minor: int, count: int, name: str
    ) -> Region:
        """Reserve numbers (`__register_chrdev_region()`); major 0: any that is free.

        EBUSY if some are taken, or none is free.  EINVAL for numbers that there are not.
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
        """Give numbers back.  Harmless if that has been done."""
        if region in self._regions:
            self._regions.remove(region)
            if region.resource is not None:
                self._resources.remove(region.resource)

    def cdev(self, module: LoadedModule | None, operations: FileOperations, data: Any = None) -> Cdev:
        """Make a device that has no number yet (`cdev_init()`)."""
        return Cdev(self._context, module, operations, data)

    def add(self, cdev: Cdev, number: tuple[int, int], count: int = 1) -> None:
        """Let `cdev` serve `count` minors from `number` on (`cdev_add()`).  It is live at once."""
        self._resources.allocate(cdev.module, "cdev")
        cdev.number = number
        cdev.count = count
        name = f"{number[0]}:{number[1]}"
        cdev.resource = self._track(cdev.module, "cdev", name, lambda: self.delete(cdev))
        self._cdevs.append(cdev)

    def delete(self, cdev: Cdev) -> None:
        """Let nobody open it any more (`cdev_del()`); files that are open stay.  Harmless if it is gone."""
        if cdev in self._cdevs:
            self._cdevs.remove(cdev)
        if cdev.resource is not None:
            self._resources.remove(cdev.resource)

    def find(self, major: int, minor: int) -> Cdev:
        """What serves a number; of several the one with the fewest minors (`kobj_lookup()`).  ENXIO."""
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
        """Note what a module has registered; what is built in stays."""
        return None if module is None else self._resources.add(module, kind, name, release)

    # -- opening ----------------------------------------------------------------

    def open(
        self, inode: Inode, major: int, minor: int, file: OpenFile
    ) -> CharDeviceFile | Awaitable[CharDeviceFile]:
        """Open a node with a number (`chrdev_open()`): a CharDeviceFile, or an awaitable that gives one."""
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
