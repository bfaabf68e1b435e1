"""Permission checks of files: mode, owner, capabilities (fs/namei.c, fs/attr.c)."""

from __future__ import annotations

from typing import Final

from simkernel.kernel.sched.credentials import Credentials
from simkernel.kernel.vfs.inode import Inode, Owner
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import stat
from simkernel.uapi.capability import CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID
from simkernel.uapi.errno import EACCES, EPERM, os_error

MAY_EXEC: Final = 1
MAY_WRITE: Final = 2
MAY_READ: Final = 4
SETGID_PROGRAM: Final = stat.S_ISGID | stat.S_IXGRP


def permitted(credentials: Credentials, inode: Inode, wanted: int) -> bool:
    """Return True if all of the MAY_ bits `wanted` are allowed (`generic_permission()`)."""
    mode = inode.mode
    if credentials.uid == inode.uid:
        bits = mode >> 6
    elif credentials.in_group(inode.gid):
        bits = mode >> 3
    else:
        bits = mode
    if wanted & ~bits & 0o7 == 0:
        return True
    if stat.kind(mode) == stat.S_IFDIR:
        if not wanted & MAY_WRITE and credentials.capable(CAP_DAC_READ_SEARCH):
            return True
        return credentials.capable(CAP_DAC_OVERRIDE)
    if wanted == MAY_READ and credentials.capable(CAP_DAC_READ_SEARCH):
        return True
    return (not wanted & MAY_EXEC or bool(mode & 0o111)) and credentials.capable(CAP_DAC_OVERRIDE)


def check(credentials: Credentials, inode: Inode, wanted: int) -> None:
    """Raise EACCES unless all of the MAY_ bits `wanted` are allowed (`inode_permission()`)."""
    if not permitted(credentials, inode, wanted):
        raise os_error(EACCES)


def in_group_or_capable(credentials: Credentials, gid: int) -> bool:
    """Return True if the caller may keep the bit S_ISGID on a file of the group `gid`
    (`in_group_or_capable()`).
    """
    return credentials.in_group(gid) or credentials.capable(CAP_FSETID)


def drops_setgid(credentials: Credentials, inode: Inode) -> bool:
    """Return True if a change of the file by the caller clears the file's bit S_ISGID
    (`setattr_should_drop_sgid()`).
    """
    return bool(inode.mode & stat.S_IXGRP) or not in_group_or_capable(credentials, inode.gid)


def owner_of_new(task: Task, directory: Inode, mode: int) -> Owner:
    """Return the owner of a new file, and its mode without the bits of the umask (`vfs_prepare_mode()`).

    In a set-group-ID directory, a set-group-ID program loses S_ISGID unless the caller is in the
    directory's group or has CAP_FSETID.
    """
    credentials = task.credentials
    if (
        mode & SETGID_PROGRAM == SETGID_PROGRAM
        and directory.mode & stat.S_ISGID
        and not in_group_or_capable(credentials, directory.gid)
    ):
        mode &= ~stat.S_ISGID
    return Owner(credentials.uid, credentials.gid, mode & ~task.fs.umask)


def owner_or_capable(credentials: Credentials, inode: Inode) -> bool:
    """Return True if the caller owns the file or has CAP_FOWNER (`inode_owner_or_capable()`)."""
    return credentials.uid == inode.uid or credentials.capable(CAP_FOWNER)


def check_link(credentials: Credentials, inode: Inode) -> None:
    """Raise EPERM for an unsafe hard link to another user's file (`may_linkat()`, fs.protected_hardlinks=1).

    A link is safe if the file is regular, readable and writable for the caller, and not a set-ID program.
    """
    if owner_or_capable(credentials, inode):
        return
    setgid_program = inode.mode & stat.S_ISGID and inode.mode & stat.S_IXGRP
    if (
        inode.kind != stat.S_IFREG
        or inode.mode & stat.S_ISUID
        or setgid_program
        or not permitted(credentials, inode, MAY_READ | MAY_WRITE)
    ):
        raise os_error(EPERM)


def check_sticky(credentials: Credentials, directory: Inode, inode: Inode) -> None:
    """Raise EPERM if the directory is sticky and the caller owns neither the directory nor the file
    (`__check_sticky()`).

    A caller with CAP_FOWNER passes the check.
    """
    if (
        directory.mode & stat.S_ISVTX
        and credentials.uid not in (inode.uid, directory.uid)
        and (not credentials.capable(CAP_FOWNER))
    ):
        raise os_error(EPERM)
