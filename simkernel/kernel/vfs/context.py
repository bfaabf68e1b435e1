"""What a process knows of paths (`struct fs_struct`): where it is, and its umask."""

from __future__ import annotations

from typing import Final, Generic, TypeVar

import attrs

UMASK: Final = 0o022
"""What a process begins with."""


D = TypeVar("D")


@attrs.define(eq=False)
class FsContext(Generic[D]):
    """`cwd` is None as long as it is the root; `root` as long as that is the machine's."""

    cwd: D | None = None
    umask: int = UMASK
    root: D | None = None

    def copy(self) -> FsContext[D]:
        """For a child (`copy_fs_struct()`)."""
        return FsContext(self.cwd, self.umask, self.root)
