"""Blocking twins of the calls with paths (application/paths.py) and of mapped memory."""

from __future__ import annotations

from simkernel.application.mapping import READ_WRITE, Mapping, Memory
from simkernel.application.paths import Paths
from simkernel.blocking.blocking import Run, twin
from simkernel.uapi.mman import MAP_SHARED


class BlockingMapping(Memory):
    """A look-alike of `mmap.mmap`."""

    def __init__(self, run: Run, inside: Mapping) -> None:
        self.run = run
        self.inside = inside
        self._position = 0

    @property
    def _view(self) -> memoryview | None:  # type: ignore[override]
        return self.inside._view

    @property
    def address(self) -> int:
        """Where it is in the process's memory."""
        return self.inside.address

    size = twin(Mapping.size)
    flush = twin(Mapping.flush)
    close = twin(Mapping.close)

    def __enter__(self) -> BlockingMapping:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class BlockingPaths:
    """Calls with paths, each returning its result."""

    run: Run
    inside: Paths

    open = twin(Paths.open)
    stat = twin(Paths.stat)
    lstat = twin(Paths.lstat)
    fstat = twin(Paths.fstat)
    access = twin(Paths.access)
    readlink = twin(Paths.readlink)
    listdir = twin(Paths.listdir)
    read_file = twin(Paths.read_file)
    mkdir = twin(Paths.mkdir)
    mknod = twin(Paths.mknod)
    mkfifo = twin(Paths.mkfifo)
    symlink = twin(Paths.symlink)
    link = twin(Paths.link)
    unlink = twin(Paths.unlink)
    rmdir = twin(Paths.rmdir)
    rename = twin(Paths.rename)
    rename_noreplace = twin(Paths.rename_noreplace)
    chmod = twin(Paths.chmod)
    chown = twin(Paths.chown)
    utime = twin(Paths.utime)
    truncate = twin(Paths.truncate)
    ftruncate = twin(Paths.ftruncate)
    fsync = twin(Paths.fsync)
    memfd_create = twin(Paths.memfd_create)
    chdir = twin(Paths.chdir)
    getcwd = twin(Paths.getcwd)
    chroot = twin(Paths.chroot)
    umask = twin(Paths.umask)

    def mmap(
        self,
        fileno: int,
        length: int,
        flags: int = MAP_SHARED,
        prot: int = READ_WRITE,
        access: int = 0,
        *,
        offset: int = 0,
    ) -> BlockingMapping:
        """Memory shared with a file or a device, or (-1) of one's own, as `mmap.mmap` makes it."""
        made = self.run(self.inside.mmap(fileno, length, flags, prot, access, offset=offset))
        return BlockingMapping(self.run, made)
