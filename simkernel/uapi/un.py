"""Addresses of unix sockets: struct sockaddr_un, in the form of Python's socket module.

A path name is a str.  An abstract name is bytes that begin with a NUL.  An unnamed socket has the address
"". Source: include/uapi/linux/un.h, unix(7).
"""

from __future__ import annotations

from typing import Final

from simkernel.uapi.socket import AF_UNIX
from simkernel.uapi.structure import U16

UNIX_PATH_MAX: Final = 108
SOCKADDR_UN_SIZE: Final = U16.size + UNIX_PATH_MAX

UnixAddress = str | bytes


def encode_sockaddr_un(path: bytes) -> bytes:
    """Return the bytes of the address for bind().  A path name ends with a NUL, an abstract name does not."""
    return U16.pack(AF_UNIX) + path + (b"\0" if path and not path.startswith(b"\0") else b"")


def decode_sockaddr_un(address: bytes) -> UnixAddress:
    """Convert a struct sockaddr_un to the address that Python's socket module returns (`makesockaddr()` of
    Modules/socketmodule.c).
    """
    path = address[U16.size :]
    if path.startswith(b"\0"):
        return path
    return path.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
