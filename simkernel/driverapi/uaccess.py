"""include/linux/uaccess.h: access to the memory of the calling program.

A program's pointer is an int. It is valid only in the functions of `FileOperations`, and only in the
calling program. The cost of a copy is charged to the call.
"""

from __future__ import annotations

from struct import Struct

from simkernel.engine import SimulationError
from simkernel.kernel.mm.uaccess import UserMemory
from simkernel.kernel.vfs.char_file import CharDeviceFile


def copy_from_user(file: CharDeviceFile, address: int, size: int) -> bytes:
    """Return `size` bytes at `address`. Raise EFAULT if the program cannot read all of them."""
    data = _memory(file).read(address, size)
    file.charge_copy(size)
    return data


def copy_to_user(file: CharDeviceFile, address: int, data: bytes) -> None:
    """Write `data` at `address`. Raise EFAULT if the program cannot write all of it."""
    _memory(file).write(address, data)
    file.charge_copy(len(data))


def get_user(file: CharDeviceFile, address: int, layout: Struct) -> int:
    """Return the number at `address` in the program's memory. `layout` is its encoding, for example
    `uapi.structure.U32`.
    """
    value: int = layout.unpack(copy_from_user(file, address, layout.size))[0]
    return value


def put_user(file: CharDeviceFile, address: int, layout: Struct, value: int) -> None:
    """Write a number at `address` in the program's memory. `layout` is its encoding."""
    copy_to_user(file, address, layout.pack(value))


def _memory(file: CharDeviceFile) -> UserMemory:
    task = file.current()
    if task is None:
        raise SimulationError(
            "no program is calling the driver, so there is no memory of a program to copy: "
            "copy only in a function of FileOperations"
        )
    return task.mm
