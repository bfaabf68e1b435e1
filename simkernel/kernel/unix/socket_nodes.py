"""Path names of unix sockets: socket nodes in the file system (net/unix/af_unix.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from simkernel.kernel.unix.socket import UnixSocket
from simkernel.kernel.vfs import change
from simkernel.kernel.vfs.filesystem import FileSystems
from simkernel.kernel.vfs.inode import Inode
from simkernel.kernel.vfs.permission import MAY_WRITE, check
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.errno import EADDRINUSE, ECONNREFUSED, EEXIST, EINVAL, EPROTOTYPE, os_error
from simkernel.uapi.stat import S_IFSOCK

MODE: Final = S_IFSOCK | 0o777
"""File type and mode of a socket node. The umask applies to the mode."""


class SocketNodes:
    """The nodes to which sockets are bound.  A node stays when its socket is closed.

    `fs` returns the directory tree, which is created at its first use.
    """

    def __init__(self, fs: Callable[[], FileSystems]) -> None:
        self._fs = fs
        self._sockets: dict[Inode, UnixSocket] = {}
        self._nodes: dict[UnixSocket, Inode] = {}

    def bind(self, task: Task, path: str, sock: UnixSocket) -> None:
        """Create a node for `sock` (`unix_bind_bsd()`).

        Raises EADDRINUSE if the name exists. Raises EINVAL, after removing the node, if the socket has a
        name.
        """
        walk = self._fs().walk(task, path)
        try:
            node = change.make_node(task, walk, path, MODE, 0)
        except OSError as error:
            if error.errno == EEXIST:
                raise os_error(EADDRINUSE) from None
            raise
        if sock.name is not None:
            walk.here.inode.unlink(walk.here, node)
            raise os_error(EINVAL)
        self._sockets[node.inode] = sock
        self._nodes[sock] = node.inode

    def find(self, task: Task, path: str, kind: int) -> UnixSocket:
        """Return the socket bound to `path`. The caller needs write permission for the socket's node
        (`unix_find_bsd()`).

        Raises ECONNREFUSED if no socket is bound to it, EPROTOTYPE if its type is different.
        """
        inode = self._fs().lookup(task, path).inode
        check(task.credentials, inode, MAY_WRITE)
        sock = self._sockets.get(inode)
        if sock is None:
            raise os_error(ECONNREFUSED)
        if sock.type != kind:
            raise os_error(EPROTOTYPE)
        inode.touch_atime()
        return sock

    def forget(self, sock: UnixSocket) -> None:
        """Remove a closed socket from the table of nodes. Do nothing for a socket without a node."""
        inode = self._nodes.pop(sock, None)
        if inode is not None:
            del self._sockets[inode]
