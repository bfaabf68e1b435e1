"""What a process knows of paths (`struct fs_struct`): where it is, and its umask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from simkernel.kernel.vfs.dentry import Dentry

UMASK: Final = 0o022
"""What a process begins with."""


@attrs.define(eq=False)
class FsContext:
    """`cwd` is None as long as it is the root; `root` as long as that is the machine's."""

    cwd: Dentry | None = None
    umask: int = UMASK
    root: Dentry | None = None

    def copy(self) -> FsContext:
        """For a child (`copy_fs_struct()`)."""
        return FsContext(self.cwd, self.umask, self.root)
