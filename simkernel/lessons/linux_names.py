"""Linux's numbers for student code on another host.

WebAssembly has other numbers for errors (EINVAL is 28), and its `socket` has no AF_NETLINK.  simkernel itself
uses the numbers of `simkernel.uapi` on every host.  The class that `OSError(number)` chooses stays the
host's, since CPython's table is in C; `simkernel.uapi.errno.os_error` chooses as on Linux.
"""

from __future__ import annotations

import errno
import os
import socket
from types import ModuleType
from typing import Final

from simkernel.uapi import errno as linux
from simkernel.uapi import socket as sockets

_ALIASES: Final = {"EWOULDBLOCK", "EDEADLOCK", "ENOTSUP"}
_SOCKET: Final = ("AF_", "SO_", "SOL_", "SOCK_", "MSG_")


def lend() -> None:
    """Set Linux's numbers and texts in `errno`, `os` and `socket` of this Python."""
    numbers = _numbers(linux, ("E",))
    names = {number: name for name, number in numbers.items() if name not in _ALIASES}
    vars(errno).update(numbers, errorcode=names)
    os.strerror = linux.strerror
    vars(socket).update(_numbers(sockets, _SOCKET))


def _numbers(module: ModuleType, prefixes: tuple[str, ...]) -> dict[str, int]:
    found = {
        name: value for name, value in vars(module).items() if name.startswith(prefixes) and name.isupper()
    }
    return {name: int(value) for name, value in found.items() if isinstance(value, int)}
