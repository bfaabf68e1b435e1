"""Modules of User-mode Linux while they are in use: references, taint, sysfs, uevents and dependencies."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from simkernel.uapi.fcntl import O_PATH
from simkernel.uapi.socket import AF_UNIX, SOCK_STREAM
from simkernel.uapi.stat import S_IFCHR, makedev
from tests.conformance.case import case, netlink
from tests.conformance.cases.device_uevents import listener, record_uevents
from tests.conformance.cases.modules import MODULES, UML, attributes, kernel_taint, shown
from tests.conformance.log import Log
from tests.conformance.programs.interface import Program, Programs
from tests.conformance.world import World

PROGRAMS = (*MODULES, "programs")
FUSE = makedev(10, 229)
FILES = (
    "coresize",
    "drivers",
    "holders",
    "initsize",
    "initstate",
    "parameters",
    "refcnt",
    "taint",
    "uevent",
    "version",
)
"""Files in /sys/module/NAME that do not depend on the kernel's configuration."""
STAGING, FORCED = 10, 1
"""Bit numbers of the taint flags C (staging) and F (forced)."""


def references(world: World, name: str = "fuse") -> str:
    return world.read_file(f"/sys/module/{name}/refcnt").decode().strip()


def with_device(world: World, programs: Programs | None = None) -> Program:
    """Load a module with a character device. Return a new program (a process that makes calls) that has
    created a device node for the device.
    """
    world.insmod("fuse")
    program = (programs or world.programs()).start()
    program.mknod("node", S_IFCHR | 0o600, FUSE)
    return program


@case(privileged=True, marks=PROGRAMS, oracle=UML)
def open_devices(world: World, log: Log) -> None:
    """Each open file of a character device holds a module reference. Until the last close, rmmod fails with
    EWOULDBLOCK.
    """
    program = with_device(world)
    log("loaded", references(world))
    fds = []
    for flags in (os.O_RDWR, os.O_RDONLY, os.O_WRONLY):
        fds.append(log.call(f"open {flags}", program.open, "node", flags))
        log("references", references(world))
        log.call("rmmod", world.rmmod, "fuse")
    log("shown", shown(world))
    for fd in fds:
        program.close(fd)
        log("references", references(world))
    log.call("rmmod", world.rmmod, "fuse")
    log.call("insmod", world.insmod, "fuse")
    log.call("open", program.open, "node", os.O_RDWR)
    log("references", references(world))


@case(privileged=True, marks=PROGRAMS, oracle=UML)
def descriptors_of_one_file(world: World, log: Log) -> None:
    """File descriptors that dup(), fork() or SCM_RIGHTS create share one module reference, that of the open
    file. A descriptor with O_PATH holds no module reference.
    """
    program = with_device(world)
    fd = program.open("node", os.O_RDWR)
    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        ("dup", lambda: program.dup(fd)),
        ("dup2", lambda: program.dup2(fd, 40)),
        ("path", lambda: program.open("node", O_PATH)),
        ("link", lambda: program.link("node", "again")),
        ("stat", lambda: program.stat("again")[:1]),
    )
    for label, step in steps:
        log.call(label, step)
        log("references", references(world))
    pair = program.socketpair(AF_UNIX, SOCK_STREAM)
    log.call("send", program.sendmsg, pair[0], [b"x"], [fd])
    child = program.fork()
    log("references", references(world))
    log.call("close all", program.closerange, 3, 100)
    log("references", references(world))
    log.call("rmmod", world.rmmod, "fuse")
    child.end(0)
    program.wait()
    log("references", references(world))
    log.call("rmmod", world.rmmod, "fuse")


@case(privileged=True, marks=PROGRAMS, oracle=UML)
def failed_opens(world: World, log: Log) -> None:
    """A failed open takes no module reference, and neither does stat of the device node."""
    programs = world.programs()
    program, user = with_device(world, programs), programs.start(1000, 1000)
    log.call("no permission", user.open, "node", os.O_RDWR)
    log.call("directory", program.open, "node", os.O_RDWR | os.O_DIRECTORY)
    log.call("exclusive", program.open, "node", os.O_RDWR | os.O_CREAT | os.O_EXCL)
    log.call("access", program.access, "node", 7)
    log("references", references(world))


@case(privileged=True, marks=MODULES, oracle=UML)
def sockets_and_dependants(world: World, log: Log) -> None:
    """The reference count of a module is the number of importing modules plus the number of sockets of its
    protocol. `holders` lists only the importing modules.
    """
    for name in ("llc", "stp", "psnap", "garp"):
        world.insmod(name)
    for name in ("llc", "stp", "psnap", "garp"):
        attributes(world, log, name)
    for holder in ("psnap", "stp", "garp"):
        log.call(f"by {holder}", world.read_file, f"/sys/module/llc/holders/{holder}/refcnt")
    for name in ("garp", "stp", "psnap", "llc"):
        log.call(f"rmmod {name}", world.rmmod, name)
        log("shown", shown(world))
    world.insmod("nfnetlink")
    socks = [netlink(world, 12) for _ in range(3)]
    log("references", references(world, "nfnetlink"))
    copy = world.dup(socks[0]) if hasattr(world, "dup") else None
    log("references", references(world, "nfnetlink"))
    for sock in (*socks, copy):
        if sock is not None:
            sock.close()
        log("references", references(world, "nfnetlink"))


@case(privileged=True, marks=MODULES, oracle=UML)
def files_in_sysfs(world: World, log: Log) -> None:
    """/sys/module/NAME always contains `holders`. It contains `parameters` only if the module has parameters
    in sysfs.
    """
    for name in ("llc", "stp", "tcp_bic", "slhc"):
        log.call(f"insmod {name}", world.insmod, name)
        found = world.listdir(f"/sys/module/{name}")
        log(name, [file for file in FILES if file in found])
        log("holders", sorted(world.listdir(f"/sys/module/{name}/holders")))
    log("parameters", sorted(world.listdir("/sys/module/tcp_bic/parameters")))
    for name in ("initstate", "refcnt", "taint", "initsize"):
        log.call(name, world.read_file, f"/sys/module/tcp_bic/{name}")
    log("size", bool(int(world.read_file("/sys/module/tcp_bic/coresize"))))
    world.rmmod("tcp_bic")
    log.call("gone", world.listdir, "/sys/module/tcp_bic")


LINE = re.compile(r"(\w+) \d+ (-|\d+) (-|(?:\w+,)+) (Live|\w+ing) (0x[0-9a-f]{16})( \([A-Z+-]+\))?")


def lines_of(world: World, *names: str) -> list[list[str]]:
    """Return the columns of /proc/modules except the size, for some modules."""
    found = []
    for line in world.read_file("/proc/modules").decode().splitlines():
        if line.split()[0] in names:
            match = LINE.fullmatch(line)
            found.append([each or "" for each in match.groups()] if match else [line])
    return found


@case(privileged=True, marks=(*MODULES, "credentials"), oracle=UML)
def columns(world: World, log: Log) -> None:
    """Columns of /proc/modules: name, size, references, importers, state, address, taint. An unprivileged
    user sees address 0.
    """
    names = ("slhc_closed", "llc", "stp", "psnap")
    for name in names:
        world.insmod(name)
    world.become(privileged=False)
    log("lines", lines_of(world, *names))


@case(privileged=True, marks=MODULES, oracle=UML)
def letters_of_taint(world: World, log: Log) -> None:
    """Taint letters are in the order P F C O, in /proc/modules and in sysfs."""
    for name, flags in (
        ("slhc_closed", 0),
        ("slhc_closed", 2),
        ("llc", 1),
        ("llc_staging", 0),
        ("llc_staging", 2),
    ):
        log.call(f"insmod {name} {flags}", world.insmod, name, "", flags)
        log.call("taint", world.read_file, f"/sys/module/{name}/taint")
        log("shown", shown(world))
        log.call("rmmod", world.rmmod, name)
    log("kernel", [kernel_taint(world, bit) for bit in (0, FORCED, STAGING, 12)])


@case(privileged=True, marks=(*MODULES, "time"), oracle=UML)
def uevents_of_dependencies(world: World, log: Log) -> None:
    """modprobe loads the dependencies of a module first. Each module that modprobe loads emits a uevent. A
    module that is already loaded emits none.
    """
    sock = listener(world)
    log.call("modprobe psnap", world.modprobe, "psnap")
    record_uevents(world, log, "psnap", sock)
    log("loaded", shown(world))
    log.call("modprobe psnap", world.modprobe, "psnap")
    record_uevents(world, log, "again", sock)
    log.call("modprobe llc", world.modprobe, "llc")
    log.call("modprobe none", world.modprobe, "nosuchmodule")
    log.call("insmod garp", world.insmod, "garp")
    record_uevents(world, log, "without stp", sock)
    for name in ("stp", "psnap", "llc"):
        log.call(f"rmmod {name}", world.rmmod, name)
        record_uevents(world, log, f"rmmod {name}", sock)


@case(privileged=True, marks=MODULES, oracle=UML)
def names_for_modprobe(world: World, log: Log) -> None:
    """modprobe accepts a name with `-` or `_`, and an alias."""
    for name in (
        "ppp-generic",
        "tcp_bic",
        "net-pf-16-proto-12",
        "char-major-108-0",
        "char-major-108-1",
        "ppp_generic.ko",
    ):
        log.call(name, world.modprobe, name)
        log("loaded", sorted(line.split()[0] for line in shown(world)))
    for name in ("ppp_generic", "ppp-generic", "slhc", "tcp_bic", "nfnetlink"):
        log.call(f"rmmod {name}", world.rmmod, name)
