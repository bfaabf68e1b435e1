"""Composition of ioctl numbers.  Source: include/uapi/asm-generic/ioctl.h.

A request has 32 bits: the direction (2), the size of the argument in bytes (14), the type, which is mostly
a letter for the driver (8), and a number (8).  "Read" means that the program reads, so the kernel writes
the argument.

    EVIOCGID = _IOR("E", 0x02, InputId.SIZE)

The names are those of the C macros.  The size replaces the C type.
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
    """Return the number of an ioctl request, composed of direction, type, number and size.

    `type` is a letter, or a number below 256.  Raise ValueError if the size does not fit.
    """
    if not 0 <= size <= _IOC_SIZEMASK:
        raise ValueError(f"size {size} of an ioctl argument: use at most {_IOC_SIZEMASK} bytes")
    letter = ord(type) if isinstance(type, str) else type
    return (
        direction << _IOC_DIRSHIFT
        | letter << _IOC_TYPESHIFT
        | number << _IOC_NRSHIFT
        | size << _IOC_SIZESHIFT
    )


def _IO(type: str | int, number: int) -> int:
    """Return an ioctl request that has no argument, or whose argument is a number and not an address."""
    return _IOC(_IOC_NONE, type, number, 0)


def _IOR(type: str | int, number: int, size: int) -> int:
    """Return an ioctl request whose argument is the address of a structure. The kernel writes the
    structure.
    """
    return _IOC(_IOC_READ, type, number, size)


def _IOW(type: str | int, number: int, size: int) -> int:
    """Return an ioctl request whose argument is the address of a structure. The kernel reads the
    structure.
    """
    return _IOC(_IOC_WRITE, type, number, size)


def _IOWR(type: str | int, number: int, size: int) -> int:
    """Return an ioctl request whose argument is the address of a structure. The kernel reads and writes the
    structure.
    """
    return _IOC(_IOC_READ | _IOC_WRITE, type, number, size)


def _IOC_DIR(request: int) -> int:
    """Return the direction of a request: _IOC_NONE, or the bits _IOC_READ and _IOC_WRITE."""
    return request >> _IOC_DIRSHIFT & _IOC_DIRMASK


def _IOC_TYPE(request: int) -> int:
    """Return the type of a request as a number."""
    return request >> _IOC_TYPESHIFT & _IOC_TYPEMASK


def _IOC_NR(request: int) -> int:
    """Return the number of a request within its type."""
    return request >> _IOC_NRSHIFT & _IOC_NRMASK


def _IOC_SIZE(request: int) -> int:
    """Return the size of a request's argument in bytes."""
    return request >> _IOC_SIZESHIFT & _IOC_SIZEMASK
