"""Calls on files in strace's format."""

from __future__ import annotations

import attrs
import pytest

from simkernel.engine import Record
from simkernel.uapi import fcntl
from simkernel.uapi.stat import Stat
from tests.trace.strace.test_strace import call, printed

OPEN = fcntl.O_RDWR | fcntl.O_CREAT | fcntl.O_TRUNC
ENTRIES = b"".join(
    number.to_bytes(8, "little") + bytes(8) + (24).to_bytes(2, "little") + b"\4" + name.ljust(5, b"\0")
    for number, name in ((1, b"."), (2, b".."))
)


def status(mode: int, **fields: int) -> Stat:
    return Stat(**{**{each.name: 0 for each in attrs.fields(Stat)}, "st_mode": mode, **fields})


LINES: list[tuple[list[Record], str]] = [
    (
        call("openat", -100, "/nope", fcntl.O_RDONLY | fcntl.O_CLOEXEC, 0o777, error=2),
        'openat(AT_FDCWD, "/nope", O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file or directory)',
    ),
    (
        call("openat", -100, "/tmp/x1", OPEN, 0o644, result=3),
        'openat(AT_FDCWD, "/tmp/x1", O_RDWR|O_CREAT|O_TRUNC, 0644) = 3',
    ),
    (
        call("openat", 5, "d1", fcntl.O_DIRECTORY | fcntl.O_CLOEXEC, result=4),
        'openat(5, "d1", O_RDONLY|O_CLOEXEC|O_DIRECTORY) = 4',
    ),
    (call("read", 3, 65536, result=b"hello\n"), 'read(3, "hello\\n", 65536)         = 6'),
    (call("read", 6, 8, result=b"\3" + bytes(7)), 'read(6, "\\3\\0\\0\\0\\0\\0\\0\\0", 8)    = 8'),
    (call("read", 99, 10, error=9), "read(99, NULL, 10)                = -1 EBADF (Bad file descriptor)"),
    (call("readv", 3, [6, 4], result=b""), 'readv(3, [{iov_base="", iov_len=10}], 1) = 0'),
    (call("pread64", 3, 10, 2, result=b"llo\n"), 'pread64(3, "llo\\n", 10, 2)        = 4'),
    (call("write", 3, b"hello\n", result=6), 'write(3, "hello\\n", 6)            = 6'),
    (call("writev", 3, b"ab", result=2), 'writev(3, [{iov_base="ab", iov_len=2}], 1) = 2'),
    (call("pwrite64", 3, b"abc", 100, result=3), 'pwrite64(3, "abc", 3, 100)        = 3'),
    (call("lseek", 3, 3, 2, result=106), "lseek(3, 3, SEEK_END)             = 106"),
    (
        call("fstat", 3, result=status(0o100644, st_size=112)),
        "fstat(3, {st_mode=S_IFREG|0644, st_size=112, ...}) = 0",
    ),
    (
        call("newfstatat", -100, "/dev/null", 0, result=status(0o020666, st_rdev=0x103)),
        'newfstatat(AT_FDCWD, "/dev/null", {st_mode=S_IFCHR|0666, st_rdev=makedev(0x1, 0x3), ...}, 0) = 0',
    ),
    (
        call("newfstatat", -100, "/proc/self", fcntl.AT_SYMLINK_NOFOLLOW, result=status(0o120777)),
        'newfstatat(AT_FDCWD, "/proc/self", {st_mode=S_IFLNK|0777, st_size=0, ...}, AT_SYMLINK_NOFOLLOW) = 0',
    ),
    (
        call("newfstatat", -100, "/nope", 0, error=2),
        'newfstatat(AT_FDCWD, "/nope", NULL, 0) = -1 ENOENT (No such file or directory)',
    ),
    (
        call("mmap", 0, 4096, 3, 1, 3, 0x1000, result=0x7FEB829E8000),
        "mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 3, 0x1000) = 0x7feb829e8000",
    ),
    (
        call("mmap", 0, 4096, 3, 0x22, -1, 0, result=0x7FEB829E8000),
        "mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7feb829e8000",
    ),
    (
        call("mmap", 0, 4096, 0, 1, 77, 0x1000, error=9),
        "mmap(NULL, 4096, PROT_NONE, MAP_SHARED, 77, 0x1000) = -1 EBADF (Bad file descriptor)",
    ),
    (call("msync", 0x7FEB829E8000, 4096, 4, result=None), "msync(0x7feb829e8000, 4096, MS_SYNC) = 0"),
    (call("munmap", 0x7FEB829E8000, 4096, result=None), "munmap(0x7feb829e8000, 4096)      = 0"),
    (call("fchmod", 3, 0o600, result=None), "fchmod(3, 0600)                   = 0"),
    (call("fchmodat", -100, "/tmp/x1", 0o660, result=None), 'fchmodat(AT_FDCWD, "/tmp/x1", 0660) = 0'),
    (
        call("fchownat", -100, "/tmp/x1", 0, 44, 0, result=None),
        'fchownat(AT_FDCWD, "/tmp/x1", 0, 44, 0) = 0',
    ),
    (call("fchown", 3, 0, -1, result=None), "fchown(3, 0, -1)                  = 0"),
    (
        call("faccessat", -100, "/tmp/x1", 0, 0, result=None),
        'faccessat2(AT_FDCWD, "/tmp/x1", F_OK, 0) = 0',
    ),
    (
        call("faccessat", -100, "/tmp/x1", 6, 0, result=None),
        'faccessat2(AT_FDCWD, "/tmp/x1", R_OK|W_OK, 0) = 0',
    ),
    (call("mkdirat", -100, "/tmp/d1", 0o777, result=None), 'mkdirat(AT_FDCWD, "/tmp/d1", 0777) = 0'),
    (call("symlinkat", "x1", -100, "/tmp/l1", result=None), 'symlinkat("x1", AT_FDCWD, "/tmp/l1") = 0'),
    (
        call("linkat", -100, "/tmp/x1", -100, "/tmp/x2", 0, result=None),
        'linkat(AT_FDCWD, "/tmp/x1", AT_FDCWD, "/tmp/x2", 0) = 0',
    ),
    (call("readlinkat", -100, "/tmp/l1", result="x1"), 'readlinkat(AT_FDCWD, "/tmp/l1", "x1", 4096) = 2'),
    (
        call("renameat2", -100, "/tmp/x2", -100, "/tmp/x3", 1, result=None),
        'renameat2(AT_FDCWD, "/tmp/x2", AT_FDCWD, "/tmp/x3", RENAME_NOREPLACE) = 0',
    ),
    (
        call("unlinkat", -100, "/tmp/d1", 0x200, result=None),
        'unlinkat(AT_FDCWD, "/tmp/d1", AT_REMOVEDIR) = 0',
    ),
    (call("getdents64", 4, 32768, result=ENTRIES), "getdents64(4, NULL /* 2 entries */, 32768) = 48"),
    (call("getdents64", 4, 32768, result=b""), "getdents64(4, NULL /* 0 entries */, 32768) = 0"),
    (
        call("mknodat", -100, "/tmp/n1", 0o020600, 0x103, result=None),
        'mknodat(AT_FDCWD, "/tmp/n1", S_IFCHR|0600, makedev(0x1, 0x3)) = 0',
    ),
    (
        call("mknodat", -100, "/tmp/f1", 0o010600, 0, result=None),
        'mknodat(AT_FDCWD, "/tmp/f1", S_IFIFO|0600) = 0',
    ),
    (
        call("fcntl", 4, fcntl.F_GETFL, result=0o104002),
        "fcntl(4, F_GETFL)                 = 0x8802 (flags O_RDWR|O_NONBLOCK|O_LARGEFILE)",
    ),
    (
        call("fcntl", 4, fcntl.F_GETFD, result=1),
        "fcntl(4, F_GETFD)                 = 0x1 (flags FD_CLOEXEC)",
    ),
    (call("fcntl", 4, fcntl.F_GETFD, result=0), "fcntl(4, F_GETFD)                 = 0"),
    (
        call("ioctl", 4, 0x541B, memoryview(b"\5" + bytes(1000)), result=0),
        "ioctl(4, FIONREAD, [5])           = 0",
    ),
    (
        call("select", ([4, 6], [5], []), 500_000_000, result=([4], [5], [])),
        "pselect6(7, [4 6], [5], NULL, {tv_sec=0, tv_nsec=500000000}, NULL) = 2 (in [4], out [5])",
    ),
    (
        call("select", ([4], [], []), 1, result=([], [], [])),
        "pselect6(5, [4], NULL, NULL, {tv_sec=0, tv_nsec=1}, NULL) = 0 (Timeout)",
    ),
    (
        call("select", ([], [], []), error=4),
        "pselect6(0, NULL, NULL, NULL, NULL, NULL) = -1 EINTR (Interrupted system call)",
    ),
    (call("fcntl", 4, fcntl.F_SETFL, 0o4000, result=0), "fcntl(4, F_SETFL, O_RDONLY|O_NONBLOCK) = 0"),
    (
        call("fstat", 3, result=status(0o041777, st_size=60)),
        "fstat(3, {st_mode=S_IFDIR|S_ISVTX|0777, st_size=60, ...}) = 0",
    ),
    (call("close_range", 41, 49, result=None), "close_range(41, 49, 0)            = 0"),
    (call("umask", 0o22, result=0o22), "umask(022)                        = 022"),
    (call("getcwd", result="/tmp"), 'getcwd("/tmp", 4096)              = 5'),
    (call("memfd_create", "m", 1, result=14), 'memfd_create("m", MFD_CLOEXEC)    = 14'),
    (call("epoll_create1", 0o2000000, result=5), "epoll_create1(EPOLL_CLOEXEC)      = 5"),
    (call("eventfd2", 3, 0o4000, result=6), "eventfd2(3, EFD_NONBLOCK)         = 6"),
    (
        call("epoll_ctl", 5, 3, 6, 1 << 31 | 5, 6, result=None),
        "epoll_ctl(5, EPOLL_CTL_MOD, 6, {events=EPOLLIN|EPOLLOUT|EPOLLET, data=0x6}) = 0",
    ),
    (call("epoll_ctl", 5, 2, 6, result=None), "epoll_ctl(5, EPOLL_CTL_DEL, 6, NULL) = 0"),
    (
        call("epoll_wait", 5, 8, 100_000_000, result=[(5, 6)]),
        "epoll_wait(5, [{events=EPOLLIN|EPOLLOUT, data=0x6}], 8, 100) = 1",
    ),
    (call("epoll_wait", 5, 8, None, result=[]), "epoll_wait(5, [], 8, -1)          = 0"),
    (call("pipe2", 0o2000000, result=(8, 9)), "pipe2([8, 9], O_CLOEXEC)          = 0"),
    (call("dup3", 11, 31, 0o2000000, result=31), "dup3(11, 31, O_CLOEXEC)           = 31"),
    (call("fcntl", 3, 1, 0, result=0), "fcntl(3, F_GETFD)                 = 0"),
    (call("fcntl", 3, 2, 1, result=0), "fcntl(3, F_SETFD, FD_CLOEXEC)     = 0"),
    (call("fcntl", 3, 1030, 0, result=13), "fcntl(3, F_DUPFD_CLOEXEC, 0)      = 13"),
]
"""Output of strace 6.13 on Linux, with NULL in place of pointers."""


@pytest.mark.parametrize(("records", "line"), LINES)
def test_a_call_is_a_line_of_strace(records: list[Record], line: str) -> None:
    assert printed(records) == [f"7     {line}"]


def test_a_path_is_shown_whole() -> None:
    path = "/sys/bus/simbus/devices/0:1/driver"
    (line,) = printed(call("readlinkat", -100, path, result="../" * 20))
    assert f'"{path}"' in line
    assert f'"{"../" * 10}..", 4096'.replace('..", 4096', '.."..., 4096') in line
