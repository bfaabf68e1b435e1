"""Files by path: symbolic links with a trailing slash, file positions, and removed directories."""

from __future__ import annotations

import os
import signal
import stat
from typing import Any

from simkernel.uapi.fcntl import F_SETFL, F_SETOWN
from simkernel.uapi.ioctls import FIONREAD
from simkernel.uapi.socket import AF_UNIX, SOCK_STREAM
from tests.conformance.case import case
from tests.conformance.log import Log
from tests.conformance.programs.interface import MNT, RECORD, Program
from tests.conformance.world import World

PROGRAMS = ("programs",)
NOBODY = 65534


@case(privileged=True, marks=PROGRAMS)
def a_link_that_ends_with_a_slash(world: World, log: Log) -> None:
    """A symbolic link to `a/` cannot be followed if `a` is a regular file."""
    a = world.programs().start()
    a.write_file("a", b"12345")
    a.symlink("a/", "b")
    for call, *arguments in (
        ("stat", "b"), ("truncate", "b", 1), ("chmod", "b", 0o600), ("chown", "b", 1, 1), ("utime", "b"),
        ("access", "b", 0), ("open", "b", os.O_RDONLY), ("open", "b", os.O_CREAT | os.O_WRONLY, 0o644),
        ("chdir", "b"), ("listdir", "b"), ("lstat", "b"), ("readlink", "b"),
    ):  # fmt: skip
        log.call(call, getattr(a, call), *arguments)
    log.call("the file", a.stat, "a")


@case(privileged=True, marks=PROGRAMS)
def a_link_to_itself_with_a_slash(world: World, log: Log) -> None:
    """The target of the symbolic link `l` is `l/`. open("l") fails with ELOOP. If O_CREAT is set, the error
    is EISDIR. If O_EXCL is set too, the error is EEXIST. O_CREAT with O_NOFOLLOW fails with ELOOP.
    """
    a = world.programs().start()
    a.symlink("l/", "l")
    for flags in (os.O_CREAT, os.O_RDONLY, os.O_CREAT | os.O_EXCL, os.O_CREAT | os.O_NOFOLLOW):
        log.call(f"open {flags:#o}", a.open, "l", flags, 0o644)
    log.call("stat", a.stat, "l")


@case(privileged=True, marks=PROGRAMS)
def bytes_left(world: World, log: Log) -> None:
    """FIONREAD of a regular file returns size minus position, which is negative beyond the end."""
    a = world.programs().start()
    fd = a.open("f", os.O_CREAT | os.O_RDWR, 0o644)
    a.write(fd, b"12345")
    for position in (0, 5, 8, 1 << 32):
        a.lseek(fd, position, os.SEEK_SET)
        log.call(f"at {position}", a.ioctl, fd, FIONREAD, bytes(4))


@case(privileged=True, marks=PROGRAMS)
def neither_read_nor_write(world: World, log: Log) -> None:
    """A file that is opened with access mode 3 can be neither read nor written."""
    a = world.programs().start()
    a.write_file("f", b"12345")
    fd = a.open("f", 3)
    log.call("read", a.read, fd, 1)
    log.call("write", a.write, fd, b"x")
    log.call("F_GETFL", a.fcntl, fd, 3)
    log.call("ftruncate", a.ftruncate, fd, 0)


@case(privileged=True, marks=PROGRAMS)
def neither_read_nor_write_of_others(world: World, log: Log) -> None:
    """Access mode 3 needs read and write permission. FIFOs, directories and devices return their own
    errors.
    """
    programs = world.programs()
    root, user = programs.start(), programs.start(1000)
    root.mkfifo("p", 0o666)
    root.chmod("p", 0o666)
    root.mkdir("d")
    root.write_file("r", b"")
    for path in ("p", "d", "r", "/dev/null", "/proc/self/comm"):
        log.call(f"{path}", user.open, path, 3 | os.O_NONBLOCK)
    fd = root.open("/dev/null", 3)
    log.call("read", root.read, fd, 1)
    log.call("write", root.write, fd, b"x")
    log.call("pread", root.pread, fd, 1, 0)
    log.call("poll", root.poll, [(fd, 5)], 0)


def position(program: Program, fd: int) -> str:
    """Return the `pos:` line of /proc/self/fdinfo/FD."""
    return program.read_file(f"/proc/self/fdinfo/{fd}").decode().splitlines()[0]


@case(privileged=True, marks=PROGRAMS)
def positions(world: World, log: Log) -> None:
    """Pipes, sockets, eventfds and devices such as /dev/zero keep file position 0 after reads and writes. For
    pipes and sockets, lseek() fails with ESPIPE. For eventfds, epoll files and these devices, it returns 0.
    """
    a = world.programs().start()
    read, write = a.pipe()
    one, other = a.socketpair(AF_UNIX, SOCK_STREAM)
    eventfd, epoll = a.eventfd(0), a.epoll_create()
    a.mkfifo("p")
    files = {
        "file": a.open("f", os.O_CREAT | os.O_RDWR), "fifo": a.open("p", os.O_RDWR), "read": read,
        "write": write, "one": one, "other": other, "eventfd": eventfd, "epoll": epoll,
        "null": a.open("/dev/null", os.O_RDWR), "zero": a.open("/dev/zero", os.O_RDWR),
        "full": a.open("/dev/full", os.O_RDWR), "urandom": a.open("/dev/urandom", os.O_RDWR),
        "random": a.open("/dev/random", os.O_RDWR), "memfd": a.memfd_create("m"),
    }  # fmt: skip
    for name, fd in files.items():
        log.call(f"write {name}", a.write, fd, b"12345678")
    for name, fd in files.items():
        if name not in ("write", "one", "urandom", "random"):
            log.call(f"read {name}", a.read, fd, 8)
    a.read(files["urandom"], 3)
    a.read(files["random"], 3)
    for name, fd in files.items():
        log(f"{name}", position(a, fd))
        for whence in (os.SEEK_CUR, os.SEEK_SET, os.SEEK_END, 9):
            log.call(f"{name}: lseek {whence}", a.lseek, fd, 5, whence)
        log(f"{name}", position(a, fd))
        if "random" not in name:
            log.call(f"{name}: pread", a.pread, fd, 1, 2)
        log.call(f"{name}: pwrite", a.pwrite, fd, b"12345678", 2)


@case(privileged=True, marks=PROGRAMS)
def names_of_processes(world: World, log: Log) -> None:
    """/proc/PID/comm keeps a newline that was written to it. /proc/PID/status escapes the newline, but
    /proc/PID/stat does not.
    """
    a = world.programs().start()
    for name in (b"new\n", b"a\nb\\c", b"0123456789abcdefgh", b"\n", b"", b"x\0y"):
        log.call("write", a.write_file, "/proc/self/comm", name)
        log("comm", a.read_file("/proc/self/comm"))
        log("status", a.read_file("/proc/self/status").splitlines()[0])
        log("stat", a.read_file("/proc/self/stat").partition(b" ")[2].rpartition(b")")[0])


@case(privileged=True, marks=PROGRAMS)
def closed_together(world: World, log: Log) -> None:
    """close_range(2) first frees all descriptors and only then releases the files, starting with the highest
    descriptor.
    """
    a = world.programs().start()
    a.signal(signal.SIGIO, RECORD)
    for low in (3, 4):
        read, write = a.pipe()
        if low == 4:
            # Move the read end to descriptor 10. The write end has descriptor 4, so close_range() releases
            # the read end first.
            a.dup2(read, 10)
            a.close(read)
        a.fcntl(write, F_SETOWN, a.pid)
        a.fcntl(write, F_SETFL, os.O_ASYNC)
        a.closerange(3, 12)
        log("caught", a.caught())


@case(privileged=True, marks=PROGRAMS)
def vectors_without_a_byte(world: World, log: Log) -> None:
    """readv() and writev() with a total of 0 bytes do not call the file operation. read() and write() with 0
    bytes call it.
    """
    a = world.programs().start()
    eventfd, (read, write), folder = a.eventfd(1), a.pipe(), a.open(".", os.O_RDONLY)
    for name, fd in (
        ("eventfd", eventfd),
        ("read", read),
        ("write", write),
        ("folder", folder),
        ("none", 99),
        ("epoll", a.epoll_create()),
    ):
        log.call(f"{name}: read", a.read, fd, 0)
        log.call(f"{name}: readv", a.readv, fd, [0, 0])
        log.call(f"{name}: write", a.write, fd, b"")
        log.call(f"{name}: writev", a.writev, fd, [b"", b""])


@case(privileged=True, marks=PROGRAMS)
def two_wrong_paths(world: World, log: Log) -> None:
    """If both paths are invalid, link() returns the error of the old path. rename() looks up the directories
    of both paths first, so it can return the error of the new path's directory.
    """
    a = world.programs().start()
    a.write_file("f", b"")
    for call in ("rename", "link", "symlink"):
        for old, new in (
            ("f/a", ""),
            ("", "f/a"),
            ("no", "f/a"),
            ("no/a", "f/a"),
            ("f/a", "no/a"),
            ("f", ""),
        ):
            log.call(f"{call} {old!r}, {new!r}", getattr(a, call), old, new)


@case(privileged=True, marks=PROGRAMS)
def long_names_in_a_removed_folder(world: World, log: Log) -> None:
    """In a removed directory, calls with a name that is too long fail with ENOENT, not ENAMETOOLONG."""
    a = world.programs().start()
    a.mkdir("d")
    a.chdir("d")
    log.call("stat", a.stat, "n" * 256)
    a.rmdir("../d")
    for call in (a.stat, a.unlink, a.mkdir, a.read_file, a.readlink):
        log.call("removed", call, "n" * 256)
        log.call("removed", call, "n")


STORE, LOAD = "store", "load"
"""Names of two sequences of calls that `made` executes: open, lseek, write, lseek, close (STORE) and open,
pread, read, lseek, close (LOAD).
"""


def made(program: Program, call: str, *arguments: Any) -> Any:
    """Make one call of the list that `long_story` returns, and return its result."""
    if call == "open":
        program.close(program.open(*arguments))
        return "opened"
    if call == STORE:
        path, flags, data, offset = arguments
        fd = program.open(path, flags, 0o644)
        moved = program.lseek(fd, offset, os.SEEK_SET)
        result: Any = (moved, program.write(fd, data), program.lseek(fd, 0, os.SEEK_CUR))
    elif call == LOAD:
        path, size, offset = arguments
        fd = program.open(path, os.O_RDONLY)
        result = (program.pread(fd, size, offset), program.read(fd, size), program.lseek(fd, 0, os.SEEK_END))
    elif call == "seek":
        path, offset, whence = arguments
        fd = program.open(path, os.O_RDONLY)
        try:
            result = program.lseek(fd, offset, whence)
        finally:
            program.close(fd)
        return result
    else:
        return getattr(program, call)(*arguments)
    program.close(fd)
    return result


def long_story() -> list[tuple[Any, ...]]:
    """Return a long list of calls. Each call has a user, a name and arguments."""
    loop = [(0, "symlink", "l1", "l0"), *((0, "symlink", f"l{n - 1}", f"l{n}") for n in range(2, 45))]
    return [
        (0, "store", "l0file", os.O_CREAT | os.O_RDWR, b"data", 0),
        (0, "symlink", "l0file", "l1"),
        *((0, "symlink", f"l{n - 1}", f"l{n}") for n in range(2, 45)),
        *((0, "stat", f"l{n}") for n in (1, 39, 40, 41, 44)),
        *loop,
        (0, "mkdir", "sticky", 0o1777), (0, "chmod", "sticky", 0o1777),
        (0, "open", "sticky/root", os.O_CREAT, 0o666),
        (NOBODY, "unlink", "sticky/root"), (NOBODY, "rename", "sticky/root", "sticky/mine"),
        (NOBODY, "mkdir", "sticky/mine", 0o755), (0, "rmdir", "sticky/mine"),
        (0, "chmod", "sticky", 0o777), (0, "open", "theirs", os.O_CREAT, 0o644),
        *(step for mode in (0o666, 0o644, 0o4666, 0o2676, 0o2666) for step in (
          (0, "chmod", "theirs", mode), (NOBODY, "link", "theirs", f"sticky/{mode}"))),
        (NOBODY, "link", "group", "sticky/group"), (NOBODY, "link", "l1", "sticky/l1"),
        (NOBODY, "link", "l0file", "root/of/nobody"), (0, "listdir", "sticky"),
        (0, "mkdir", "group", 0o2777), (0, "chmod", "group", 0o2777), (0, "chown", "group", -1, NOBODY),
        (0, "stat", "group"), (0, "mkdir", "group/in", 0o755), (0, "stat", "group/in"),
        (0, "open", "group/file", os.O_CREAT, 0o2755), (0, "stat", "group/file"),
        (NOBODY, "open", "suid", os.O_CREAT, 0o755), (NOBODY, "chmod", "suid", 0o6755), (0, "stat", "suid"),
        (0, "chown", "suid", 0, 0), (0, "stat", "suid"),
        (0, "mkdir", "d", 0o755), (0, "mkdir", "d/e", 0o755), (0, "rename", "d", "d/e/f"),
        (0, "rename", "d/e", "d"), (0, "rename", "d/e/", "moved/"), (0, "listdir", "d"), (0, "stat", "d"),
        (0, "chdir", "moved"), (0, "rename", "/case/moved", "/case/again"), (0, "getcwd"),
        (0, "rmdir", "/case/again"), (0, "getcwd"), (0, "open", "new", os.O_CREAT, 0o644),
        (0, "listdir", "."), (0, "stat", "."), (0, "chdir", ".."), (0, "getcwd"),
        (0, "symlink", "nowhere", "dangling"), (0, "open", "dangling", os.O_CREAT | os.O_EXCL, 0o644),
        (0, "open", "dangling", os.O_CREAT | os.O_NOFOLLOW, 0o644),
        (0, "open", "dangling", os.O_CREAT, 0o644), (0, "lstat", "nowhere"),
        (0, "mkdir", "dangling", 0o755), (0, "rmdir", "dangling"), (0, "unlink", "dangling/"),
        (0, "truncate", "sparse", 100_000), (0, "open", "sparse", os.O_CREAT | os.O_RDWR, 0o644),
        (0, "truncate", "sparse", 100_000), (0, "store", "sparse", os.O_RDWR, b"x", 50_000),
        *((0, "seek", "sparse", offset, whence) for offset in (0, 48_000, 49_152,
          50_001, 53_248, 99_999, 100_000) for whence in (os.SEEK_DATA, os.SEEK_HOLE)),
        (0, "truncate", "sparse", 50_000), (0, "truncate", "sparse", 60_000),
        (0, "load", "sparse", 20, 49_990),
    ]  # fmt: skip


@case(privileged=True, marks=PROGRAMS)
def what_random_programs_seldom_reach(world: World, log: Log) -> None:
    """Situations that random programs seldom reach: 40 symbolic links, sticky and set-group-ID directories,
    sparse files.
    """
    programs = world.programs()
    users = {0: programs.start(0, 0, (), MNT), NOBODY: programs.start(NOBODY, NOBODY, (), MNT)}
    for user, call, *arguments in long_story():
        log.call(f"{user}: {call} {arguments[0] if arguments else ''}", made, users[user], call, *arguments)


@case(privileged=True, marks=PROGRAMS)
def opened_in_a_sticky_directory(world: World, log: Log) -> None:
    """In a sticky, world-writable directory, open(O_CREAT) refuses another user's device or socket."""
    programs = world.programs()
    users = {0: programs.start(), NOBODY: programs.start(NOBODY, NOBODY)}
    root = users[0]
    root.mkdir("d", 0o777)
    root.mknod("d/block", stat.S_IFBLK | 0o666, 0)
    root.mknod("d/char", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    root.mknod("d/socket", stat.S_IFSOCK | 0o666, 0)
    root.mknod("d/fifo", stat.S_IFIFO | 0o666, 0)
    root.write_file("d/file", b"")
    root.chmod("d/file", 0o666)
    for mode in (0o777, 0o1777, 0o1775, 0o1757):
        root.chmod("d", mode)
        for owner in (0, 7, NOBODY):
            for name in ("block", "char", "socket", "fifo", "file"):
                root.chown(f"d/{name}", owner, 0)
                for user, program in users.items():
                    flags = os.O_CREAT | os.O_RDWR | os.O_NONBLOCK
                    log.call(f"{mode:o}, {name} of {owner}, by {user}", opened, program, f"d/{name}", flags)


def opened(program: Program, path: str, flags: int) -> None:
    """Open a file with mode 0644 and close it, to find out if open() succeeds."""
    program.close(program.open(path, flags, 0o644))


@case(privileged=True, marks=PROGRAMS)
def names_in_a_removed_directory(world: World, log: Log) -> None:
    """Creating a name in a removed directory fails with ENOENT before other checks. Only open(O_CREAT) of a
    name with a trailing slash fails with EISDIR.
    """
    programs = world.programs()
    root, user = programs.start(), programs.start(NOBODY, NOBODY)
    root.write_file("f", b"")
    root.symlink("f", "link")
    root.mkdir("d", 0o777)
    for program in (root, user):
        program.chdir("d")
    root.rmdir("../d")
    for name, program in (("root", root), ("user", user)):
        for new in ("n", "n/", "n" * 300):
            for call, *arguments in (
                ("rename", "/case/f"), ("link", "/case/f"), ("link", "/case/link"), ("link", "/case"),
                ("symlink", "f"),
            ):  # fmt: skip
                log.call(f"{name}: {call} {arguments[0]} {new[:2]}", getattr(program, call), *arguments, new)
            log.call(f"{name}: mkdir {new[:2]}", program.mkdir, new, 0o755)
            log.call(f"{name}: mknod {new[:2]}", program.mknod, new, stat.S_IFBLK | 0o644, 0)
            log.call(f"{name}: open {new[:2]}", opened, program, new, os.O_CREAT)
