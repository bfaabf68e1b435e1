"""Bits of a file's mode, device numbers, and the result of stat(2).  Source: include/uapi/linux/stat.h."""

from __future__ import annotations

from typing import Final

import attrs

S_IFMT: Final = 0o170000
S_IFSOCK: Final = 0o140000
S_IFLNK: Final = 0o120000
S_IFREG: Final = 0o100000
S_IFBLK: Final = 0o060000
S_IFDIR: Final = 0o040000
S_IFCHR: Final = 0o020000
S_IFIFO: Final = 0o010000

S_ISUID: Final = 0o4000
S_ISGID: Final = 0o2000
S_ISVTX: Final = 0o1000

S_IXGRP: Final = 0o010

PERMISSIONS: Final = 0o7777
"""The mode bits that chmod(2) can set (S_IALLUGO)."""


def kind(mode: int) -> int:
    """Return the file type bits (S_IFMT) of a mode."""
    return mode & S_IFMT


def makedev(major: int, minor: int) -> int:
    """Combine a major and a minor number into a device number, in the format of `st_rdev`
    (`new_encode_dev()`, and glibc's gnu_dev_makedev).
    """
    return (minor & 0xFF) | (major & 0xFFF) << 8 | (minor & ~0xFF) << 12 | (major & ~0xFFF) << 32


def major(device: int) -> int:
    """Return the major number of a device number."""
    return device >> 8 & 0xFFF | device >> 32 & ~0xFFF


def minor(device: int) -> int:
    """Return the minor number of a device number."""
    return device & 0xFF | device >> 12 & ~0xFF


@attrs.frozen(kw_only=True)
class Stat:
    """The result of stat(2). The fields have the same names as in Python's os.stat_result. A field that ends
    in `_ns` is a time since 1970 in ns.
    """

    st_mode: int
    st_ino: int
    st_dev: int
    st_nlink: int
    st_uid: int
    st_gid: int
    st_size: int
    st_rdev: int
    st_blksize: int
    st_blocks: int
    st_atime_ns: int
    st_mtime_ns: int
    st_ctime_ns: int

    @property
    def st_atime(self) -> float:
        """Time of the last access in seconds."""
        return self.st_atime_ns / 1e9

    @property
    def st_mtime(self) -> float:
        """Time of the last modification of the content in seconds."""
        return self.st_mtime_ns / 1e9

    @property
    def st_ctime(self) -> float:
        """Time of the last change of the inode in seconds."""
        return self.st_ctime_ns / 1e9
