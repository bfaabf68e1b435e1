"""Names in the tree (`struct dentry`): what lies where, and what is mounted over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simkernel.kernel.vfs.inode import Inode


class Dentry:
    """A name in a directory and the inode that it stands for.

    `parent` is None for the root of a file system.  `mounted` is the root of what is mounted here;
    `mountpoint` is, of such a root, the place where.  `deleted`: the name is gone, and who holds the
    file still has it.
    """

    __slots__ = ("deleted", "inode", "mounted", "mountpoint", "name", "parent")

    def __init__(self, name: str, parent: Dentry | None, inode: Inode) -> None:
        self.name = name
        self.parent = parent
        self.inode = inode
        self.mounted: Dentry | None = None
        self.mountpoint: Dentry | None = None
        self.deleted = False

    def __repr__(self) -> str:
        return f"<{self.path}>"

    def top(self) -> Dentry:
        """What is seen here: the root of what is mounted last (`traverse_mounts()`)."""
        seen = self
        while seen.mounted is not None:
            seen = seen.mounted
        return seen

    def up(self) -> Dentry:
        """The directory that `..` is here; the root's is itself (`follow_dotdot()`)."""
        here = self
        while here.parent is None:
            if here.mountpoint is None:
                return here
            here = here.mountpoint
        return here.parent.top()

    def chain(self, root: Dentry | None = None) -> Iterator[Dentry]:
        """It and the directories above it up to `root`, across mounts, without the roots."""
        here = self
        while here is not root:
            while here.parent is None:
                if here.mountpoint is None:
                    return
                here = here.mountpoint
            yield here
            here = here.parent.top()

    @property
    def path(self) -> str:
        """Where it is, as `d_path()` writes it."""
        return self.path_from(None)

    def path_from(self, root: Dentry | None) -> str:
        """The same for a process whose root is `root`."""
        names = [each.name for each in self.chain(root)]
        return "/" + "/".join(reversed(names)) + (" (deleted)" if self.deleted else "")
