"""Calls on files with unusual arguments have the same results on simkernel and on this host."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simkernel import Machine

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(os, "eventfd") or os.geteuid() != 0,
    reason="wants a Linux to compare with, and root",
)

HUGE = (1 << 63) - 1
FIONREAD, F_GETPIPE_SZ = 0x541B, 1032
MEMORY = Path("/dev/shm")


def calls(o: Any, map: Any, control: Any, request: Any) -> dict[str, Callable[[], object]]:
    """Return functions that make one call each, by name. `o` is the module `os`, or a simulated process with
    the same functions.
    """
    o.mkdir("dir")
    file = o.open("file", os.O_CREAT | os.O_RDWR)
    folder = o.open("dir", os.O_RDONLY)
    reading, writing = o.pipe()
    counter = o.eventfd(0, os.EFD_NONBLOCK)
    return {
        "pread before": lambda: o.pread(file, 1, -1),
        "pwrite before": lambda: o.pwrite(file, b"x", -1),
        "lseek before": lambda: o.lseek(file, -1, os.SEEK_SET),
        "lseek far": lambda: o.lseek(file, HUGE, os.SEEK_SET),
        "write there": lambda: o.write(file, b"xx"),
        "read there": lambda: o.read(file, 1),
        "lseek farther": lambda: o.lseek(file, 1, os.SEEK_CUR),
        "lseek back": lambda: o.lseek(file, 0, os.SEEK_SET),
        "pread there": lambda: o.pread(file, 2, HUGE - 1),
        "ftruncate far": lambda: o.ftruncate(file, HUGE),
        "ftruncate": lambda: o.ftruncate(file, 0),
        "listdir of a file": lambda: o.listdir(file),
        "read of a directory": lambda: o.read(folder, 10),
        "pread of a directory": lambda: o.pread(folder, 10, 0),
        "write to a directory": lambda: o.write(folder, b"x"),
        "ftruncate of a directory": lambda: o.ftruncate(folder, 0),
        "fsync of a directory": lambda: o.fsync(folder),
        "lseek of a directory": lambda: o.lseek(folder, 0, os.SEEK_END),
        "unlink of a directory": lambda: o.unlink("dir"),
        "unlink of .": lambda: o.unlink("."),
        "rmdir of a file": lambda: o.rmdir("file"),
        "rmdir of .": lambda: o.rmdir("dir/."),
        "rmdir of ..": lambda: o.rmdir("dir/.."),
        "create a directory": lambda: o.open("dir", os.O_CREAT),
        "write a directory": lambda: o.open("dir", os.O_WRONLY),
        "a file as a directory": lambda: o.open("file/", os.O_RDONLY),
        "create a directory's name": lambda: o.open("new/", os.O_CREAT | os.O_WRONLY),
        "O_DIRECTORY": lambda: o.open("file", os.O_DIRECTORY),
        "access mode 3": lambda: o.close(o.open("file", 3)),
        "lseek of a pipe": lambda: o.lseek(reading, 0, os.SEEK_SET),
        "pread of a pipe": lambda: o.pread(reading, 1, 0),
        "write to read from": lambda: o.write(reading, b"x"),
        "read what is written to": lambda: o.read(writing, 1),
        "ftruncate of a pipe": lambda: o.ftruncate(writing, 0),
        "fsync of a pipe": lambda: o.fsync(writing),
        "listdir of a pipe": lambda: o.listdir(reading),
        "ioctl of a pipe": lambda: request(reading, 0x1234, 0),
        "ioctl of a file": lambda: request(file, 0x1234, 0),
        "FIONREAD of a directory": lambda: request(folder, FIONREAD, bytes(4)),
        "FIONREAD of a file": lambda: request(file, FIONREAD, bytes(4)),
        "fcntl": lambda: control(file, 9999, 0),
        "F_DUPFD before": lambda: control(file, fcntl.F_DUPFD, -1),
        "F_GETPIPE_SZ of a file": lambda: control(file, F_GETPIPE_SZ),
        "dup2 before": lambda: o.dup2(file, -1),
        "dup2 beyond": lambda: o.dup2(file, 1 << 30),
        "dup2 to itself": lambda: o.dup2(file, file) == file,
        "close nothing": lambda: o.close(9999),
        "mmap of a directory": lambda: map(folder, 10),
        "mmap of a pipe": lambda: map(reading, 10),
        "chmod": lambda: o.chmod("dir", 0o7777),
        "its mode": lambda: o.stat("dir").st_mode,
        "rename over a directory": lambda: o.rename("file", "dir"),
        "rename over a file": lambda: o.rename("dir", "file"),
        "rename to itself": lambda: o.rename("file", "file"),
        "rename .": lambda: o.rename(".", "elsewhere"),
        "link to a directory": lambda: o.link("dir", "link"),
        "symlink over": lambda: o.symlink("x", "file"),
        "symlink to nothing": lambda: o.symlink("", "empty"),
        "symlink too long": lambda: o.symlink("y" * 4096, "long"),
        "symlink as long as can be": lambda: o.symlink("y" * 4095, "longest"),
        "readlink of a file": lambda: o.readlink("file"),
        "mkdir too long": lambda: o.mkdir("m" * 256),
        "mkdir as long as can be": lambda: o.mkdir("m" * 255),
        "access": lambda: o.access("file", 9),
        "truncate before": lambda: o.truncate("file", -1),
        "truncate of a directory": lambda: o.truncate("dir", 0),
        "mknod a directory": lambda: o.mknod("node", 0o040755),
        "mknod a link": lambda: o.mknod("node", 0o120755),
        "mknod a socket": lambda: o.mknod("socket", 0o140755),
        "mknod anything": lambda: o.mknod("node", 0o170000),
        "open a socket": lambda: o.open("socket", os.O_RDWR),
        "mknod a device": lambda: o.mknod("device", 0o020600, os.makedev(240, 77)),
        "open a device": lambda: o.open("device", os.O_RDONLY),
        "chown nothing": lambda: o.chown("file", -1, -1),
        "utime": lambda: o.utime("file", ns=(5, 7)),
        "its times": lambda: (o.stat("file").st_atime_ns, o.stat("file").st_mtime_ns),
        "an eventfd without": lambda: o.read(counter, 8),
        "too little room": lambda: o.read(counter, 7),
        "too little": lambda: o.write(counter, bytes(7)),
        "too much": lambda: o.write(counter, b"\1" + bytes(8)),
        "one": lambda: o.write(counter, b"\1" + bytes(7)),
        "more room": lambda: o.read(counter, 100),
    }


def answers(made: dict[str, Callable[[], object]]) -> dict[str, object]:
    told: dict[str, object] = {}
    for name, call in made.items():
        try:
            told[name] = call()
        except OSError as error:
            told[name] = errno.errorcode.get(error.errno or 0, error.errno)
    return told


def test_the_answers_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    first = set(os.listdir("/proc/self/fd"))
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        with monkeypatch.context() as patched:
            patched.chdir(folder)
            there = answers(calls(os, mmap.mmap, fcntl.fcntl, fcntl.ioctl))
        for fd in {int(each) for each in set(os.listdir("/proc/self/fd")) - first}:
            try:
                os.close(fd)
            except OSError:
                assert fd, "the directory that was just listed"
    with Machine(udev=False, unmodelled="raise") as machine:
        process = machine.blocking()
        process.mkdir("/tmp/folder")
        process.chdir("/tmp/folder")
        here = answers(calls(process, process.mmap, process.fcntl, process.ioctl))
    assert here == there
