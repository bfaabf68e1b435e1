"""setns(2) and /proc/PID/ns/net, in agreement with this host if it runs Linux."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simkernel import Machine
from simkernel.blocking.process import Blocking
from simkernel.uapi.netlink import NETLINK_ROUTE, NETLINK_USERSOCK
from simkernel.uapi.sched import CLONE_NEWNET, CLONE_NEWNS
from simkernel.uapi.socket import AF_NETLINK, AF_UNIX, SOCK_RAW, SOCK_STREAM
from tests.kernel import links
from tests.kernel.host import expect_as_on_this_host, only_6_18

NS = "/proc/self/ns/net"


def observe(world: Any) -> list[list[object]]:
    """Use descriptors of network namespaces, and return the results."""
    seen: list[list[object]] = []
    names: list[str] = []

    def log(label: str, function: Callable[..., Any], *arguments: Any) -> None:
        shown = links.attempt(function, *arguments)
        if isinstance(shown, str) and shown.startswith("net:"):
            if shown not in names:
                names.append(shown)
            shown = f"namespace {names.index(shown)}"
        seen.append([label, shown])

    def attributes(status: Any) -> list[object]:
        return [oct(status.st_mode), status.st_nlink, status.st_uid, status.st_size]

    log("initial", world.readlink, NS)
    log("link", lambda: attributes(world.lstat(NS)))
    log("namespace", lambda: attributes(world.stat(NS)))
    log("directory", lambda: attributes(world.stat("/proc/self/ns")))
    log("listed", lambda: "net" in world.listdir("/proc/self/ns"))
    for flag in ("O_WRONLY", "O_RDWR", "O_DIRECTORY", "O_NOFOLLOW", "O_TRUNC", "O_DIRECT"):
        log(flag, world.open, NS, getattr(os, flag))
    first = world.open(NS, os.O_RDONLY)
    log("the descriptor's link", world.readlink, f"/proc/self/fd/{first}")
    log("the descriptor's number", lambda: world.fstat(first).st_ino == world.stat(NS).st_ino)
    log("unshare", world.unshare, CLONE_NEWNET)
    log("another", world.readlink, NS)
    log("of the thread", world.readlink, "/proc/thread-self/ns/net")
    second = world.open(NS, os.O_RDONLY)
    log("read", world.read, second, 10)
    log("write", world.write, second, b"x")
    log("lseek", world.lseek, second, 0, 0)
    log("chmod", world.chmod, NS, 0o600)
    log("chown", world.chown, NS, 1, 1)
    log("NS_GET_NSTYPE", world.ioctl, second, 0xB703, 0)
    log("NS_GET_OWNER_UID", world.ioctl, second, 0xB704, 0)
    log("no ioctl", world.ioctl, second, 0xB7FF, 0)
    null, pipe = world.open("/dev/null", os.O_RDONLY), world.pipe()
    for fd, nstype in (
        (first, 0), (second, CLONE_NEWNET), (first, CLONE_NEWNS), (first, CLONE_NEWNET | CLONE_NEWNS),
        (first, 1), (99, 0), (null, 0), (pipe[0], CLONE_NEWNET),
    ):  # fmt: skip
        log(f"setns {nstype:#x}", world.setns, fd, nstype)
        log("now in", world.readlink, NS)
    world.close(second)
    world.setns(first)
    log("back", world.readlink, NS)
    world.setgid(65534)
    world.setuid(65534)
    log("unprivileged", world.setns, first)
    log("unprivileged, no namespace", world.setns, null)
    log("unprivileged, wrong type", world.setns, first, 1)
    log("another user's", world.readlink, "/proc/1/ns/net")
    log("another user's opened", world.open, "/proc/1/ns/net", os.O_RDONLY)
    log("another user's listed", world.listdir, "/proc/1/ns")
    return seen


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(udev=False) as machine:
        yield machine


@only_6_18
def test_calls_on_namespaces_are_answered_as_on_this_host() -> None:
    expect_as_on_this_host(observe)


def test_a_descriptor_leads_back_to_its_namespace(machine: Machine) -> None:
    root = machine.blocking(uid=0)
    seen = dict(map(tuple, observe(root)))  # type: ignore[arg-type]
    assert (seen["initial"], seen["another"], seen["back"]) == ("namespace 0", "namespace 1", "namespace 0")
    assert seen["unprivileged"] == "EPERM"


def holders(root: Blocking) -> dict[str, Callable[[], Callable[[], Any]]]:
    """Return functions that acquire a reference to the current namespace. Each returns a function that
    releases it.
    """

    def descriptor() -> Callable[[], Any]:
        fd = root.open(NS, os.O_RDONLY)
        return lambda: root.close(fd)

    def duplicate() -> Callable[[], Any]:
        fd = root.open(NS, os.O_RDONLY)
        other = root.dup(fd)
        root.close(fd)
        return lambda: root.close(other)

    def passed() -> Callable[[], Any]:
        ours, theirs = root.socketpair(AF_UNIX, SOCK_STREAM)
        fd = root.open(NS, os.O_RDONLY)
        ours.sendmsg([b"x"], [(1, 1, fd.to_bytes(4, "little"))])
        root.close(fd)
        for each in (ours, theirs):  # these hold it too
            each.detach()
        return lambda: root.closerange(3, 100)

    def socket(family: int, type: int, protocol: int) -> Callable[[], Any]:
        return root.socket(family, type, protocol).close

    def child() -> Callable[[], Any]:
        async def sleeper(app: Any) -> None:
            await app.sleep(1)

        pid = root.spawn(sleeper)
        return lambda: root.waitpid(pid)

    def thread() -> Callable[[], Any]:
        async def sleeper(app: Any) -> None:
            await app.sleep(1)

        root.thread(sleeper)
        return lambda: root.sleep(2)

    return {
        "descriptor": descriptor,
        "duplicate": duplicate,
        "passed": passed,
        "netlink": lambda: socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE),
        "usersock": lambda: socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK),
        "unix": lambda: socket(AF_UNIX, SOCK_STREAM, 0),
        "child": child,
        "thread": thread,
    }


@pytest.mark.parametrize(
    "name", ["descriptor", "duplicate", "passed", "netlink", "usersock", "unix", "child", "thread"]
)
def test_a_namespace_lives_while_it_is_held(machine: Machine, name: str) -> None:
    root = machine.blocking(uid=0)
    first = root.open(NS, os.O_RDONLY)
    root.unshare(CLONE_NEWNET)
    give_up = holders(root)[name]()
    root.setns(first)
    machine.run(until=machine.now + 1)
    assert len(machine.kernel.namespaces) == 2
    give_up()
    machine.run()
    assert list(machine.kernel.namespaces) == [machine.kernel.net]


def test_a_namespace_goes_with_the_last_task_in_it(machine: Machine) -> None:
    async def program(app: Any) -> None:
        await app.unshare(CLONE_NEWNET)
        assert len(machine.kernel.namespaces) == 2

    machine.spawn(program, uid=0)
    machine.run()
    assert list(machine.kernel.namespaces) == [machine.kernel.net]


def test_an_ended_process_has_no_namespace(machine: Machine) -> None:
    root = machine.blocking(uid=0)

    async def child(app: Any) -> None:
        pass

    pid = root.spawn(child)
    root.sleep(1)
    for call in (root.readlink, root.stat):
        with contextlib.suppress(FileNotFoundError):
            call(f"/proc/{pid}/ns/net")
            pytest.fail("a zombie has a namespace")
    assert root.waitpid(pid)[0] == pid
