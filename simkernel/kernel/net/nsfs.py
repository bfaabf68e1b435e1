"""nsfs: the files of network namespaces (fs/nsfs.c). A program opens them by /proc/PID/ns/net."""

from __future__ import annotations

from typing import Final

from simkernel.kernel.net.namespace import Net
from simkernel.kernel.vfs.anon_inode import AnonDentry
from simkernel.kernel.vfs.file import FileObject, OpenableInode, OpenFile
from simkernel.kernel.vfs.inode import Inode
from simkernel.kernel.vfs.superblock import SuperBlock
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import stat
from simkernel.uapi.errno import EINVAL, ENOTTY, EPERM, os_error
from simkernel.uapi.sched import CLONE_NEWNET

NSFS: Final = stat.makedev(0, 4)
NS_GET_NSTYPE: Final = 0xB703


def dentry(net: Net, filesystem: SuperBlock) -> AnonDentry:
    """Return the dentry of a namespace (`ns_get_path()`). The timestamps of its inode are read from the clock
    of `filesystem`.
    """
    return AnonDentry(NsInode(net, SuperBlock("nsfs", NSFS, filesystem.now)), name(net))


def name(net: Net) -> str:
    """Return the target of the symbolic link to a namespace (`ns_get_name()`)."""
    return f"net:[{net.number}]"


def net_by_fd(task: Task, fd: int) -> Net:
    """Return the namespace of a file descriptor (`get_net_ns_by_fd()`).

    Raises EBADF if the descriptor is closed, EINVAL if it is not a namespace's.
    """
    file = task.files.get(fd).object
    if not isinstance(file, NsFile):
        raise os_error(EINVAL)
    return file.net


class NsInode(OpenableInode):
    """Inode of a namespace. It is immutable: changing it or opening it for writing raises EPERM."""

    __slots__ = ("net",)

    def __init__(self, net: Net, superblock: SuperBlock) -> None:
        super().__init__(superblock, net.number, stat.S_IFREG | 0o444)
        self.net = net

    def open(self, task: Task, file: OpenFile) -> FileObject:
        if file.writable:
            raise os_error(EPERM)
        return NsFile(self)

    def hold(self) -> None:
        self.net.get()

    def put(self) -> None:
        self.net.put()

    def truncate(self, size: int) -> None:
        raise os_error(EPERM)

    def set_attributes(self, mode: int | None = None, uid: int | None = None, gid: int | None = None) -> None:
        raise os_error(EPERM)


class NsFile(FileObject):
    """An open file of a namespace, which holds a reference to the namespace."""

    __slots__ = ("_inode", "net")

    def __init__(self, inode: NsInode) -> None:
        self._inode = inode
        self.net = inode.net.get()

    @property
    def inode(self) -> Inode:
        return self._inode

    def ioctl(self, task: Task, file: OpenFile, request: int, argument: int) -> int:
        """Return the type of the namespace (NS_GET_NSTYPE, `ns_ioctl()`). Raises ENOTTY for other
        requests.
        """
        if request != NS_GET_NSTYPE:
            raise os_error(ENOTTY)
        return CLONE_NEWNET

    def release(self) -> None:
        self.net.put()
