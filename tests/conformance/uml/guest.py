"""The guest's init: it runs a case for each line from the terminal, then powers off.

{"case": "modules.load", "limit": 10.0}  ->  {"outcome": {"observations": [...], ...}, "left": []}

Each case runs in a child process with a new network namespace, as on the host. Modules belong to the whole
kernel, so those that a case leaves loaded are unloaded before the next case. `left` are the modules that
cannot be unloaded.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import sys
import time
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

from simkernel.uapi.errno import ENOENT
from simkernel.uapi.sched import CLONE_NEWNET
from tests.conformance.case import load_cases
from tests.conformance.privilege import libc_call
from tests.conformance.real import RealWorld, real
from tests.conformance.runner import run
from tests.conformance.uml import modules

TERMINAL = "/dev/tty1"
POWER_OFF: Final = ctypes.c_int(0x4321FEDC)
"""LINUX_REBOOT_CMD_POWER_OFF as a signed int, which reboot(2) expects."""
SYSCTLS = {
    "net/core/rmem_max": "4194304",
    "net/core/wmem_max": "4194304",
    "kernel/hotplug": "",  # If this path is empty, the kernel starts no helper program for uevents.
    "kernel/printk": "1",
    "kernel/dmesg_restrict": "1",
}
PRINTK_TIME = Path("/sys/module/printk/parameters/time")
"""File of the module parameter that adds timestamps to the log. The kernel adds none by default, because it
is built without CONFIG_PRINTK_TIME.
"""
BUILT_IN_ELSEWHERE = ("ipv6",)
"""Modules that are built into the kernels of the other worlds, but are loadable in UML."""


class UmlWorld(RealWorld):
    """The guest's kernel, on which conformance cases run. Unlike on the host's kernel, cases can load and
    unload modules.
    """

    tree: modules.Tree

    def initial_namespace(self) -> UmlWorld:
        """Return a UmlWorld whose sockets this process creates in the initial network namespace."""
        namespace = os.open("/proc/1/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        libc_call("setns", namespace, CLONE_NEWNET)
        return UmlWorld(self.privileged, namespace)

    def insmod(self, name: str, parameters: str = "", flags: int = 0) -> None:
        """Load a module or an altered copy of one. `parameters` is the parameter line of finit_module(2)."""
        self.tree.insmod(name, parameters, flags)

    def modprobe(self, name: str) -> None:
        """Load a module after its dependencies. Raise FileNotFoundError if the name is unknown."""
        if not self.tree.modprobe(name):
            raise FileNotFoundError(ENOENT, f"Module {name} not found")

    def rmmod(self, name: str, flags: int = os.O_NONBLOCK) -> None:
        modules.rmmod(name, flags)


@contextlib.contextmanager
def uml(*, privileged: bool = True) -> Iterator[UmlWorld]:
    """Yield the guest's kernel with a new network namespace."""
    with real(privileged=privileged) as world:
        yield UmlWorld(privileged, world._namespace)


def unload(before: list[str]) -> list[str]:
    """Unload all modules except those whose names are in the list `before`. Return the modules that cannot be
    unloaded.

    The kernel destroys a namespace some time after its last process. Until then, its devices hold module
    references.
    """
    left: list[str] = []
    for _ in range(100):
        left = [name for name in modules.loaded() if name not in before]
        for name in left:
            with contextlib.suppress(OSError):
                modules.rmmod(name)
        if not left:
            break
        time.sleep(0.01)
    return left


def boot(tree: modules.Tree, modprobe: Path) -> None:
    """Mount the file systems that conformance cases read. Set the sysctls that have the same value on each
    kernel on which cases run.
    """
    for kind, where in (("proc", b"/proc"), ("sysfs", b"/sys"), ("tmpfs", b"/run")):
        libc_call("mount", kind.encode(), where, kind.encode(), 0, None)
    for name, value in {**SYSCTLS, "kernel/modprobe": str(modprobe)}.items():
        with contextlib.suppress(FileNotFoundError):
            Path("/proc/sys", name).write_text(value + "\n")
    PRINTK_TIME.write_text("Y")
    for name in BUILT_IN_ELSEWHERE:
        tree.modprobe(name)


def serve(terminal: int) -> None:
    """Run cases until the host closes the terminal."""
    cases = {case.name: case for case in load_cases()}
    before = modules.loaded()
    with open(terminal, "rb", closefd=False) as requests:
        for line in requests:
            request = json.loads(line)
            outcome = run(cases[request["case"]], uml, request["limit"])
            say(terminal, {"outcome": attrs.asdict(outcome), "left": unload(before)})


def say(terminal: int, answer: dict[str, object]) -> None:
    """Write an object to the terminal as one line of JSON."""
    rest = json.dumps(answer).encode() + b"\n"
    while rest:
        rest = rest[os.write(terminal, rest) :]


def main(tree: Path, folder: Path) -> None:
    """Boot the guest's user space, serve the requests of the host, and power off."""
    try:
        UmlWorld.tree = modules.Tree(tree)
        boot(UmlWorld.tree, folder / "modprobe")
        terminal = os.open(TERMINAL, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(terminal)
        say(terminal, {"kernel": f"Linux {platform.release()} {platform.machine()} (User-mode Linux)"})
        serve(terminal)
    finally:
        sys.stderr.flush()
        libc_call("reboot", POWER_OFF)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
