"""include/linux/uaccess.h: the memory of the program that made the call.

A program's pointer is an int.  It is good in the calls of `FileOperations` only, and of the calling
program only; what is copied is charged.
"""

from __future__ import annotations

from struct import Struct

from simkernel.engine import SimulationError
from simkernel.kernel.mm.uaccess import UserMemory
from simkernel.kernel.vfs.char_file import CharDeviceFile


def copy_from_user(file: CharDeviceFile, address: int, size: int) -> bytes:
    """`size` bytes at `address`.  EFAULT where the program may not read all of them."""
    data = _memory(file).read(address, size)
    file.charge_copy(size)
    return data


def copy_to_user(file: CharDeviceFile, address: int, data: bytes) -> None:
    """Write at `address`.  EFAULT where the program may not write all of it."""
    _memory(file).write(address, data)
    file.charge_copy(len(data))


def get_user(file: CharDeviceFile, address: int, layout: Struct) -> int:
    """One number, laid out as `layout` (`uapi.structure.U32`, say)."""
    value: int = layout.unpack(copy_from_user(file, address, layout.size))[0]
    return value


def put_user(file: CharDeviceFile, address: int, layout: Struct, value: int) -> None:
    """Write one number."""
    copy_to_user(file, address, layout.pack(value))


def _memory(file: CharDeviceFile) -> UserMemory:
    task = file.current()
    if task is None:
        raise SimulationError("an interrupt or a timer has no program's memory: copy in the call itself")
    return task.mm
