"""Flags of mount(2) and umount2(2).  Sources: include/uapi/linux/mount.h, include/linux/fs.h."""

from __future__ import annotations

from typing import Final

MS_BIND: Final = 4096
MS_REC: Final = 16384
MS_UNBINDABLE: Final = 1 << 17
MS_PRIVATE: Final = 1 << 18
MS_SLAVE: Final = 1 << 19
MS_SHARED: Final = 1 << 20
PROPAGATIONS: Final = (MS_UNBINDABLE, MS_PRIVATE, MS_SLAVE, MS_SHARED)
"""The propagation flags.  mount(2) changes the propagation if exactly one of them is set."""

MNT_DETACH: Final = 2
UMOUNT_NOFOLLOW: Final = 8
UMOUNT_FLAGS: Final = 0b1111
"""The valid flags of umount2(2): MNT_FORCE, MNT_DETACH, MNT_EXPIRE and UMOUNT_NOFOLLOW."""
