"""The memory devices: null, zero, full, random, urandom and kmsg (drivers/char/mem.c)."""

from __future__ import annotations

from typing import Final

import attrs

from simkernel.kernel.device.device import NodeAccess
from simkernel.kernel.mm.address_space import private_memory
from simkernel.kernel.parts import KernelParts
from simkernel.kernel.pseudofs.kmsg import KMSG, kernel_of
from simkernel.kernel.vfs.char_file import CharDeviceFile, FileOperations
from simkernel.uapi.errno import EINVAL, ENOSPC, os_error
from simkernel.uapi.poll import POLLIN, POLLRDNORM

MAJOR: Final = 1
"""The major number of the memory devices (MEM_MAJOR)."""


def _read_zeros(file: CharDeviceFile, size: int, position: int) -> bytes:
    return bytes(size)


def _write_nothing(file: CharDeviceFile, data: bytes, position: int) -> int:
    return len(data)


def _write_full(file: CharDeviceFile, data: bytes, position: int) -> int:
    raise os_error(ENOSPC)


def _seek_nowhere(file: CharDeviceFile, offset: int, whence: int) -> int:
    file.position = 0
    return 0


def _random_ioctl(file: CharDeviceFile, request: int, argument: int) -> int:
    raise os_error(EINVAL)  # `random_ioctl()` returns EINVAL for an unknown request


NULL: Final = FileOperations(
    read=lambda file, size, position: b"", write=_write_nothing, llseek=_seek_nowhere, keeps_position=True
)
ZERO: Final = FileOperations(
    read=_read_zeros, write=_write_nothing, llseek=_seek_nowhere, keeps_position=True,
    mmap=lambda file, area: area.map(private_memory(area.length)),
)  # fmt: skip
FULL: Final = FileOperations(read=_read_zeros, write=_write_full, llseek=_seek_nowhere, keeps_position=True)
RANDOM: Final = FileOperations(
    read=lambda file, size, position: kernel_of(file).engine.rng("urandom").randbytes(size),
    write=_write_nothing, ioctl=_random_ioctl, llseek=_seek_nowhere, keeps_position=True,
)  # fmt: skip
BLOCKING_RANDOM: Final = attrs.evolve(RANDOM, poll=lambda file, table: POLLIN | POLLRDNORM)
"""Operations of /dev/random. The file is always readable, because the generator is seeded
(`random_poll()`).
"""

DEVICES: Final = (
    (3, "null", NULL, NodeAccess(0o666)),
    (5, "zero", ZERO, NodeAccess(0o666)),
    (7, "full", FULL, NodeAccess(0o666)),
    (8, "random", BLOCKING_RANDOM, NodeAccess(0o666)),
    (9, "urandom", RANDOM, NodeAccess(0o666)),
    (11, "kmsg", KMSG, NodeAccess(0o644)),
)
"""Minor number, name, operations and mode of each memory device (`devlist`)."""

_ACCESS: Final = {name: access for _, name, _, access in DEVICES}


def register(kernel: KernelParts) -> None:
    """Register the memory devices. No uevents are emitted, because Linux creates these devices before any
    program can listen for uevents.
    """
    devices = kernel.char_devices
    devices.register_region(None, MAJOR, 0, 256, "mem")
    kind = kernel.devices.builtin_class("mem", lambda device: _ACCESS[device.name])
    for minor, name, operations, _ in DEVICES:
        devices.add(devices.cdev(None, operations, kernel), (MAJOR, minor))
        kernel.devices.builtin_device(kind, name, (MAJOR, minor))
