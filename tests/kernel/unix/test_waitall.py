"""MSG_WAITALL and SO_RCVLOWAT on a stream: duration and result of a receive."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from struct import pack
from typing import Any

import pytest

from simkernel import Machine, seconds
from simkernel.application.app import App

WAITALL, PEEK = socket.MSG_WAITALL, socket.MSG_PEEK
RIGHTS = [(socket.SOL_SOCKET, socket.SCM_RIGHTS)]

Step = tuple[Any, ...]

STORIES: dict[str, tuple[Step, list[Step], list[Any]]] = {
    # The receiver's call; the peer's actions, one second apart; the receiver's result.
    "all comes": (("recv", 5, WAITALL), [("send", b"abc"), ("send", b"defg")], [b"abcde", 2]),
    "there at once": (("recv", 3, WAITALL), [("send", b"abc")], [b"abc", 1]),
    "the stream ends": (("recv", 5, WAITALL), [("send", b"abc"), ("shutdown",)], [b"abc", 2]),
    "it is closed": (("recv", 5, WAITALL), [("send", b"abc"), ("close",)], [b"abc", 2]),
    "time is up": (("recv", 5, WAITALL, 2500), [("send", b"abc"), ("wait",), ("wait",)], [b"abc", 2]),
    "nothing came": (("recv", 5, WAITALL, 1500), [("wait",), ("wait",)], ["EAGAIN", 1]),
    "the least that is wanted": (("low", 4, 100), [("send", b"ab"), ("send", b"cde")], [b"abcde", 2]),
    "files end it": (
        ("recvmsg", 9, WAITALL), [("send", b"ab"), ("files", b"cd"), ("send", b"ef")], [b"abcd", 1, 2],
    ),
    "files alone": (("recvmsg", 9, WAITALL), [("files", b"cd"), ("send", b"ef")], [b"cd", 1, 1]),
    "a read": (("read", 4, 100), [("send", b"abc"), ("send", b"d"), ("wait",)], [b"abcd", 2]),
}  # fmt: skip


def simulated(receiver: Step, sender: list[Step]) -> list[Any]:
    seen: list[Any] = []

    async def family(app: App) -> None:
        one, other = await app.socketpair()
        fds = one.fileno(), other.fileno()

        async def act(app: App) -> None:
            mine = await app.socket(fileno=fds[1])
            for name, *arguments in sender:
                await app.sleep(1)
                match name:
                    case "send":
                        await mine.send(*arguments)
                    case "files":
                        await mine.sendmsg(arguments, [(*RIGHTS[0], pack("i", fds[1]))])
                    case "shutdown":
                        await mine.shutdown(socket.SHUT_WR)
                    case "close":
                        await mine.close()

        await app.spawn(act)
        await other.close()
        name, size, flags, *timeout = receiver
        if timeout:
            value = pack("qq", timeout[0] // 1000, timeout[0] % 1000 * 1000)
            await one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)
        try:
            if name in ("low", "read"):
                await one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
                seen.append(await (one.recv(flags) if name == "low" else app.read(fds[0], flags)))
            elif name == "recvmsg":
                data, control, *_ = await one.recvmsg(size, 100, flags)
                seen.extend([data, len(control)])
            else:
                seen.append(await one.recv(size, flags))
        except BlockingIOError:
            seen.append("EAGAIN")
        seen.append(app.monotonic_ns() // seconds(1))

    with Machine(udev=False, unmodelled="raise") as machine:
        machine.spawn(family)
        machine.run(until=seconds(10))
    return seen


def real(receiver: Step, sender: list[Step], second: float) -> list[Any]:
    seen: list[Any] = []
    one, other = socket.socketpair()
    begun = time.monotonic()

    def act() -> None:
        for name, *arguments in sender:
            time.sleep(second)
            match name:
                case "send":
                    other.send(*arguments)
                case "files":
                    other.sendmsg(arguments, [(*RIGHTS[0], pack("i", other.fileno()))])
                case "shutdown":
                    other.shutdown(socket.SHUT_WR)
                case "close":
                    other.close()

    thread = threading.Thread(target=act)
    thread.start()
    name, size, flags, *timeout = receiver
    if timeout:
        value = pack("qq", 0, int(timeout[0] * second * 1000))
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)
    try:
        if name in ("low", "read"):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
            seen.append(one.recv(flags) if name == "low" else os.read(one.fileno(), flags))
        elif name == "recvmsg":
            data, control, *_ = one.recvmsg(size, 100, flags)
            seen.extend([data, len(control)])
            for _, _, fd in control:
                os.close(int.from_bytes(fd[:4], "little"))
        else:
            seen.append(one.recv(size, flags))
    except BlockingIOError:
        seen.append("EAGAIN")
    seen.append(int((time.monotonic() - begun) / second))
    thread.join()
    one.close()
    other.close()
    return seen


@pytest.mark.parametrize("name", STORIES)
def test_a_receive_that_wants_more(name: str) -> None:
    receiver, sender, expected = STORIES[name]
    assert simulated(receiver, sender) == expected


@pytest.mark.skipif(sys.platform != "linux", reason="wants a Linux to compare with")
@pytest.mark.parametrize("name", STORIES)
def test_the_same_on_this_host(name: str) -> None:
    receiver, sender, expected = STORIES[name]
    found = real(receiver, sender, second=0.06)
    assert found[:-1] == expected[:-1], "when it came back depends on how busy the host is"


def _killed(sends: bytes) -> Callable[[App, list[Any]], Any]:
    async def program(app: App, seen: list[Any]) -> None:
        await app.signal(10, lambda number: None)
        one, other = await app.socketpair()
        fd, pid = other.fileno(), await app.getpid()

        async def act(app: App) -> None:
            if sends:
                await app.write(fd, sends)
            await app.sleep(1)
            await app.kill(pid, 10)

        await app.spawn(act)
        try:
            seen.append(await one.recv(10, WAITALL))
        except InterruptedError:
            seen.append("EINTR")

    return program


@pytest.mark.parametrize(("sends", "expected"), [(b"", "EINTR"), (b"abc", b"abc")])
def test_a_signal_ends_a_receive_with_the_bytes_so_far(sends: bytes, expected: object) -> None:
    seen: list[Any] = []
    with Machine(udev=False) as machine:
        machine.spawn(_killed(sends), seen)
        machine.run(until=seconds(3))
    assert seen == [expected]


def test_a_receiver_killed_while_waiting_leaves_nothing() -> None:
    """If a receiver is killed while it waits for more bytes, the kernel releases all its files: both sockets,
    both ends of the pipe, and the pipe end that was sent to it.
    """

    async def program(app: App) -> None:
        one, other = await app.socketpair()
        _, end = await app.pipe()
        await other.sendmsg([b"ab"], [(*RIGHTS[0], pack("i", end))])
        await one.recv(1)
        await one.recv(10, WAITALL)

    with Machine(udev=False) as machine:
        pid = machine.spawn(program).pid
        machine.run(until=seconds(1))
        files = [file for _, file in machine.kernel.processes.find(pid).files.items()]
        machine.blocking(uid=0).kill(pid, 9)
        machine.run(until=seconds(2))
        assert [file.references for file in files] == [0] * 4
