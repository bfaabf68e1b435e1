"""Creation, renaming and removal of files (fs/namei.c: do_mknodat() to do_renameat2()).

Each function takes a walk that has reached the parent directory, and makes its checks in Linux's order.
"""

from __future__ import annotations

from typing import Final

from attrs import evolve

from simkernel.kernel.vfs.inode import Dentry, Owner
from simkernel.kernel.vfs.namei import Last, Walk, check_path
from simkernel.kernel.vfs.permission import (
    MAY_EXEC,
    MAY_WRITE,
    check,
    check_link,
    check_sticky,
    owner_of_new,
)
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import errno, stat
from simkernel.uapi.capability import CAP_MKNOD
from simkernel.uapi.errno import os_error

NODES: Final = frozenset({0, stat.S_IFREG, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK})
"""The file types that mknod(2) can create (`may_mknod()`)."""
DEVICES: Final = frozenset({stat.S_IFCHR, stat.S_IFBLK})


def _filename_create(walk: Walk, path: str, directory: bool = False) -> str:
    """Check that a file can be created at `path`, and return the last name of `path`. Raise EEXIST if the
    name exists, ENOENT if the directory was removed. Also raise ENOENT if a slash follows the name and
    `directory` is false.
    """
    walk.parent(path)
    if walk.last is not Last.NORM or walk.peek() is not None:
        raise os_error(errno.EEXIST)
    check_absent(walk)
    if walk.slash and not directory:
        raise os_error(errno.ENOENT)
    return walk.name


def check_absent(walk: Walk) -> None:
    """Check that the directory allows a new file with the last name of the path (`lookup_one_qstr_excl()`).
    The caller has already found that no file has this name.

    Raises ENOENT in a directory that was removed, ENAMETOOLONG for a name that is too long.
    """
    if walk.here.deleted:
        raise os_error(errno.ENOENT)
    walk.here.inode.check_new_name(walk.name)


def _may_create(task: Task, directory: Dentry) -> None:
    """Raise EACCES unless the task may add entries to the directory (`may_create()`)."""
    check(task.credentials, directory.inode, MAY_WRITE | MAY_EXEC)


def make_directory(task: Task, walk: Walk, path: str, mode: int) -> Dentry:
    """Create a directory (mkdir(2))."""
    name = _filename_create(walk, path, directory=True)
    _may_create(task, walk.here)
    return walk.here.inode.mkdir(
        walk.here, name, owner_of_new(task, walk.here.inode, mode & (0o777 | stat.S_ISVTX))
    )


def make_node(task: Task, walk: Walk, path: str, mode: int, device: int) -> Dentry:
    """Create a device, FIFO, socket or regular file (mknod(2)).  A device requires CAP_MKNOD.

    Raises EPERM for a directory, EINVAL for an unknown file type.
    """
    kind = stat.kind(mode)
    if kind not in NODES:
        raise os_error(errno.EPERM if kind == stat.S_IFDIR else errno.EINVAL)
    name = _filename_create(walk, path)
    _may_create(task, walk.here)
    if kind in DEVICES and not task.credentials.capable(CAP_MKNOD):
        raise os_error(errno.EPERM)
    owner = owner_of_new(task, walk.here.inode, mode)
    if kind in (0, stat.S_IFREG):
        return walk.here.inode.create(walk.here, name, evolve(owner, mode=owner.mode & stat.PERMISSIONS))
    return walk.here.inode.mknod(walk.here, name, owner, device if kind in DEVICES else 0)


def make_symlink(task: Task, walk: Walk, path: str, target: str) -> Dentry:
    """Create a symbolic link (symlink(2)).  Raise ENOENT if `target` is empty."""
    check_path(target)
    name = _filename_create(walk, path)
    _may_create(task, walk.here)
    owner = Owner(task.credentials.uid, task.credentials.gid, 0o777)
    return walk.here.inode.symlink(walk.here, name, owner, target)


def make_link(task: Task, old: Dentry, walk: Walk, path: str) -> Dentry:
    """Create a hard link to `old` (link(2)).

    Raises EXDEV across file systems, EPERM for a directory or if fs.protected_hardlinks forbids it.
    """
    name = _filename_create(walk, path)
    if old.inode.superblock is not walk.here.inode.superblock:
        raise os_error(errno.EXDEV)
    check_link(task.credentials, old.inode)
    _may_create(task, walk.here)
    if old.inode.kind == stat.S_IFDIR:
        raise os_error(errno.EPERM)
    if old.inode.nlink == 0:
        raise os_error(errno.ENOENT)
    return walk.here.inode.link(walk.here, name, old)


def _may_delete(task: Task, directory: Dentry, victim: Dentry, is_directory: bool) -> None:
    """Raise an error unless the task may remove or rename `victim` (`may_delete()`)."""
    check(task.credentials, directory.inode, MAY_WRITE | MAY_EXEC)
    check_sticky(task.credentials, directory.inode, victim.inode)
    if is_directory:
        if victim.inode.kind != stat.S_IFDIR:
            raise os_error(errno.ENOTDIR)
        if victim.parent is None:
            raise os_error(errno.EBUSY)
    elif victim.inode.kind == stat.S_IFDIR:
        raise os_error(errno.EISDIR)
    if directory.deleted:
        raise os_error(errno.ENOENT)


def unlink(task: Task, walk: Walk, path: str) -> None:
    """Remove a name (unlink(2))."""
    walk.parent(path)
    if walk.last is not Last.NORM:
        raise os_error(errno.EISDIR)
    victim = walk.peek()
    if victim is None:
        raise walk.missing()
    if walk.slash:
        raise os_error(errno.EISDIR if victim.inode.kind == stat.S_IFDIR else errno.ENOTDIR)
    _may_delete(task, walk.here, victim, is_directory=False)
    if victim.parent is None:  # `victim` is the root of a mount
        raise os_error(errno.EBUSY)
    walk.here.inode.unlink(walk.here, victim)


_NO_RMDIR: Final = {Last.DOTDOT: errno.ENOTEMPTY, Last.DOT: errno.EINVAL, Last.ROOT: errno.EBUSY}


def remove_directory(task: Task, walk: Walk, path: str) -> None:
    """Remove an empty directory (rmdir(2))."""
    walk.parent(path)
    if walk.last is not Last.NORM:
        raise os_error(_NO_RMDIR[walk.last])
    victim = walk.peek()
    if victim is None:
        raise walk.missing()
    _may_delete(task, walk.here, victim, is_directory=True)
    walk.here.inode.rmdir(walk.here, victim)


def rename(task: Task, old: Walk, new: Walk, new_path: str, noreplace: bool) -> None:
    """Rename a file (renameat2(2)). `noreplace` is true if the caller has set RENAME_NOREPLACE.

    `old` has reached the parent directory of the old name.
    """
    new.parent(new_path)
    if old.here.inode.superblock is not new.here.inode.superblock:
        raise os_error(errno.EXDEV)
    if old.last is not Last.NORM:
        raise os_error(errno.EBUSY)
    if new.last is not Last.NORM:
        raise os_error(errno.EEXIST if noreplace else errno.EBUSY)
    source = old.peek()
    if source is None:
        raise old.missing()
    target = new.peek()
    if target is None:
        check_absent(new)
    elif noreplace:
        raise os_error(errno.EEXIST)
    is_directory = source.inode.kind == stat.S_IFDIR
    if not is_directory and (old.slash or new.slash):
        raise os_error(errno.ENOTDIR)
    if source is new.here or source in new.here.chain():
        raise os_error(errno.EINVAL)
    if target is not None and (target is old.here or target in old.here.chain()):
        raise os_error(errno.ENOTEMPTY)
    _rename(task, old.here, source, new.here, new.name, target)


def _rename(task: Task, old: Dentry, source: Dentry, new: Dentry, name: str, target: Dentry | None) -> None:
    """Check permissions and rename `source` (`vfs_rename()`).

    If `source` and `target` are names of the same inode, nothing happens.
    """
    if target is not None and target.inode is source.inode:
        return
    is_directory = source.inode.kind == stat.S_IFDIR
    _may_delete(task, old, source, is_directory)
    if target is None:
        _may_create(task, new)
    else:
        _may_delete(task, new, target, is_directory)
    if is_directory and new.inode is not old.inode:
        check(task.credentials, source.inode, MAY_WRITE)
    old.inode.rename(old, source, new, name, target)
