"""Limits of files, pipes and eventfds: sizes at and beyond the maximum, flags, hard links, pages of pipes."""

from __future__ import annotations

import os
import stat
from itertools import pairwise, product

from simkernel.uapi.fcntl import F_GETFD, F_GETFL, F_GETPIPE_SZ, F_SETFL, F_SETOWN, F_SETPIPE_SZ, O_DIRECT
from simkernel.uapi.ioctls import FIOASYNC, FIOCLEX, FIONBIO, FIONCLEX, FIONREAD
from simkernel.uapi.poll import POLLIN, POLLOUT
from simkernel.uapi.signal import SIGIO
from simkernel.uapi.socket import (
    AF_NETLINK,
    AF_UNIX,
    SO_TIMESTAMP,
    SO_TIMESTAMP_NEW,
    SO_TIMESTAMPING,
    SO_TIMESTAMPING_NEW,
    SO_TIMESTAMPNS,
    SO_TIMESTAMPNS_NEW,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
)
from tests.conformance.case import case
from tests.conformance.log import Log
from tests.conformance.programs.interface import RECORD
from tests.conformance.world import World

PROGRAMS = ("programs",)
LAST = (1 << 63) - 1
ULLONG_MAX = (1 << 64) - 1
PAGE = 4096
ANY = 0x7FFF
OPT_ID, OPT_TSONLY, OPT_STATS, BIND_PHC, OPT_ID_TCP = (1 << bit for bit in (7, 11, 12, 15, 16))
"""Flags of SO_TIMESTAMPING (include/uapi/linux/net_tstamp.h)."""


def int8(value: int) -> bytes:
    return value.to_bytes(8, "little")


# -- sizes and positions ----------------------------------------------------------------


@case(privileged=True, marks=PROGRAMS)
def file_of_the_maximum_size(world: World, log: Log) -> None:
    """A write at an offset below the maximum file size (2^63 - 1) succeeds. At the maximum, pwrite() fails
    with EINVAL, and an append fails with EFBIG.
    """
    a = world.programs().start()
    fd = a.open("f", os.O_CREAT | os.O_RDWR, 0o644)
    append = a.open("f", os.O_RDWR | os.O_APPEND)
    for size in (-1, LAST, LAST - 1, LAST - 3):
        log.call(f"ftruncate {size}", a.ftruncate, fd, size)
        log.call("size", a.fstat, fd)
        for offset in (LAST - 3, LAST - 1, LAST, -1):
            log.call(f"pwrite at {offset}", a.pwrite, fd, b"", offset)
            log.call(f"pwrite at {offset}", a.pwrite, fd, b"x", offset)
            log.call(f"pread at {offset}", a.pread, fd, 1, offset)
        log.call("append", a.write, append, b"y")
        log.call("append nothing", a.write, append, b"")
        log.call("position", a.lseek, append, 0, os.SEEK_CUR)
        for offset, whence in ((LAST, 0), (1, 1), (0, 1), (1, 2), (0, 2), (-1, 2), (LAST, 3), (LAST, 4)):
            log.call(f"lseek {offset} {whence}", a.lseek, fd, offset, whence)
        log.call("write at the end", a.write, fd, b"z")
        log.call("bytes left", a.ioctl, fd, FIONREAD, bytes(4))


# -- eventfd ---------------------------------------------------------------------------------


@case(privileged=True, marks=PROGRAMS)
def eventfd_near_its_maximum(world: World, log: Log) -> None:
    """The counter of an eventfd is at most 2^64 - 2. A write that would exceed this value blocks until a
    read.
    """
    a = world.programs().start()
    for flags in (0, os.EFD_SEMAPHORE):
        fd = a.eventfd(0, flags | os.EFD_NONBLOCK)
        for value in (0, 1, ULLONG_MAX - 3, 1, 0, 1, 2, ULLONG_MAX - 1, ULLONG_MAX):
            log.call(f"write {value:#x}", a.write, fd, int8(value))
            log.call("poll", a.poll, [(fd, ANY)], 0)
            log.call("fdinfo", lambda fd=fd: a.read_file(f"/proc/self/fdinfo/{fd}").split()[9])
        for size in (0, 7, 8, 9, 8):
            log.call(f"read {size}", a.read, fd, size)
            log.call("poll", a.poll, [(fd, ANY)], 0)
        log.call("write 7 bytes", a.write, fd, bytes(7))
        log.call("write 9 bytes", a.write, fd, bytes(9))
        log.call("lseek", a.lseek, fd, 5, 0)
        while log.call("read", a.read, fd, 8) not in (None, int8(1)):
            pass
        a.close(fd)
    fd = a.eventfd(0)
    a.write(fd, int8(ULLONG_MAX - 1))
    b = a.fork()
    waiting = b.begin("write", fd, int8(2))
    log("waits", not waiting.done())
    log.call("read", a.read, fd, 8)
    log.call("written", waiting.result)
    log.call("read", a.read, fd, 8)
    waiting = b.begin("poll", [(fd, POLLIN | POLLOUT)], 10_000)
    log.call("polled", waiting.result)
    waiting = b.begin("read", fd, 8)
    a.write(fd, int8(0))
    log("waits for more than 0", not waiting.done())
    a.write(fd, int8(3))
    log.call("read", waiting.result)


# -- flags by ioctl ---------------------------------------------------------------------------


@case(privileged=True, marks=PROGRAMS)
def flags_by_ioctl(world: World, log: Log) -> None:
    """FIONBIO and FIOASYNC set a file flag if their int argument is not 0. FIOASYNC calls the file's fasync
    operation only if the flag O_ASYNC changes. FIOCLEX and FIONCLEX take no argument.
    """
    a = world.programs().start()
    a.signal(SIGIO, RECORD)
    read, write = a.pipe()
    one, other = a.socketpair(AF_UNIX, SOCK_STREAM)
    file = a.open("f", os.O_CREAT | os.O_RDWR, 0o644)
    folder = a.open(".", os.O_RDONLY)
    fds = {"read": read, "socket": one, "file": file, "folder": folder, "eventfd": a.eventfd(0)}
    for name, fd in fds.items():
        log.call(f"{name}: owner", a.fcntl, fd, F_SETOWN, a.pid)
        for request in (FIONBIO, FIOASYNC):
            for value in (1, 1, 0, 0, -1, 256, 0):
                argument = value.to_bytes(4, "little", signed=True)
                log.call(f"{name}: {request:#x} {value}", a.ioctl, fd, request, argument)
                log.call("flags", a.fcntl, fd, F_GETFL)
                if name == "read":
                    a.write(write, b"x")
                elif name == "socket":
                    a.send(other, b"x")
                log("signals", a.caught())
        for request in (FIOCLEX, FIOCLEX, FIONCLEX, FIONCLEX):
            log.call(f"{name}: {request:#x}", a.ioctl, fd, request, 0)
            log.call("descriptor", a.fcntl, fd, F_GETFD)
        for flags in (os.O_ASYNC, os.O_APPEND, os.O_NONBLOCK | os.O_ASYNC, O_DIRECT, os.O_NOATIME, 0):
            log.call(f"{name}: F_SETFL {flags:#o}", a.fcntl, fd, F_SETFL, flags)
            log.call("flags", a.fcntl, fd, F_GETFL)


# -- pipes --------------------------------------------------------------------------------------


@case(privileged=True, marks=PROGRAMS)
def pages_of_a_pipe(world: World, log: Log) -> None:
    """A write of N bytes first adds N modulo PAGE_SIZE bytes to the last page of the pipe, if they fit into
    this page. Packets (O_DIRECT) never share a page.
    """
    a = world.programs().start()
    for packets in (0, O_DIRECT):
        read, write = a.pipe2(packets | os.O_NONBLOCK)
        for sizes, reads in (
            ((1, PAGE - 1, 1, PAGE, PAGE - 1), (1, PAGE, PAGE)),
            ((2 * PAGE + 1, PAGE - 1, 3 * PAGE + 5), (PAGE + 1, PAGE - 1, 1)),
            ((15 * PAGE + 1, PAGE, PAGE - 1, 1), (PAGE, 1, 9, PAGE - 10)),
            ((20 * PAGE, 1), (3 * PAGE, 5)),
        ):
            for size in sizes:
                log.call(f"write {size}", a.write, write, bytes(size))
            log.call("bytes", a.ioctl, read, FIONREAD, bytes(4))
            for size in (*reads, *[20 * PAGE] * (20 if packets else 1)):
                log.call(f"read {size}", lambda size=size, read=read: len(a.read(read, size)))
            log.call("poll", a.poll, [(read, ANY), (write, ANY)], 0)
        for fd in (read, write):
            log.call("lseek", a.lseek, fd, 0, 0)
            log.call("pread", a.pread, fd, 1, 0)
            a.close(fd)


@case(privileged=True, marks=PROGRAMS)
def sizes_of_a_pipe(world: World, log: Log) -> None:
    """F_SETPIPE_SZ rounds up to a power of two of pages. It refuses a size that is too small for the pipe's
    contents.
    """
    programs = world.programs()
    root, user = programs.start(), programs.start(1000, 100)
    for name, a in (("root", root), ("user", user)):
        read, write = a.pipe2(os.O_NONBLOCK)
        for size in (
            0, 1, PAGE, PAGE + 1, 3 * PAGE, 1 << 20, (1 << 20) + 1, 2 << 20, 1 << 31, (1 << 31) + 1, -1,
            1 << 32, PAGE * 4,
        ):  # fmt: skip
            if name == "root" and 1 << 20 < size & 0xFFFFFFFF <= 1 << 31:
                continue  # In a container, root may lack CAP_SYS_RESOURCE.
            log.call(f"{name}: size {size:#x}", a.fcntl, write, F_SETPIPE_SZ, size)
            log.call("size", a.fcntl, read, F_GETPIPE_SZ)
        a.fcntl(write, F_SETPIPE_SZ, 4 * PAGE)
        log.call("write", a.write, write, bytes(5 * PAGE))
        for size in (2 * PAGE, 3 * PAGE, PAGE, 4 * PAGE, 8 * PAGE):
            log.call(f"{name}: size {size:#x}", a.fcntl, write, F_SETPIPE_SZ, size)
            log.call("poll", a.poll, [(write, ANY)], 0)
        log.call("write", a.write, write, bytes(5 * PAGE))


# -- hard links and sticky directories ------------------------------------------------------


@case(privileged=True, marks=PROGRAMS)
def links_to_files_of_another_user(world: World, log: Log) -> None:
    """With fs.protected_hardlinks=1, a user may link another user's file only if it is a regular file, is
    readable and writable for the user, and is no set-ID program.
    """
    programs = world.programs()
    root, user = programs.start(), programs.start(1000, 100)
    for number, mode in enumerate(
        (
            0o666,
            0o676,
            0o677,
            0o644,
            0o622,
            0o600,
            0o4666,
            0o2666,
            0o2676,
            0o2667,
            0o2677,
            0o1666,
            0o6666,
            0o2660,
        )
    ):
        root.write_file(f"f{number}", b"")
        root.chmod(f"f{number}", mode)
        log.call(f"{mode:o}", user.link, f"f{number}", f"l{number}")
        root.chown(f"f{number}", 1000, 0)
        log.call(f"{mode:o} owned", user.link, f"f{number}", f"m{number}")
    root.mkfifo("fifo", 0o666)
    root.chmod("fifo", 0o666)
    root.symlink("f0", "s")
    log.call("fifo", user.link, "fifo", "l")
    log.call("symbolic link", user.link, "s", "l2")


@case(privileged=True, marks=PROGRAMS)
def removal_in_a_sticky_directory(world: World, log: Log) -> None:
    """In a sticky directory, only root, the directory's owner and the file's owner can remove or rename a
    file. Without the sticky bit, each user with write permission for the directory can do so.
    """
    programs = world.programs()
    users = {0: programs.start(), 1000: programs.start(1000, 100), 1001: programs.start(1001, 100)}
    root = users[0]
    for sticky, folder_owner, file_owner in product((0, stat.S_ISVTX), (0, 1000), (0, 1000, 1001)):
        root.mkdir("d")
        root.chmod("d", 0o777 | sticky)
        root.chown("d", folder_owner, 0)
        for user, a in users.items():
            for call in ("unlink", "rename", "replace", "rmdir"):
                root.mkdir("d/f") if call == "rmdir" else root.write_file("d/f", b"")
                root.chown("d/f", file_owner, 0)
                arguments = {
                    "unlink": ("unlink", "d/f"), "rename": ("rename", "d/f", "d/g"),
                    "replace": ("rename", "mine", "d/f"), "rmdir": ("rmdir", "d/f"),
                }[call]  # fmt: skip
                if call == "replace":
                    root.write_file("mine", b"")
                    root.chown("mine", user, 0)
                label = f"{sticky:o} {folder_owner} {file_owner}: {call} by {user}"
                log.call(label, getattr(a, arguments[0]), *arguments[1:])
                for name in root.listdir("d"):
                    root.rmdir("d/f") if call == "rmdir" else root.unlink(f"d/{name}")
        root.rmdir("d")


# -- timestamps of sockets --------------------------------------------------------------------

STAMPS = {
    "TIMESTAMP": SO_TIMESTAMP, "TIMESTAMPNS": SO_TIMESTAMPNS, "TIMESTAMP_NEW": SO_TIMESTAMP_NEW,
    "TIMESTAMPNS_NEW": SO_TIMESTAMPNS_NEW, "TIMESTAMPING": SO_TIMESTAMPING,
    "TIMESTAMPING_NEW": SO_TIMESTAMPING_NEW,
}  # fmt: skip


@case(privileged=True, marks=PROGRAMS)
def timestamp_options_exclude_each_other(world: World, log: Log) -> None:
    """If a program sets or clears one timestamp option of a socket, the values of the socket's other
    timestamp options can change.
    """
    a = world.programs().start()
    for family, kind in ((AF_UNIX, SOCK_DGRAM), (AF_NETLINK, SOCK_DGRAM)):
        fd = a.socket(family, kind)
        order = [*STAMPS, *reversed(STAMPS), "TIMESTAMPNS", "TIMESTAMPING_NEW", "TIMESTAMP_NEW"]
        steps = [(name, value) for pair in pairwise(order) for name, value in zip(pair, (1, 0), strict=True)]
        for name, value in [*steps, *((name, 1) for name in order)]:
            log.call(f"{name} = {value}", a.setsockopt, fd, SOL_SOCKET, STAMPS[name], value)
            log("all", [a.getsockopt(fd, SOL_SOCKET, each, 8) for each in STAMPS.values()])


@case(privileged=True, marks=PROGRAMS)
def flags_of_timestamping(world: World, log: Log) -> None:
    """SO_TIMESTAMPING accepts only flags that the kernel knows. Some of these flags need another flag."""
    a = world.programs().start()
    fd = a.socket(AF_UNIX, SOCK_DGRAM)
    needs = {OPT_ID_TCP: OPT_ID, OPT_STATS: OPT_TSONLY}
    values = [1 << bit for bit in range(32) if 1 << bit != BIND_PHC]
    values += [one | other for one, other in needs.items()]
    values += [one | other for one, other in product(needs, values[:8])]
    values += [one | wrong for one, wrong in zip(needs, reversed(needs.values()), strict=True)]
    values += [sum(needs) | sum(needs.values()), sum(needs), 0, -1]
    for option in (SO_TIMESTAMPING, SO_TIMESTAMPING_NEW):
        for value in values:
            raw = (value & 0xFFFFFFFF).to_bytes(4, "little")
            log.call(f"{option} = {value:#x}", a.setsockopt, fd, SOL_SOCKET, option, raw)
            log("shown", [a.getsockopt(fd, SOL_SOCKET, option, length) for length in (4, 8)])
