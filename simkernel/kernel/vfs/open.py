"""open(2) by path (fs/namei.c: open_last_lookups(), do_open(), may_open(); fs/open.c)."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

from simkernel.kernel.lib.unmodelled import Unmodelled
from simkernel.kernel.vfs.attributes import set_size
from simkernel.kernel.vfs.change import check_absent
from simkernel.kernel.vfs.file import FileObject, OpenableInode, OpenFile, PathFile
from simkernel.kernel.vfs.inode import Dentry, Inode
from simkernel.kernel.vfs.namei import Last, Walk
from simkernel.kernel.vfs.permission import (
    MAY_EXEC,
    MAY_READ,
    MAY_WRITE,
    check,
    owner_of_new,
    owner_or_capable,
)
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import errno, fcntl, stat
from simkernel.uapi.errno import os_error

ACCESS: Final = (MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE)
"""MAY_ bits of each access mode of open(2) (ACC_MODE())."""
OPEN_ONLY_FLAGS: Final = fcntl.O_CREAT | fcntl.O_EXCL | fcntl.O_NOCTTY | fcntl.O_TRUNC | fcntl.O_CLOEXEC
"""Flags of open(2) that F_GETFL does not return (`do_dentry_open()`)."""
PATH_FLAGS: Final = fcntl.O_PATH | fcntl.O_DIRECTORY | fcntl.O_NOFOLLOW
"""Flags that have an effect together with O_PATH (O_PATH_FLAGS)."""
_TMPFILE: Final = fcntl.O_TMPFILE & ~fcntl.O_DIRECTORY
STICKY_AND_WRITABLE: Final = stat.S_ISVTX | 0o002


def open_file(task: Task, walk: Walk, path: str, flags: int, mode: int) -> Opening:
    """Find or create the file at `path`, check permissions and open it. Return the open file, or an awaitable
    if the driver's open function sleeps.

    The caller has checked the flags.

    Raises ENOENT, EEXIST, EISDIR, ENOTDIR, ELOOP, EACCES, EPERM and EINVAL as Linux does.
    """
    if flags & fcntl.O_PATH:
        return _open_path(walk, path, flags & PATH_FLAGS)
    wanted = ACCESS[flags & fcntl.O_ACCMODE] | (MAY_WRITE if flags & fcntl.O_TRUNC else 0)
    dentry, created = _find(task, walk, path, flags, mode)
    if not created:
        _check_found(task, dentry, flags, wanted, directory=walk.slash)
    if flags & fcntl.O_TRUNC and dentry.inode.kind == stat.S_IFREG and not created:
        set_size(task, dentry.inode, 0)
    return do_dentry_open(task, dentry, flags)


def _open_path(walk: Walk, path: str, flags: int) -> OpenFile:
    """Open with O_PATH: do not call the open function of the file, and do not check its permissions
    (`do_o_path()`).
    """
    found = walk.lookup(path, follow=not flags & fcntl.O_NOFOLLOW)
    if flags & fcntl.O_DIRECTORY and found.inode.kind != stat.S_IFDIR:
        raise os_error(errno.ENOTDIR)
    return PathFile(found, flags)


Opening = OpenFile | Awaitable[OpenFile]


def do_dentry_open(task: Task, dentry: Dentry, flags: int) -> Opening:
    """Return an open file of `dentry`, or an awaitable that gives it.

    Raises the errors of a driver's open.
    """
    file = OpenFile(NOT_OPEN, flags & ~OPEN_ONLY_FLAGS | fcntl.O_LARGEFILE)
    file.path = dentry
    if not isinstance(dentry.inode, OpenableInode):
        raise os_error(errno.ENXIO)
    made = dentry.inode.open(task, file)
    if isinstance(made, Awaitable):
        return _open_later(file, made)
    return _opened(file, made)


async def _open_later(file: OpenFile, made: Awaitable[FileObject]) -> OpenFile:
    return _opened(file, await made)


def _opened(file: OpenFile, made: FileObject) -> OpenFile:
    """Store `made`, the result of the inode's open function, in the open file `file`, and return `file`.

    Raises EINVAL if the file was opened with O_DIRECT and does not support it.  Linux checks this last
    too.
    """
    file.object = made
    if file.flags & fcntl.O_DIRECT and not made.can_direct:
        file.get().put()
        raise os_error(errno.EINVAL)
    return file


class _NotOpen(FileObject):
    """Placeholder for the object of an open file until the open function has returned the object."""


NOT_OPEN: Final = _NotOpen()


def check_flags(unmodelled: Unmodelled, flags: int) -> None:
    """Raise an error if flags of open(2) cannot be combined (`build_open_flags()`). With O_PATH, do not check
    the other flags.
    """
    if flags & fcntl.O_PATH:
        return
    if flags & _TMPFILE:
        raise unmodelled("O_TMPFILE is not modelled", errno.EOPNOTSUPP)
    if flags & fcntl.O_CREAT and flags & fcntl.O_DIRECTORY:
        raise os_error(errno.EINVAL)


def _find(task: Task, walk: Walk, path: str, flags: int, mode: int) -> tuple[Dentry, bool]:
    """Return the file's dentry, and a bool that is True if this call has created the file
    (`open_last_lookups()`).
    """
    creates = bool(flags & fcntl.O_CREAT)
    exclusive = creates and bool(flags & fcntl.O_EXCL)
    walk.parent(path)
    if creates and walk.last is Last.NORM and walk.slash:
        raise os_error(errno.EISDIR)
    follow = not exclusive and (walk.slash or not flags & fcntl.O_NOFOLLOW)
    found = walk.step(follow, creates)
    if found is None:
        return _make(task, walk, creates, mode), True
    if exclusive:
        raise os_error(errno.EEXIST)
    if creates and found.inode.kind == stat.S_IFDIR:
        raise os_error(errno.EISDIR)
    if creates and not _may_create_in_sticky(task, walk.here.inode, found.inode):
        raise os_error(errno.EACCES)
    return found, False


def _may_create_in_sticky(task: Task, directory: Inode, inode: Inode) -> bool:
    """Return False for another user's device or socket in a world-writable sticky directory.

    Regular files and FIFOs are not checked, because fs.protected_regular and fs.protected_fifos are 0
    (`may_create_in_sticky()`).
    """
    return (
        directory.mode & STICKY_AND_WRITABLE != STICKY_AND_WRITABLE
        or inode.kind in (stat.S_IFREG, stat.S_IFIFO)
        or inode.uid in (directory.uid, task.credentials.uid)
    )


def _make(task: Task, walk: Walk, creates: bool, mode: int) -> Dentry:
    """Create a regular file that does not exist (`lookup_open()`). Raise ENOENT without O_CREAT, EACCES if
    the caller may not write to the directory.
    """
    if not creates:
        raise walk.missing()
    directory = walk.here
    check_absent(walk)
    check(task.credentials, directory.inode, MAY_WRITE | MAY_EXEC)
    owner = owner_of_new(task, directory.inode, mode & stat.PERMISSIONS)
    return directory.inode.create(directory, walk.name, owner)


def _check_found(task: Task, dentry: Dentry, flags: int, wanted: int, directory: bool) -> None:
    """Check an existing file against the flags and permissions (`do_open()`, `may_open()`)."""
    inode = dentry.inode
    if (flags & fcntl.O_DIRECTORY or directory) and inode.kind != stat.S_IFDIR:
        raise os_error(errno.ENOTDIR)
    if inode.kind == stat.S_IFLNK:
        raise os_error(errno.ELOOP)
    if inode.kind == stat.S_IFDIR and wanted & MAY_WRITE:
        raise os_error(errno.EISDIR)
    check(task.credentials, inode, wanted)
    if flags & fcntl.O_NOATIME and not owner_or_capable(task.credentials, inode):
        raise os_error(errno.EPERM)
