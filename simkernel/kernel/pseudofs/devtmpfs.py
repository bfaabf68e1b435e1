"""devtmpfs: a tmpfs whose nodes the driver core makes and takes away (drivers/base/devtmpfs.c).

Programs may change what lies there as in any tmpfs; a node that a program has put in place of the
kernel's is not taken away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simkernel.kernel.vfs.dentry import Dentry
from simkernel.kernel.vfs.inode import Owner
from simkernel.kernel.vfs.tmpfs import Tmpfs, TmpfsDirectory
from simkernel.uapi import stat

if TYPE_CHECKING:
    from simkernel.kernel.device.device import Device
    from simkernel.kernel.kernel import Kernel
    from simkernel.kernel.vfs.inode import Inode

DEFAULT_MODE: Final = 0o600
"""Of a node whose class does not say (`devtmpfs_submit_req()`)."""
FOLDER: Final = Owner(0, 0, 0o755)


class Devtmpfs(Tmpfs):
    """The file system at /dev."""

    __slots__ = ("_folders", "_nodes")

    def __init__(self, kernel: Kernel, device: int) -> None:
        super().__init__(kernel, device, 0o755, "devtmpfs")
        self._nodes: dict[Device, Inode] = {}
        self._folders: set[Inode] = set()
        for each in kernel.devices:
            self.changed(each, True)
        kernel.devices.on_node = self.changed

    def changed(self, device: Device, there: bool) -> None:
        """A device with a number has come, or goes."""
        if device.node:
            (self._create if there else self._delete)(device)

    def _create(self, device: Device) -> None:
        """`handle_create()`; a name that is taken stays what it is."""
        *folders, name = device.node.split("/")
        here = self.root
        for folder in folders:
            here = self._child(here, folder) or self._make_folder(here, folder)
        if not isinstance(here.inode, TmpfsDirectory) or self._child(here, name) is not None:
            return
        access = device.node_access
        owner = Owner(access.uid, access.gid, stat.S_IFCHR | (access.mode or DEFAULT_MODE))
        dentry = here.inode.mknod(here, name, owner, stat.makedev(*device.number))
        self._nodes[device] = dentry.inode

    def _delete(self, device: Device) -> None:
        """`handle_remove()`; directories that were made for it go when they are empty (`delete_path()`)."""
        inode = self._nodes.pop(device, None)
        here: Dentry | None = self.root
        chain = []
        for name in device.node.split("/"):
            here = None if here is None else self._child(here, name)
            if here is None:
                return
            chain.append(here)
        victim = chain.pop()
        if victim.inode is not inode or victim.parent is None:
            return
        victim.parent.inode.unlink(victim.parent, victim)
        for folder in reversed(chain):
            if folder.inode not in self._folders or not _is_empty(folder.inode):
                return
            assert folder.parent is not None
            self._folders.discard(folder.inode)
            folder.parent.inode.rmdir(folder.parent, folder)

    def _make_folder(self, here: Dentry, name: str) -> Dentry:
        made = here.inode.mkdir(here, name, FOLDER)
        self._folders.add(made.inode)
        return made

    def _child(self, here: Dentry, name: str) -> Dentry | None:
        inode = here.inode
        return inode.child(name) if isinstance(inode, TmpfsDirectory) else None


def _is_empty(inode: Inode) -> bool:
    return isinstance(inode, TmpfsDirectory) and inode.is_empty
