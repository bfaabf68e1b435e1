"""File modes, owners and limits: which calls clear mode bits, and access to another user's process."""

from __future__ import annotations

import os
import stat

from simkernel.uapi.resource import RLIMIT_NOFILE
from tests.conformance.case import case
from tests.conformance.log import Log
from tests.conformance.world import World

PROGRAMS = ("programs",)
MODES = (0o4755, 0o2755, 0o6755, 0o6745, 0o2644, 0o7777, 0o644)


@case(privileged=True, marks=PROGRAMS)
def made_in_a_setgid_directory(world: World, log: Log) -> None:
    """If an unprivileged process that is not in the group of a setgid directory creates a file there with
    S_ISGID and S_IXGRP, the kernel clears S_ISGID. A new directory always gets S_ISGID.
    """
    programs = world.programs()
    root = programs.start()
    root.mkdir("d")
    root.chown("d", 0, 100)
    root.chmod("d", 0o2777)
    users = {"root": root, "user": programs.start(1000, 1000), "member": programs.start(1001, 7, (100,))}
    for name, program in users.items():
        for umask in (0, 0o22, 0o10):
            program.umask(umask)
            for mode in (0o6755, 0o2745, 0o2010):
                made = f"d/{name}{umask:o}{mode:o}"
                program.close(program.open(made, os.O_CREAT | os.O_WRONLY, mode))
                program.mknod(made + "n", stat.S_IFREG | mode)
                program.mkfifo(made + "p", mode)
                program.mkdir(made + "d", mode)
                modes = [f"{root.stat(made + kind)[0]:o}" for kind in ("", "n", "p", "d")]
                log(f"{name}, umask {umask:o}, mode {mode:o}", modes)


@case(privileged=True, marks=PROGRAMS)
def what_a_write_takes_away(world: World, log: Log) -> None:
    """A write, truncate, ftruncate or O_TRUNC without CAP_FSETID clears S_ISUID and S_ISGID."""
    programs = world.programs()
    root = programs.start()
    users = {"root": root, "owner": programs.start(1000, 1000), "member": programs.start(1001, 7, (100,))}
    calls = {
        "write": lambda program, fd: program.write(fd, b"x"),
        "write nothing": lambda program, fd: program.write(fd, b""),
        "pwrite": lambda program, fd: program.pwrite(fd, b"x", 5),
        "ftruncate": lambda program, fd: program.ftruncate(fd, 1),
        "truncate": lambda program, fd: program.truncate("f", 0),
        "O_TRUNC": lambda program, fd: program.open("f", os.O_WRONLY | os.O_TRUNC),
    }
    for name, program in users.items():
        root.write_file("f", b"12345")
        root.chown("f", 1000, 100)
        root.chmod("f", 0o666)
        fd = program.open("f", os.O_RDWR)
        for call, make in calls.items():
            left = []
            for mode in MODES:
                root.chmod("f", mode | 0o666)
                make(program, fd)
                left.append(f"{root.stat('f')[0]:o}")
            log(f"{name}: {call}", left)


@case(privileged=True, marks=PROGRAMS)
def what_chown_takes_away(world: World, log: Log) -> None:
    """chown() of a file that is not a directory clears S_ISUID, even for root. It also clears S_ISGID if
    S_IXGRP is set.
    """
    programs = world.programs()
    root = programs.start()
    users = {"root": root, "owner": programs.start(1000, 1000, (100,)), "other": programs.start(1001, 7)}
    for kind in ("file", "directory"):
        root.mkdir("f") if kind == "directory" else root.write_file("f", b"")
        for name, program in users.items():
            for ids in ((-1, -1), (1000, -1), (-1, 100), (-1, 1000), (-1, 7), (0, 0)):
                left: list[object] = []
                for mode in MODES:
                    root.chown("f", 1000, 100)
                    root.chmod("f", mode)
                    try:
                        program.chown("f", *ids)
                        left.append(f"{root.stat('f')[0]:o}")
                    except OSError as error:
                        left.append(error)
                log(f"{name}, {kind}: {ids}", left)
        root.rmdir("f") if kind == "directory" else root.unlink("f")


@case(privileged=True, marks=PROGRAMS)
def what_chmod_takes_away(world: World, log: Log) -> None:
    """chmod() by an owner that is not in the file's group clears S_ISGID."""
    programs = world.programs()
    root, owner, other = programs.start(), programs.start(1000, 1000), programs.start(1001, 7)
    root.write_file("f", b"")
    for group in (100, 1000):
        root.chown("f", 1000, group)
        for name, program in (("root", root), ("owner", owner), ("other", other)):
            for mode in (0o6755, 0o2644):
                log.call(f"{name}, group {group}: {mode:o}", program.chmod, "f", mode)
                log("mode", f"{root.stat('f')[0]:o}")


@case(privileged=True, marks=PROGRAMS)
def links_of_another_process(world: World, log: Log) -> None:
    """A process can read the links of another process in /proc only if it is root or has the same user and
    group.
    """
    programs = world.programs()
    root, user = programs.start(), programs.start(1000, 1000)
    same, group = programs.start(1000, 1000), programs.start(1000, 7)
    for name, program in (("root", root), ("user", user), ("same", same), ("another group", group)):
        for target, pid in (("init", 1), ("root", root.pid), ("user", user.pid)):
            for link in ("cwd", "root"):
                log.call(f"{name}: {link} of {target}", program.readlink, f"/proc/{pid}/{link}")
            log.call(f"{name}: stat", lambda: program.stat(f"/proc/{pid}/cwd")[0])  # noqa: B023
            log.call(f"{name}: fd", lambda: bool(program.listdir(f"/proc/{pid}/fd")) or pid == 1)  # noqa: B023


@case(privileged=True, marks=PROGRAMS)
def limits_of_descriptors(world: World, log: Log) -> None:
    """A process can lower its hard limit, but it cannot raise it. It can set the soft limit to any value up
    to the hard limit.
    """
    a = world.programs().start(1000)
    for soft, hard in ((1024, 4096), (4096, 4096), (4097, 4096), (1024, 4097), (100, 200), (150, 200),
                       (150, 300), (201, 300), (0, 0), (0, 1)):  # fmt: skip
        log.call(f"{soft}, {hard}", a.setrlimit, RLIMIT_NOFILE, (soft, hard))
        log("limits", a.getrlimit(RLIMIT_NOFILE))


@case(privileged=True, marks=PROGRAMS)
def owner_of_a_pipe(world: World, log: Log) -> None:
    """fchmod() and fchown() of one end of a pipe change both ends and their links in /proc. For an eventfd,
    both calls fail.
    """
    programs = world.programs()
    root, user = programs.start(), programs.start(1000, 1000)
    for name, program in (("root", root), ("user", user)):
        reader, writer = program.pipe2(0)

        def about() -> list[object]:
            return [[*program.fstat(fd)[:1], *program.fstat(fd)[2:4]] for fd in (reader, writer)]  # noqa: B023

        log(f"{name}: new", about())
        log.call("fchmod", program.fchmod, reader, 0o2640)
        log("changed", about())
        for ids in ((-1, 1000), (1000, 7), (0, 0)):
            log.call(f"fchown {ids}", program.fchown, writer, *ids)
            log("changed", about())
        log.call("chmod", program.chmod, f"/proc/self/fd/{writer}", 0o4600)
        log("changed", about())
        event = program.eventfd(0, 0)
        log.call("fchmod of an eventfd", program.fchmod, event, 0o644)
        log.call("fchown of an eventfd", program.fchown, event, 1000, 1000)
