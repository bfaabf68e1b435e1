"""Attributes of a file: stat, chmod, chown, utimensat and truncate (fs/stat.c, fs/open.c, fs/attr.c)."""

from __future__ import annotations

from typing import Final

from simkernel.kernel.vfs.inode import Inode
from simkernel.kernel.vfs.permission import (
    MAY_WRITE,
    check,
    drops_setgid,
    in_group_or_capable,
    owner_or_capable,
)
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import stat
from simkernel.uapi.capability import CAP_CHOWN, CAP_FSETID
from simkernel.uapi.errno import EINVAL, EISDIR, EOPNOTSUPP, EPERM, os_error
from simkernel.uapi.stat import Stat

SET_ID: Final = stat.S_ISUID | stat.S_ISGID
UNCHANGED: int = -1
"""The uid or gid that tells chown(2) to leave the owner or the group unchanged."""


def stat_of(inode: Inode) -> Stat:
    """Return the attributes of an inode as stat(2) does (`generic_fillattr()`)."""
    return Stat(
        st_mode=inode.mode, st_ino=inode.number, st_dev=inode.superblock.device, st_nlink=inode.nlink,
        st_uid=inode.uid, st_gid=inode.gid, st_size=inode.size, st_rdev=inode.rdev,
        st_blksize=inode.block_size, st_blocks=inode.blocks,
        st_atime_ns=inode.atime, st_mtime_ns=inode.mtime, st_ctime_ns=inode.ctime,
    )  # fmt: skip


def chmod(task: Task, inode: Inode, mode: int) -> None:
    """Set the permission bits (chmod(2)).  Raise EPERM unless the caller owns the file or has CAP_FOWNER.

    Raises EOPNOTSUPP for a symbolic link, which only a file descriptor can name (`notify_change()`).
    """
    if inode.kind == stat.S_IFLNK or not inode.settable:
        raise os_error(EOPNOTSUPP)
    if not owner_or_capable(task.credentials, inode):
        raise os_error(EPERM)
    mode &= stat.PERMISSIONS
    if not in_group_or_capable(task.credentials, inode.gid):
        mode &= ~stat.S_ISGID
    inode.set_attributes(mode=inode.kind | mode)


def chown(task: Task, inode: Inode, uid: int, gid: int) -> None:
    """Set the owner and the group of a file (chown(2)). An id of -1 leaves the owner or the group unchanged.

    Raises EPERM without CAP_CHOWN, except if the owner selects one of its own groups.  A file that is not
    a directory loses S_ISUID, and S_ISGID under the same conditions as in a write. This change of mode
    requires the owner or CAP_FOWNER (`chown_common()`, `notify_change()`).
    """
    if not inode.settable:
        raise os_error(EOPNOTSUPP)
    credentials = task.credentials
    if not credentials.capable(CAP_CHOWN):
        owns = credentials.uid == inode.uid
        if uid != UNCHANGED and not (owns and uid == inode.uid):
            raise os_error(EPERM)
        if gid != UNCHANGED and not (owns and (gid == inode.gid or credentials.in_group(gid))):
            raise os_error(EPERM)
    mode = inode.mode
    group = inode.gid if gid == UNCHANGED else gid
    if inode.kind != stat.S_IFDIR and mode & SET_ID:
        if mode & stat.S_ISUID or drops_setgid(credentials, inode):
            if not owner_or_capable(credentials, inode):
                raise os_error(EPERM)
            if drops_setgid(credentials, inode) or not in_group_or_capable(credentials, group):
                mode &= ~stat.S_ISGID
        mode &= ~stat.S_ISUID
    inode.set_attributes(mode, inode.uid if uid == UNCHANGED else uid, group)


def utimens(task: Task, inode: Inode, times: tuple[int, int] | None) -> None:
    """Set the access and the modification time in ns (utimensat(2)). If `times` is None, set both to the
    current time.

    Raises EPERM for another user's file. To set the current time, write permission is sufficient.
    """
    if not inode.settable:
        raise os_error(EOPNOTSUPP)
    credentials = task.credentials
    if not owner_or_capable(credentials, inode):
        if times is not None:
            raise os_error(EPERM)
        check(credentials, inode, MAY_WRITE)
    now = inode.superblock.now()
    inode.atime, inode.mtime = times if times is not None else (now, now)
    inode.ctime = now


def truncate(task: Task, inode: Inode, size: int) -> None:
    """Set the size of a file by its path (truncate(2)).

    Raises EINVAL, EISDIR or EACCES (`vfs_truncate()`).
    """
    if size < 0:
        raise os_error(EINVAL)
    if inode.kind == stat.S_IFDIR:
        raise os_error(EISDIR)
    if inode.kind != stat.S_IFREG:
        raise os_error(EINVAL)
    check(task.credentials, inode, MAY_WRITE)
    set_size(task, inode, size)


def set_size(task: Task, inode: Inode, size: int) -> None:
    """Set the size of a file that the caller may write (`do_truncate()`)."""
    inode.truncate(size)
    remove_privileges(task, inode)


def remove_privileges(task: Task, inode: Inode) -> None:
    """Clear the set-ID bits of a regular file that a caller without CAP_FSETID changes
    (`file_remove_privs()`).
    """
    mode, credentials = inode.mode, task.credentials
    if not mode & SET_ID or inode.kind != stat.S_IFREG or credentials.capable(CAP_FSETID):
        return
    left = mode & ~SET_ID | (0 if drops_setgid(credentials, inode) else mode & stat.S_ISGID)
    if left != mode:
        inode.set_attributes(left)
