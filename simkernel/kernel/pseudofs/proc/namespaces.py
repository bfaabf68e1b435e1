"""/proc/PID/ns: links to the namespaces of a task (fs/proc/namespaces.c).

Only the network namespace is modelled.
"""

from __future__ import annotations

from simkernel.kernel.net import nsfs
from simkernel.kernel.net.namespace import Net, net_of
from simkernel.kernel.pseudofs.proc.entry import ProcDirectory, ProcFs, ProcInode, check_access
from simkernel.kernel.vfs.inode import Dentry
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import stat
from simkernel.uapi.errno import ENOENT, os_error


class NsLink(ProcInode):
    """A link in /proc/PID/ns. Following it leads to the namespace itself and not to a path.

    Raises EACCES if the task may not trace the owner, ENOENT if the owner has exited.
    """

    __slots__ = ("_owner",)

    def __init__(self, fs: ProcFs, path: str, owner: Task) -> None:
        super().__init__(fs, path, stat.S_IFLNK | 0o777, owner)
        self._owner = owner

    def _net(self, task: Task) -> Net:
        check_access(task, self._owner)
        if not self._owner.alive:
            raise os_error(ENOENT)
        return net_of(self._owner)

    def readlink(self, task: Task) -> str:
        return nsfs.name(self._net(task))

    def follow(self, task: Task) -> Dentry:
        return nsfs.dentry(self._net(task), self.fs)


def directory(fs: ProcFs, path: str, owner: Task) -> ProcDirectory:
    """Return the directory `ns` of a task.  Only the task's user may list it."""
    return ProcDirectory(fs, path, {"net": lambda fs, path: NsLink(fs, path, owner)}, owner, 0o511)
