"""Path lookup: the walk along a path, and symbolic links in it (fs/namei.c).

`Walk` goes to the directory of the last name. Then the system call looks up, creates or removes the last
name.  Each directory on the path must allow search (EACCES). More than 40 symbolic links raise ELOOP.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from simkernel.kernel.vfs.inode import Dentry
from simkernel.kernel.vfs.permission import MAY_EXEC, check
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import stat
from simkernel.uapi.errno import EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, os_error

PATH_MAX: Final = 4096
"""Maximum length of a path in bytes, with the NUL (include/uapi/linux/limits.h)."""
MAXSYMLINKS: Final = 40


class Last(Enum):
    """The kind of the last name of a path (LAST_NORM and others)."""

    NORM = "a name"
    ROOT = "/"
    DOT = "."
    DOTDOT = ".."


DOTS: Final = {".": Last.DOT, "..": Last.DOTDOT}


def check_path(path: str) -> None:
    """Raise ENOENT for an empty path, ENAMETOOLONG for a path that is too long (`getname()`)."""
    if not path:
        raise os_error(ENOENT)
    if len(path) >= PATH_MAX // 4 and len(path.encode("utf-8", "surrogateescape")) >= PATH_MAX:
        raise os_error(ENAMETOOLONG)


class Walk:
    """A walk along a path. After a call of `parent`, `here` is the directory that contains the last name.

    `name` is the last name and `last` its kind.  `slash` is true if slashes follow the last name.
    `beyond` are the names after the one that is being looked up.
    """

    __slots__ = ("beyond", "here", "last", "links", "name", "names", "root", "slash", "task")

    def __init__(self, task: Task, root: Dentry, start: Dentry) -> None:
        self.task = task
        self.root = root
        self.here = start
        self.links = 0
        self.names = 0
        self.last = Last.ROOT
        self.name = ""
        self.slash = False
        self.beyond: list[str] = []

    def parent(self, path: str) -> Walk:
        """Walk to the directory of the last name (`filename_parentat()`)."""
        self._to_last(path)
        return self

    def lookup(self, path: str, follow: bool = True) -> Dentry:
        """Walk the whole path and return the dentry at its end (`filename_lookup()`). Raise ENOENT if the
        file does not exist.

        A symbolic link as the last name is followed if `follow` is true.
        """
        self.parent(path)
        return self.resolve(follow)

    def resolve(self, follow: bool) -> Dentry:
        """Return the dentry of the last name (`walk_component()`). Raise ENOENT if it does not exist, ENOTDIR
        if slashes follow the name and it is not a directory.
        """
        found = self.step(follow or self.slash)
        if found is None:
            raise self.missing()
        if self.slash and found.inode.kind != stat.S_IFDIR:
            raise os_error(ENOTDIR)
        return found

    def step(self, follow: bool, creates: bool = False) -> Dentry | None:
        """Look up the last name and follow it if it is a link. Return None if the name does not exist.

        If a link's target does not exist, the walk ends at the last name of the target.  With `creates`, a
        link whose target ends with a slash raises EISDIR (`lookup_fast_for_open()`).
        """
        while True:
            found = self.peek()
            if found is None or not follow or found.inode.kind != stat.S_IFLNK:
                return found
            jumped = self._follow(found)
            if jumped is not None:
                return jumped
            if creates and self.slash and self.last is Last.NORM:
                raise os_error(EISDIR)

    def peek(self) -> Dentry | None:
        """Return the dentry of the last name without following it, or None."""
        if self.last is Last.NORM:
            found = self.here.inode.lookup(self.task, self.here, self.name)
            return None if found is None else found.top()
        if self.last is Last.DOTDOT:
            return self.here.up() if self.here is not self.root else self.here
        return self.here

    def missing(self) -> Exception:
        """Return the error for a last name that does not exist: by default ENOENT. On a machine with
        `unmodelled="raise"`, return NotModelled for a file of /proc or /sys that Linux has.
        """
        return self.here.inode.missing([self.name, *self.beyond])

    # -- steps of a walk ----------------------------------------------------------

    def _to_last(self, path: str) -> None:
        """Walk along all names but the last (`link_path_walk()`)."""
        if path[0] == "/":
            self.here = self.root
        names = [name for name in path.split("/") if name]
        self.slash = path[-1] == "/"
        if not names:
            self.last, self.name = Last.ROOT, ""
            return
        after = self.beyond
        for place, name in enumerate(names[:-1], 1):
            self.beyond = names[place:] + after
            self._enter(name)
        self.beyond = after
        self._search()
        self._set_last(names[-1])

    def _set_last(self, name: str) -> None:
        self.name = name
        self.last = DOTS.get(name, Last.NORM)
        self.names += 1

    def _search(self) -> None:
        """Raise EACCES unless the task may search the current directory (`may_lookup()`)."""
        check(self.task.credentials, self.here.inode, MAY_EXEC)

    def _enter(self, name: str) -> None:
        self._search()
        self._set_last(name)
        slash = self.slash
        found = self.step(follow=True)
        self.slash = slash
        if found is None:
            raise self.missing()
        if found.inode.kind != stat.S_IFDIR:
            raise os_error(ENOTDIR)
        self.here = found

    def _follow(self, link: Dentry) -> Dentry | None:
        """Follow a symbolic link. If it leads directly to a file, return this file. Otherwise, walk to the
        last name of the link's path and return None (`pick_link()`).
        """
        self.links += 1
        if self.links > MAXSYMLINKS:
            raise os_error(ELOOP)
        jumped = link.inode.follow(self.task)
        if jumped is not None:
            return jumped
        target = link.inode.readlink(self.task)
        if not target:
            raise os_error(ENOENT)
        slash = self.slash
        self._to_last(target)
        self.slash = self.slash or slash
        return None
