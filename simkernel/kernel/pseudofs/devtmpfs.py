"""devtmpfs: a tmpfs in which the driver core creates and removes device nodes (drivers/base/devtmpfs.c).

Programs may change the files in devtmpfs as in any tmpfs. If a program has replaced a node of the kernel,
the kernel does not remove the replacement.
"""

from __future__ import annotations

from typing import Final

from simkernel.kernel.device.core import DriverCore
from simkernel.kernel.device.device import Device
from simkernel.kernel.vfs.inode import Dentry, Inode, Owner
from simkernel.kernel.vfs.tmpfs import TmpfsDirectory
from simkernel.uapi import stat

DEFAULT_MODE: Final = 0o600
"""Mode of a node if the class of its device sets none (`devtmpfs_submit_req()`)."""
FOLDER: Final = Owner(0, 0, 0o755)


class Devtmpfs:
    """Creates a node in devtmpfs when a device with a major and a minor number is added, and removes the node
    when the device is removed.
    """

    def __init__(self, root: Dentry, devices: DriverCore) -> None:
        self._root = root
        self._nodes: dict[Device, Inode] = {}
        self._folders: set[Inode] = set()
        devices.watch_numbers(self)

    def added(self, device: Device) -> None:
        """Create a device's node (`handle_create()`). If a file already has the name of the node, do
        nothing.
        """
        *folders, name = device.node.split("/")
        here = self._root
        for folder in folders:
            here = self._child(here, folder) or self._make_folder(here, folder)
        if not isinstance(here.inode, TmpfsDirectory) or self._child(here, name) is not None:
            return
        access = device.node_access
        owner = Owner(access.uid, access.gid, stat.S_IFCHR | (access.mode or DEFAULT_MODE))
        dentry = here.inode.mknod(here, name, owner, stat.makedev(*device.number))
        self._nodes[device] = dentry.inode

    def removed(self, device: Device) -> None:
        """Remove a device's node (`handle_remove()`). Then remove the directories of its path that devtmpfs
        has created, if they are empty (`delete_path()`).
        """
        inode = self._nodes.pop(device, None)
        here: Dentry | None = self._root
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
