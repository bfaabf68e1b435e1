"""A child process for a case that runs on the host's kernel. It receives method calls through a pipe and
executes them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW

WORLD = 0
"""Index of the child's world object in requests to the child. Higher indices are sockets that the child has
opened.
"""


class RemoteSocket:
    """A socket of another process. Each method is called in that process."""

    def __init__(self, connection: Connection, number: int) -> None:
        self._connection = connection
        self._number = number

    def __getattr__(self, method: str) -> Callable[..., Any]:
        return lambda *arguments: _ask(self._connection, self._number, method, arguments)


class RemoteProcess:
    """A child process that opens sockets on request."""

    def __init__(self, connection: Connection, privileged: bool) -> None:
        self._connection = connection
        self.privileged = privileged

    def socket(self, family: int = AF_NETLINK, type: int = SOCK_RAW, proto: int = 0) -> Any:
        """Create a socket in the child, like `socket.socket(family, type, proto)`."""
        number = _ask(self._connection, WORLD, "socket", (family, type, proto))
        return RemoteSocket(self._connection, number)


def _ask(connection: Connection, number: int, method: str, arguments: tuple[Any, ...]) -> Any:
    connection.send((number, method, arguments))
    result, error = connection.recv()
    if error is not None:
        raise error
    return result


def start(make_world: Callable[[], Any]) -> RemoteProcess:
    """Fork a child process. The child calls `make_world()`, then executes the method calls that this process
    requests, until this process ends.
    """
    ours, theirs = Pipe()
    if os.fork() == 0:
        try:
            ours.close()
            _serve(theirs, make_world())
        finally:
            os._exit(0)
    theirs.close()
    return RemoteProcess(ours, ours.recv())


def _serve(connection: Connection, world: Any) -> None:
    connection.send(world.privileged)
    objects: list[Any] = [world]
    while True:
        try:
            number, method, arguments = connection.recv()
        except EOFError:
            return
        result, error = None, None
        try:
            result = getattr(objects[number], method)(*arguments)
        except OSError as raised:
            error = raised
        if number == WORLD and error is None:
            objects.append(result)
            result = len(objects) - 1
        connection.send((result, error))
