"""After all programs have ended and all devices are unplugged, none of their resources is left."""

from __future__ import annotations

import contextlib
import gc
import weakref
from collections.abc import Callable
from itertools import accumulate
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from simkernel import Machine, millis
from simkernel.hardware import Camera, Mouse, Walk
from simkernel.kernel.netlink.skb import Skb
from simkernel.kernel.netlink.socket import NetlinkSocket
from simkernel.kernel.vfs.file import OpenFile
from simkernel.testing.leaks import left_behind
from simkernel.uapi.netlink import NETLINK_USERSOCK
from simkernel.uapi.signal import SIGKILL
from simkernel.uapi.socket import AF_NETLINK, MSG_DONTWAIT, SOCK_RAW
from tests.examples import examples

HELLO = 17
"""The netlink protocol of the module `hello`."""

Act = Callable[[Any], Any]


async def talk(app: Any) -> None:
    """Send to a group of which the socket is a member, and leave the message unread."""
    sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
    await sock.bind((0, 1))
    await sock.sendto(b"x" * 5000, await sock.getsockname())


async def greet(app: Any) -> None:
    """Open a socket of the module `hello`. The socket holds a reference to the module."""
    await app.socket(AF_NETLINK, SOCK_RAW, HELLO)


async def watch(app: Any) -> None:
    """Start a camera's stream, read one frame, and leave the stream on."""
    camera = await app.genetlink("camera")
    await camera.join("frames")
    await camera.do("stream-on")
    await anext(camera.events())
    await camera.dump("read-frame")


async def follow(app: Any) -> None:
    """Listen to a mouse's events."""
    mouse = await app.genetlink("mouse")
    await mouse.join("motion")
    await anext(mouse.events())


async def fork(app: Any) -> None:
    """Leave a child that holds the inherited descriptors."""
    await talk(app)
    await app.spawn(wait)


async def thread(app: Any) -> None:
    """Leave a thread that waits."""
    await app.thread(wait)


async def fail(app: Any) -> None:
    """Raise an exception."""
    raise ValueError("on purpose")


async def wait(app: Any) -> None:
    """Wait until a signal ends the program."""
    await (await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)).recv(1)


ACTS: tuple[Act, ...] = (talk, greet, watch, follow, fork, thread, fail, wait)


async def program(app: Any, acts: list[Act]) -> None:
    """Run the functions `acts` in order. After an OSError, sleep for 5 ms and continue."""
    for act in acts:
        try:
            await act(app)
        except OSError:
            await app.sleep(0.005)


PROGRAMS = st.lists(st.lists(st.sampled_from(ACTS), max_size=4), min_size=1, max_size=4)
GAP = st.integers(0, 1000) | st.integers(0, millis(5)) | st.integers(millis(25), millis(70))
TIMES = st.lists(GAP, min_size=4, max_size=4).map(lambda gaps: list(accumulate(gaps)))


def run(machine: Machine, until: int) -> None:
    """Advance the time, and ignore the exceptions of programs."""
    with contextlib.suppress(ExceptionGroup):
        machine.run(until=until)


def end(machine: Machine) -> None:
    """Kill every program."""
    processes = machine.kernel.processes
    for task in tuple(processes):
        processes.send_signal(task, SIGKILL)


def live(machine: Machine, programs: list[list[Act]], times: list[int]) -> None:
    """Plug a camera and a mouse, and run programs. The instants in `times` are, in order: start of the
    programs, unplugging of the camera, unplugging of the mouse, killing of the programs.
    """
    devices = (Camera(), Mouse(Walk()))
    for device in devices:
        machine.plug(device)
    for acts in programs:
        machine.at(times[0], machine.spawn, program, acts)
    for device, time in zip(devices, times[1:], strict=False):
        machine.at(time, machine.unplug, device)
    machine.at(times[3], end, machine)
    run(machine, until=millis(300))
    end(machine)
    run(machine, until=millis(400))


def unload(machine: Machine) -> None:
    """Unload every module."""
    with machine.blocking() as root:
        for module in root.lsmod():
            root.rmmod(module["name"])
    run(machine, until=millis(500))


@settings(max_examples=examples(20))
@given(PROGRAMS, TIMES)
def test_nothing_is_left(programs: list[list[Act]], times: list[int]) -> None:
    with Machine() as machine:
        live(machine, programs, times)
        assert left_behind(machine) == []
        unload(machine)
        assert left_behind(machine) == []
        assert machine.statistics["modules"]["loaded"] == 0
        assert machine.statistics["oopses"] == 0
        assert machine.engine.next_time() is None


def census() -> int:
    """Return the total number of netlink sockets, open files and messages that exist in Python."""
    gc.collect()
    return sum(type(each) in (NetlinkSocket, OpenFile, Skb) for each in gc.get_objects())


def test_unseen_records_are_not_kept() -> None:
    before = census()
    with Machine() as machine:
        live(
            machine, [[talk, watch, fork], [follow, thread], [greet, watch]], [1, *map(millis, (90, 95, 120))]
        )
        assert machine.statistics["netlink"]["delivered"] > 50
        unload(machine)
        assert census() == before


def test_remaining_resources_are_named() -> None:
    with Machine(udev=False) as machine:
        machine.plug(Camera())
        root = machine.blocking()
        sock = root.socket(AF_NETLINK, SOCK_RAW, HELLO)
        camera = root.genetlink("camera")
        camera.join("frames")
        camera.do("stream-on")
        left = left_behind(machine)
        assert f"process blocking/{root.getpid()} (R)" in left
        assert "netlink sockets: 3" in left
        assert "members of groups of netlink protocol 16: 1" in left
        assert "references to module hello: 1" in left
        assert any(each.startswith("bytes of DMA memory: ") for each in left)
        sock.close()
        camera.close()


def test_a_machine_goes_when_it_is_closed() -> None:
    with Machine() as machine:
        live(machine, [[watch, fork], [follow, thread], [greet]], [1, millis(90), millis(120), millis(150)])
        facade = machine.blocking()
        facade.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK).fileno()
    gone = weakref.ref(machine)
    del machine, facade
    gc.collect()
    assert gone() is None


def test_programs_that_have_ended_leave_nothing_to_the_collector() -> None:
    async def child(app: Any) -> None:
        sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        with contextlib.suppress(BlockingIOError):
            await sock.recv(1, MSG_DONTWAIT)

    async def parent(app: Any, children: int) -> None:
        for _ in range(children):
            await app.spawn(child)
            await app.wait()

    with Machine(udev=False) as machine:
        machine.spawn(parent, 1)
        machine.run()
        gc.collect()
        gc.disable()
        try:
            machine.spawn(parent, 20)
            machine.run()
            assert gc.collect() < 20
        finally:
            gc.enable()
