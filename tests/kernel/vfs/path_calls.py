"""Calls with paths as plain data, and two who make them: this host's kernel and a simulated one."""

from __future__ import annotations

import os
import pickle
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from simkernel import Machine
from simkernel.kernel.sched.credentials import Credentials

NOBODY = 65534
MEMBER = 1000
"""Who is in the group of `NOBODY`, too."""
MEMORY = Path("/dev/shm")
"""A tmpfs, on most hosts."""

Call = tuple[Any, ...]
"""A name, and arguments; before them, the user who makes the call."""


def perform(world: Any, call: str, *arguments: Any) -> Any:
    """One call: what came of it, as plain data, or the number of its error.

    `world` has the names of the module os.
    """
    try:
        result = getattr(Calls, call)(world, *arguments)
    except OSError as error:
        return f"errno {error.errno}"
    return result


class Calls:
    """What is compared.  Numbers of inodes and times are not."""

    @staticmethod
    def open(world: Any, path: str, flags: int, mode: int) -> Any:
        fd = world.open(path, flags, mode)
        world.close(fd)
        return "opened"

    @staticmethod
    def store(world: Any, path: str, flags: int, data: bytes, offset: int) -> Any:
        fd = world.open(path, flags, 0o644)
        try:
            moved = world.lseek(fd, offset, os.SEEK_SET)
            return moved, world.write(fd, data), world.lseek(fd, 0, os.SEEK_CUR)
        finally:
            world.close(fd)

    @staticmethod
    def load(world: Any, path: str, size: int, offset: int) -> Any:
        fd = world.open(path, os.O_RDONLY)
        try:
            return world.pread(fd, size, offset), world.read(fd, size), world.lseek(fd, 0, os.SEEK_END)
        finally:
            world.close(fd)

    @staticmethod
    def seek(world: Any, path: str, offset: int, whence: int) -> Any:
        fd = world.open(path, os.O_RDONLY)
        try:
            return world.lseek(fd, offset, whence)
        finally:
            world.close(fd)

    @staticmethod
    def stat(world: Any, path: str) -> Any:
        return _shown(world.stat(path))

    @staticmethod
    def lstat(world: Any, path: str) -> Any:
        return _shown(world.lstat(path))

    @staticmethod
    def listdir(world: Any, path: str) -> Any:
        return sorted(world.listdir(path))


def _shown(found: Any) -> tuple[int, ...]:
    """A directory's size is each file system's own affair."""
    size = 0 if stat.S_ISDIR(found.st_mode) else found.st_size
    return found.st_mode, found.st_nlink, found.st_uid, found.st_gid, size


def _plain(name: str) -> Any:
    def call(world: Any, *arguments: Any) -> Any:
        return getattr(world, name)(*arguments)

    return staticmethod(call)


for _name in (
    "mkdir", "rmdir", "unlink", "symlink", "link", "rename", "readlink", "chmod", "chown", "truncate",
    "access", "chdir", "getcwd", "mkfifo", "umask",
):  # fmt: skip
    setattr(Calls, _name, _plain(_name))


def simulated(calls: list[Call]) -> list[Any]:
    """What a simulated kernel answers, in a directory that is the root for who calls."""
    with Machine(udev=False) as machine:
        process = machine.blocking()
        process.mkdir("/tmp/root")
        process.chmod("/tmp/root", 0o777)
        process.chroot("/tmp/root")
        process.chdir("/")
        process.umask(0o022)
        results = []
        for user, *call in calls:
            groups = frozenset([NOBODY] if user == MEMBER else ())
            process.task.credentials = attrs.evolve(Credentials.of(user), groups=groups)
            results.append(perform(process, *call))
        return results


def real(calls: list[Call]) -> list[Any]:
    """What this host's kernel answers, in the same.  Wants root, for chroot."""
    with _folder() as folder:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            try:
                os.close(reading)
                with os.fdopen(writing, "wb") as pipe:
                    pickle.dump(_within(folder, calls), pipe)
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            results = pickle.load(pipe)
        os.waitpid(child, 0)
        return results


def _within(folder: str, calls: list[Call]) -> list[Any]:
    os.umask(0o022)
    os.chroot(folder)
    os.chdir("/")
    results = []
    for user, *call in calls:
        os.setgroups([NOBODY] if user == MEMBER else [])
        os.setresgid(user, user, 0)
        os.setresuid(user, user, 0)
        results.append(perform(os, *call))
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
    return results


@contextmanager
def _folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        os.chmod(folder, 0o777)
        yield folder
