"""How the number of an ioctl is made and read.  Source: include/uapi/asm-generic/ioctl.h.

A request is 32 bits: which way the argument goes (2), how many bytes it has (14), whose request it is (8,
mostly a letter), and which one (8).  "Read" means that the program reads, so that the kernel writes.

    EVIOCGID = _IOR("E", 0x02, InputId.SIZE)

The names are those of the C macros; a size stands in place of C's type.
"""

# ruff: noqa: N802 - the names of C's macros

from __future__ import annotations

from typing import Final

_IOC_NRBITS: Final = 8
_IOC_TYPEBITS: Final = 8
_IOC_SIZEBITS: Final = 14
_IOC_DIRBITS: Final = 2

_IOC_NRSHIFT: Final = 0
_IOC_TYPESHIFT: Final = _IOC_NRSHIFT + _IOC_NRBITS
_IOC_SIZESHIFT: Final = _IOC_TYPESHIFT + _IOC_TYPEBITS
_IOC_DIRSHIFT: Final = _IOC_SIZESHIFT + _IOC_SIZEBITS

_IOC_NRMASK: Final = (1 << _IOC_NRBITS) - 1
_IOC_TYPEMASK: Final = (1 << _IOC_TYPEBITS) - 1
_IOC_SIZEMASK: Final = (1 << _IOC_SIZEBITS) - 1
_IOC_DIRMASK: Final = (1 << _IOC_DIRBITS) - 1

_IOC_NONE: Final = 0
_IOC_WRITE: Final = 1
_IOC_READ: Final = 2


def _IOC(direction: int, type: str | int, number: int, size: int) -> int:
    """A request; `type` is its letter, or a number below 256.  Raises ValueError for more bytes than fit."""
    if not 0 <= size <= _IOC_SIZEMASK:
        raise ValueError(f"the argument of an ioctl has at most {_IOC_SIZEMASK} bytes, not {size}")
    letter = ord(type) if isinstance(type, str) else type
    return (
        direction << _IOC_DIRSHIFT
        | letter << _IOC_TYPESHIFT
        | number << _IOC_NRSHIFT
        | size << _IOC_SIZESHIFT
    )


def _IO(type: str | int, number: int) -> int:
    """A request without an argument, or whose argument is no address."""
    return _IOC(_IOC_NONE, type, number, 0)


def _IOR(type: str | int, number: int, size: int) -> int:
    """A request whose argument the kernel fills in."""
    return _IOC(_IOC_READ, type, number, size)


def _IOW(type: str | int, number: int, size: int) -> int:
    """A request whose argument the kernel reads."""
    return _IOC(_IOC_WRITE, type, number, size)


def _IOWR(type: str | int, number: int, size: int) -> int:
    """A request whose argument the kernel reads and fills in."""
    return _IOC(_IOC_READ | _IOC_WRITE, type, number, size)


def _IOC_DIR(request: int) -> int:
    """Which way the argument goes: _IOC_NONE, or _IOC_READ and _IOC_WRITE."""
    return request >> _IOC_DIRSHIFT & _IOC_DIRMASK


def _IOC_TYPE(request: int) -> int:
    """Whose request it is, as a number."""
    return request >> _IOC_TYPESHIFT & _IOC_TYPEMASK


def _IOC_NR(request: int) -> int:
    """Which request it is."""
    return request >> _IOC_NRSHIFT & _IOC_NRMASK


def _IOC_SIZE(request: int) -> int:
    """How many bytes the argument has."""
    return request >> _IOC_SIZESHIFT & _IOC_SIZEMASK
