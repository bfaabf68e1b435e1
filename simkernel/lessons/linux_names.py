"""Linux's errno and socket constants, for a student's Python code on a host that is not Linux.

WebAssembly has other errno values (EINVAL is 28), and its `socket` has no AF_NETLINK. simkernel itself
uses the values of `simkernel.uapi` on every host. `OSError(number)` still chooses its class by the host's
table, which is in C. `simkernel.uapi.errno.os_error` chooses it by Linux's.
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
    """Set Linux's values and texts in the modules `errno`, `os` and `socket` of this interpreter."""
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
