"""`fcntl` of a hosted program (Modules/fcntlmodule.c)."""

from __future__ import annotations

import fcntl as real
from types import ModuleType
from typing import Any, Final

from simkernel.hosted.calls import SystemCalls, descriptor, module

SMALL: Final = 1024
"""Bytes that may be given as they are, and come back changed."""


class Fcntl:
    """The functions of the module."""

    def __init__(self, call: SystemCalls) -> None:
        self._call = call

    def fcntl(self, fd: Any, cmd: int, arg: Any = 0, /) -> Any:
        """fcntl(2) with a number, or with bytes, which come back as the kernel leaves them."""
        if isinstance(arg, int):
            return self._call("fcntl", descriptor(fd), cmd, arg)
        room = _copied(arg, "fcntl")
        self._call("fcntl", descriptor(fd), cmd, memoryview(room))
        return bytes(room)

    def ioctl(self, fd: Any, request: int, arg: Any = 0, mutate_flag: bool = True, /) -> Any:
        """ioctl(2) with a number, with bytes, which come back changed, or a buffer, changed in place."""
        number = request & 0xFFFFFFFF
        if isinstance(arg, int):
            return self._call("ioctl", descriptor(fd), number, int(arg))
        if not isinstance(arg, str | bytes) and mutate_flag and not (view := memoryview(arg)).readonly:
            return self._call("ioctl", descriptor(fd), number, view.cast("B"))
        room = _copied(arg, "ioctl")
        self._call("ioctl", descriptor(fd), number, memoryview(room))
        return bytes(room)


def _copied(argument: Any, call: str) -> bytearray:
    data = argument.encode() if isinstance(argument, str) else memoryview(argument)
    room = bytearray(data)
    if len(room) > SMALL:
        raise ValueError(f"{call} argument 3 is too long")
    return room


def fcntl_module(call: SystemCalls) -> ModuleType:
    """`fcntl` for one process."""
    return module(real, Fcntl(call))
