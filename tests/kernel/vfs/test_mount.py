"""mount(2) and umount2(2): bind mounts, as on the host."""

from __future__ import annotations

import ctypes
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from simkernel import Machine
from simkernel.uapi.mount import MNT_DETACH, MS_BIND, MS_REC, MS_SHARED
from simkernel.uapi.sched import CLONE_NEWNET

CLONE_NEWNS = 0x00020000
MS_PRIVATE = 1 << 18

Call = Callable[..., int]


def observe(call: Call, system: Any, folder: str) -> list[object]:
    """Return the results of mounts: errno numbers, names and contents."""
    seen: list[object] = []
    blue, red, other = f"{folder}/blue", f"{folder}/red", f"{folder}/other"

    def mount(source: str, path: str, flags: int) -> None:
        seen.append(call("mount", source, path, "none", flags))

    system.mkdir(folder)
    system.mkdir(other)
    for path in (blue, red):
        system.close(system.open(path, os.O_CREAT | os.O_RDWR, 0o644))
    mount("", folder, MS_SHARED | MS_REC)
    mount(folder, folder, MS_BIND | MS_REC)
    mount("", folder, MS_SHARED | MS_REC)
    mount("", blue, MS_BIND)
    mount(f"{folder}/missing", blue, MS_BIND)
    mount(red, f"{folder}/missing", MS_BIND)
    mount(other, blue, MS_BIND)
    mount(blue, other, MS_BIND)
    before = system.stat(blue).st_ino
    mount(red, blue, MS_BIND)
    seen.append(system.stat(blue).st_ino == system.stat(red).st_ino)
    for path in (blue, red):
        try:
            system.unlink(path)
        except OSError as error:
            seen.append(error.errno)
    seen.append(call("umount2", red, MNT_DETACH))
    seen.append(call("umount2", blue, MNT_DETACH))
    seen.append(system.stat(blue).st_ino == before)
    seen.append(call("umount2", blue, MNT_DETACH))
    seen.append(call("umount2", blue, 1 << 20))
    mount("/proc/self/ns/net", blue, MS_BIND)
    number = system.stat(blue).st_ino
    call("unshare", CLONE_NEWNET)
    seen.append(system.stat("/proc/self/ns/net").st_ino == number)
    fd = system.open(blue, os.O_RDONLY)
    seen.append(call("setns", fd, CLONE_NEWNET))
    seen.append(system.stat("/proc/self/ns/net").st_ino == number)
    system.close(fd)
    return [*seen, sorted(system.listdir(folder))]


def on_host(folder: str) -> list[object]:
    """Return the results of `observe` on the host, from a child process with its own mount namespace."""
    libc = ctypes.CDLL(None, use_errno=True)

    def call(name: str, *arguments: str | int) -> int:
        given = [os.fsencode(each) if isinstance(each, str) else each for each in arguments]
        if name == "mount":
            given.append(None)
        return ctypes.get_errno() if getattr(libc, name)(*given) else 0

    reader, writer = os.pipe()
    if not (pid := os.fork()):
        with suppress(BaseException):
            call("unshare", CLONE_NEWNS)
            call("mount", "none", "/", "none", MS_REC | MS_PRIVATE)
            os.write(writer, json.dumps(observe(call, os, folder)).encode())
        os._exit(0)
    os.close(writer)
    with open(reader) as file:
        seen: list[object] = json.load(file)
    os.waitpid(pid, 0)
    return seen


def on_machine() -> list[object]:
    """Return the results of `observe` on a simulated machine."""
    with Machine(seed=1) as machine, machine.blocking() as process:

        def call(name: str, *arguments: Any) -> int:
            try:
                process.call(name, *arguments)
            except OSError as error:
                return error.errno or 0
            return 0

        return observe(call, process, "/run/test")


def test_mounts() -> None:
    seen = on_machine()
    assert seen[:3] == [22, 0, 0] and seen[-2:] == [True, ["blue", "other"]]


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="mount(2) needs root on a Linux host"
)
def test_mounts_are_as_on_the_host(tmp_path: Any) -> None:
    assert on_machine() == on_host(str(tmp_path / "test"))


def test_mount_needs_cap_sys_admin() -> None:
    with Machine(seed=1) as machine, machine.blocking(uid=1000) as process:
        for name, arguments in (("mount", ("/tmp", "/tmp", "", MS_BIND)), ("umount2", ("/tmp", MNT_DETACH))):
            with pytest.raises(PermissionError):
                process.call(name, *arguments)
