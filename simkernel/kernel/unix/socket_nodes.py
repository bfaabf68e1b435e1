"""Path names of unix sockets: nodes in the tree, and which socket each stands for (net/unix/af_unix.c)."""

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
"""Of a node, less the umask."""


class SocketNodes:
    """The nodes that sockets are bound to.  A node outlives its socket.

    `fs` returns the tree of paths, which is made at its first use.
    """

    def __init__(self, fs: Callable[[], FileSystems]) -> None:
        self._fs = fs
        self._sockets: dict[Inode, UnixSocket] = {}
        self._nodes: dict[UnixSocket, Inode] = {}

    def bind(self, task: Task, path: str, sock: UnixSocket) -> None:
        """Make the node, and let it be `sock` (`unix_bind_bsd()`).

        EADDRINUSE if there is such a name; EINVAL if the socket has one, and the node is gone again.
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
        """The socket behind `path`, which one must be allowed to write to (`unix_find_bsd()`).

        ECONNREFUSED if it is nobody's, or no socket; EPROTOTYPE if it is of another type.
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
        """It is closed.  Harmless for one that has no node."""
        inode = self._nodes.pop(sock, None)
        if inode is not None:
            del self._sockets[inode]
