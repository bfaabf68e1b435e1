"""What a file is, and changing it: stat, chmod, chown, utimensat, truncate (fs/stat.c, open.c, attr.c)."""

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
"""An owner or group that chown(2) leaves as it is."""


def stat_of(inode: Inode) -> Stat:
    """What stat(2) says of a file (`generic_fillattr()`)."""
    return Stat(
        st_mode=inode.mode, st_ino=inode.number, st_dev=inode.superblock.device, st_nlink=inode.nlink,
        st_uid=inode.uid, st_gid=inode.gid, st_size=inode.size, st_rdev=inode.rdev,
        st_blksize=inode.block_size, st_blocks=inode.blocks,
        st_atime_ns=inode.atime, st_mtime_ns=inode.mtime, st_ctime_ns=inode.ctime,
    )  # fmt: skip


def chmod(task: Task, inode: Inode, mode: int) -> None:
    """chmod(2).  EPERM unless it is one's own, or with CAP_FOWNER (`setattr_prepare()`).

    EOPNOTSUPP for a symbolic link, to which only a descriptor leads (`notify_change()`).
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
    """chown(2); -1 leaves one as it is.  An owner without CAP_CHOWN may only give his own group.  EPERM.

    What is no directory loses S_ISUID, and S_ISGID as by a write; that is a change of mode, which an owner
    or CAP_FOWNER may make (`chown_common()`, `notify_change()`).
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
    """utimensat(2): access and modification times in ns; None: now, which a writer may set too.  EPERM."""
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
    """truncate(2).  EINVAL, EISDIR, EACCES (`vfs_truncate()`)."""
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
    """Clear set-ID bits of a regular file that changes without CAP_FSETID (`file_remove_privs()`)."""
    mode, credentials = inode.mode, task.credentials
    if not mode & SET_ID or inode.kind != stat.S_IFREG or credentials.capable(CAP_FSETID):
        return
    left = mode & ~SET_ID | (0 if drops_setgid(credentials, inode) else mode & stat.S_ISGID)
    if left != mode:
        inode.set_attributes(left)
