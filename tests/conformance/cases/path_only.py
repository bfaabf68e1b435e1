"""O_PATH: file descriptors that only refer to a path, and the calls that accept them."""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from typing import Any

from simkernel.uapi import fcntl as f
from simkernel.uapi.socket import AF_UNIX, SOCK_STREAM
from tests.conformance.case import case
from tests.conformance.log import Log
from tests.conformance.programs.interface import Program
from tests.conformance.world import World

PROGRAMS = ("programs",)
O_PATH, NOFOLLOW, DIRECTORY = f.O_PATH, f.O_NOFOLLOW, f.O_DIRECTORY
EMPTY = f.AT_EMPTY_PATH
EVENTS = 0x3FFF
FIOCLEX = 0x5451


def tree(program: Program) -> None:
    """Create a directory with a file, a directory, a named pipe, a socket and symbolic links."""
    program.mkdir("d", 0o755)
    program.mkdir("d/e", 0o755)
    program.write_file("d/f", b"content")
    program.mkfifo("d/p")
    program.bind(program.socket(AF_UNIX, SOCK_STREAM), "d/s")
    program.close(3)
    for target, name in (("f", "to_file"), ("e", "to_folder"), ("nowhere", "dangling"), ("loop", "loop")):
        program.symlink(target, f"d/{name}")


def fdinfo(program: Program, fd: int) -> bytes:
    """Return the lines of /proc/self/fdinfo/FD with position and flags."""
    text: bytes = program.read_file(f"/proc/self/fdinfo/{fd}")
    return text.partition(b"mnt_id")[0]


def about(program: Program, fd: int) -> list[Any]:
    """Return mode, flags, path and fdinfo of a file descriptor, and the mode of its link in /proc."""
    link = program.lstat(f"/proc/self/fd/{fd}")
    place = program.readlink(f"/proc/self/fd/{fd}")
    return [
        oct(program.fstat(fd)[0]),
        oct(program.fcntl(fd, f.F_GETFL)),
        oct(link[0]),
        place,
        fdinfo(program, fd),
    ]


@case(privileged=True, marks=PROGRAMS)
def opening(world: World, log: Log) -> None:
    """O_PATH opens files of any type, and symbolic links if O_NOFOLLOW is set. With O_DIRECTORY, it opens
    only directories.
    """
    program = world.programs().start()
    tree(program)
    names = ("d", "d/f", "d/f/", "d/p", "d/s", "d/to_file", "d/to_file/", "d/to_folder", "d/to_folder/")
    for name in (
        *names,
        "d/dangling",
        "d/loop",
        "d/none",
        "d/f/x",
        "",
        ".",
        "/",
        "/dev/null",
        "/proc/self/cwd",
    ):
        for flags in (0, NOFOLLOW, DIRECTORY, NOFOLLOW | DIRECTORY):
            fd = log.call(f"{name} {flags:#o}", program.open, name, O_PATH | flags)
            if fd is not None:
                if name[:1] != "/":
                    log("about", about(program, fd))
                program.close(fd)


@case(privileged=True, marks=PROGRAMS)
def other_flags(world: World, log: Log) -> None:
    """O_PATH ignores all other flags except O_DIRECTORY, O_NOFOLLOW and O_CLOEXEC."""
    program = world.programs().start()
    tree(program)
    flags = (
        os.O_RDWR,
        3,
        os.O_TRUNC | os.O_WRONLY,
        os.O_APPEND,
        os.O_NONBLOCK,
        os.O_CLOEXEC,
        os.O_SYNC,
        os.O_NOATIME,
    )
    flags += (os.O_CREAT, os.O_CREAT | os.O_EXCL, os.O_TMPFILE, os.O_DIRECT, os.O_CREAT | DIRECTORY, 1 << 29)
    for flag in flags:
        for name in ("d/f", "d/new", "d"):
            fd = log.call(f"{name} {flag:#o}", program.open, name, O_PATH | flag)
            if fd is not None:
                log("about", about(program, fd))
                log.call("F_GETFD", program.fcntl, fd, f.F_GETFD)
                program.close(fd)
    log.call("not truncated", program.read_file, "d/f")


def everything(program: Program, log: Log, fd: int) -> None:
    """Make many different calls on one file descriptor, and record the results."""
    epoll = program.epoll_create()
    pair = program.socketpair(AF_UNIX, SOCK_STREAM)
    calls: list[tuple[str, Callable[..., Any], tuple[Any, ...]]] = [
        ("read", program.read, (fd, 10)),
        ("write", program.write, (fd, b"x")),
        ("pread", program.pread, (fd, 1, 0)),
        ("pwrite", program.pwrite, (fd, b"x", 0)),
        ("lseek", program.lseek, (fd, 0, 0)),
        ("fsync", program.fsync, (fd,)),
        ("ftruncate", program.ftruncate, (fd, 3)),
        ("fchmod", program.fchmod, (fd, 0o600)),
        ("fchown", program.fchown, (fd, 0, 0)),
        ("ioctl", program.ioctl, (fd, FIOCLEX)),
        ("listen", program.listen, (fd, 1)),
        ("getsockname", program.getsockname, (fd,)),
        ("shutdown", program.shutdown, (fd, 2)),
        ("poll", program.poll, ([(fd, EVENTS)], 0)),
        ("poll for nothing", program.poll, ([(fd, 0)], 0)),
        ("select", program.select, ([fd], [fd], [fd], 0)),
        ("epoll_ctl", program.epoll_ctl, (epoll, 1, fd, 1)),
        ("epoll_wait", program.epoll_wait, (fd, 1, 0)),
        ("fstat", program.fstat, (fd,)),
        ("fstatat", program.fstatat, (fd, "", EMPTY)),
        ("fstatat, no path", program.fstatat, (fd, "")),
        ("readlinkat", program.readlinkat, (fd, "")),
        ("openat", program.openat, (fd, "", os.O_RDONLY)),
        ("faccessat", program.faccessat, (fd, "", 4, EMPTY)),
        ("faccessat, no path", program.faccessat, (fd, "", 4)),
        ("fchownat", program.fchownat, (fd, "", 0, 0, EMPTY)),
        ("fchownat, no path", program.fchownat, (fd, "", 0, 0)),
        ("mkdirat", program.mkdirat, (fd, "")),
        ("fchdir", program.fchdir, (fd,)),
        ("getcwd", program.getcwd, ()),
        ("back", program.chdir, ("/mnt/case",)),
        *(
            (f"fcntl {command}", program.fcntl, (fd, command, 0))
            for command in (1, 2, 3, 4, 8, 9, 10, 11, 99)
        ),
        ("send", program.sendmsg, (pair[0], [b"x"], [fd])),
        ("receive", program.recvmsg, (pair[1], 1, 100)),
        ("dup", program.dup, (fd,)),
        ("dup2", program.dup2, (fd, 50)),
        ("dup3", program.dup3, (fd, 51, os.O_CLOEXEC)),
        ("F_DUPFD", program.fcntl, (fd, f.F_DUPFD, 60)),
        ("F_DUPFD_CLOEXEC", program.fcntl, (fd, f.F_DUPFD_CLOEXEC, 60)),
    ]
    for name, function, arguments in calls:
        log.call(name, function, *arguments)
    for copy in (50, 51, 60, 61):
        log(f"{copy}", about(program, copy))
    log.call("closerange", program.closerange, 50, 70)
    log.call("closed", program.fstat, 50)
    log.call("close", program.close, fd)
    log.call("again", program.close, fd)


@case(privileged=True, marks=PROGRAMS)
def calls_on_a_file(world: World, log: Log) -> None:
    """Most calls on an O_PATH descriptor of a regular file fail with EBADF."""
    program = world.programs().start()
    tree(program)
    everything(program, log, program.open("d/f", O_PATH))
    log.call("content", program.read_file, "d/f")


@case(privileged=True, marks=PROGRAMS)
def calls_on_a_directory(world: World, log: Log) -> None:
    """An O_PATH descriptor of a directory can be used for fchdir() and as dir_fd."""
    program = world.programs().start()
    tree(program)
    everything(program, log, program.open("d", O_PATH))


@case(privileged=True, marks=PROGRAMS)
def calls_on_a_link(world: World, log: Log) -> None:
    """An O_PATH descriptor of a symbolic link can be used for readlinkat() with an empty path."""
    program = world.programs().start()
    tree(program)
    everything(program, log, program.open("d/to_file", O_PATH | NOFOLLOW))


@case(privileged=True, marks=PROGRAMS)
def calls_on_a_socket(world: World, log: Log) -> None:
    """A process can connect to a socket by the /proc/self/fd path of its O_PATH descriptor."""
    program = world.programs().start()
    tree(program)
    fd = program.open("d/s", O_PATH)
    everything(program, log, program.dup(fd))
    server = program.socket(AF_UNIX, SOCK_STREAM)
    program.bind(server, "server")
    program.listen(server, 1)
    place = program.open("server", O_PATH)
    client = program.socket(AF_UNIX, SOCK_STREAM)
    log.call("connect", program.connect, client, f"/proc/self/fd/{place}")
    log.call("not listening", program.connect, client, f"/proc/self/fd/{fd}")


@case(privileged=True, marks=PROGRAMS)
def below(world: World, log: Log) -> None:
    """Calls with paths relative to an O_PATH descriptor of a directory, a file and a symbolic link."""
    program = world.programs().start()
    tree(program)
    for name, flags in (("d", 0), ("d/f", 0), ("d/to_folder", NOFOLLOW), ("d/to_folder", 0)):
        fd = program.open(name, O_PATH | flags)
        for path in ("f", "e", "..", ".", "/mnt/case/d/f"):
            log.call(f"{name} {flags:#o}: stat {path}", program.fstatat, fd, path)
        for label, call, arguments in (
            ("open", program.openat, ("f", os.O_RDONLY)),
            ("create", program.openat, ("n", os.O_CREAT, 0o600)),
            ("mkdir", program.mkdirat, ("m",)),
            ("unlink", program.unlinkat, ("n",)),
            ("rmdir", program.unlinkat, ("m", f.AT_REMOVEDIR)),
            ("readlink", program.readlinkat, ("to_file",)),
        ):
            log.call(f"{name} {flags:#o}: {label}", call, fd, *arguments)
        log.call("rename", program.renameat2, fd, "f", fd, "g")
        log.call("rename back", program.renameat2, fd, "g", fd, "f")


@case(privileged=True, marks=PROGRAMS)
def by_proc(world: World, log: Log) -> None:
    """/proc/self/fd/N of an O_PATH descriptor refers to the file, which can be opened even after unlink()."""
    program = world.programs().start()
    tree(program)
    fds = {
        name: program.open(f"d/{name}", O_PATH | NOFOLLOW)
        for name in ("f", "e", "p", "s", "to_file", "dangling")
    }
    for name, fd in fds.items():
        path = f"/proc/self/fd/{fd}"
        log.call(f"{name}: stat", lambda where: program.stat(where)[:2], path)
        for flags in (os.O_RDWR | os.O_NONBLOCK, os.O_RDONLY | DIRECTORY, O_PATH, O_PATH | NOFOLLOW):
            again = log.call(f"{name}: open {flags:#o}", program.open, path, flags)
            if again is not None:
                log("about", about(program, again)[:3])
                program.close(again)
        log.call(f"{name}: chmod", program.chmod, path, 0o640)
        log.call(f"{name}: readlink", program.readlink, path)
    log.call(
        "link",
        program.linkat,
        f.AT_FDCWD,
        f"/proc/self/fd/{fds['f']}",
        f.AT_FDCWD,
        "new",
        f.AT_SYMLINK_FOLLOW,
    )
    log.call("unlink", program.unlink, "d/f")
    log.call("unlink", program.unlink, "new")
    log.call("fstat", program.fstat, fds["f"])
    log.call("readlink", program.readlink, f"/proc/self/fd/{fds['f']}")
    log.call("content", program.read_file, f"/proc/self/fd/{fds['f']}")
    log.call("rmdir", program.rmdir, "d/e")
    log.call("create below", program.openat, fds["e"], "x", os.O_CREAT)
    log.call("look below", program.fstatat, fds["e"], "x")
    log.call("fchdir", program.fchdir, fds["e"])
    log.call("getcwd", program.getcwd)


@case(privileged=True, marks=PROGRAMS)
def users(world: World, log: Log) -> None:
    """open() with O_PATH needs search permission on the directories, but no permission on the file. Later
    calls on the descriptor check the permissions of the file.
    """
    programs = world.programs()
    root, user = programs.start(), programs.start(1000, 1000)
    root.mkdir("shut", 0o711)
    root.mkdir("shut/dark", 0o700)
    root.write_file("shut/secret", b"secret")
    root.write_file("shut/dark/secret", b"secret")
    root.chmod("shut/secret", 0)
    for name in ("shut", "shut/secret", "shut/dark", "shut/dark/secret"):
        fd = log.call(name, user.open, name, O_PATH)
        if fd is None:
            continue
        path = f"/proc/self/fd/{fd}"
        log.call("stat", user.fstat, fd)
        log.call("open", user.open, path, os.O_RDONLY)
        log.call("fchdir", user.fchdir, fd)
        log.call("access", user.faccessat, fd, "", 4, EMPTY)
        log.call("below", user.fstatat, fd, "secret")
        log.call("chown", user.fchownat, fd, "", 1000, -1, EMPTY)
        log.call("chmod", user.chmod, path, 0o777)
    log.call("FIFO of another", root.mkfifo, "shut/fifo", 0o600)
    log.call("open", user.open, "shut/fifo", O_PATH)


@case(privileged=True, marks=PROGRAMS)
def sent_and_inherited(world: World, log: Log) -> None:
    """An O_PATH descriptor can be sent in a message and inherited by a child."""
    programs = world.programs()
    a, b = programs.start(), programs.start(1000, 1000)
    tree(a)
    a.bind(a.socket(AF_UNIX, SOCK_STREAM), "server")
    a.chmod("server", 0o777)
    a.listen(3, 1)
    b.socket(AF_UNIX, SOCK_STREAM)
    b.connect(3, "server")
    a.accept(3)
    fd = a.open("d", O_PATH)
    log.call("send", a.sendmsg, 4, [b"x"], [fd])
    log.call("receive", b.recvmsg, 3, 10, 100)
    log("about", about(b, 4))
    log.call("below", b.fstatat, 4, "f")
    log.call("list", b.openat, 4, ".", os.O_RDONLY)
    child = a.fork()
    a.close(fd)
    log("about", about(child, fd))
    log.call("parent", a.fstat, fd)
    log.call("select", child.select, [fd], [], [], 1)
    log.call("poll", child.poll, [(fd, select.POLLIN), (4, select.POLLOUT)], 1)
