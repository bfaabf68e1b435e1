"""Machines that run in steps, so that several machines can alternate.

As a program, it prints the results of each machine, to compare processes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator
from typing import Any

from simkernel import Machine, millis
from simkernel.hardware import Camera, Mouse, Walk
from simkernel.trace.digest import Digest
from simkernel.uapi.netlink import NETLINK_USERSOCK
from simkernel.uapi.signal import SIGTERM
from simkernel.uapi.socket import AF_NETLINK, SO_RCVBUF, SOCK_DGRAM, SOCK_RAW, SOL_SOCKET

Steps = Generator[None, None, None]
Life = Callable[[Machine], Steps]

HELLO = 17
"""The netlink protocol of the module `hello`."""


def run(machine: Machine, *until: float) -> Steps:
    """Run the machine up to each of these times (in ms), one after the other."""
    for time in until:
        machine.run(until=millis(time))
        yield


def watching(machine: Machine) -> Steps:
    """Stream from a camera to a viewer, and unplug the camera."""

    async def viewer(app: Any) -> None:
        camera = await app.genetlink("camera")
        await camera.join("frames")
        await camera.do("set-format", width=320, height=240, pixel_format="GREY")
        await camera.do("stream-on")
        async for frame in camera.events("frame-ready"):
            await camera.dump("read-frame", sequence=frame["sequence"])

    camera = Camera(jitter=millis(3))
    machine.plug(camera)
    yield from run(machine, 2.5)
    program = machine.spawn(viewer, uid=1000)
    yield from run(machine, 40, 40.003, 90, 200)
    machine.unplug(camera)
    yield from run(machine, 230)
    program.kill(SIGTERM)
    yield from run(machine, 300)


def moving(machine: Machine) -> Steps:
    """Move a mouse at random. One of two listeners loses events."""

    async def listener(app: Any, room: int) -> None:
        mouse = await app.genetlink("mouse")
        await mouse.join("motion")
        await mouse.event_socket.setsockopt(SOL_SOCKET, SO_RCVBUF, room)
        events = mouse.events()
        while True:
            try:
                await anext(events)
                await app.compute(app.random.randrange(millis(20)))
            except OSError:
                await mouse.dump("get-state")

    machine.plug(Mouse(Walk()))
    for room in (2304, 212_992):
        machine.spawn(listener, room, uid=1000)
        yield
    yield from run(machine, 10, 10, 120, 121, 300)


def talking(machine: Machine) -> Steps:
    """Exchange messages between `machine.blocking()` and a program. Then open a socket of the netlink
    protocol HELLO, so that the kernel loads the module `hello`, and remove this module.
    """

    async def echo(app: Any) -> None:
        sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        await sock.bind((77, 0))
        while True:
            data, sender = await sock.recvfrom(100)
            await app.sleep(app.random.random() / 100)
            await sock.sendto(data.upper(), sender)

    machine.spawn(echo)
    yield from run(machine, 1)
    user, root = machine.blocking(uid=1000), machine.blocking()
    sock = user.socket(AF_NETLINK, SOCK_DGRAM, NETLINK_USERSOCK)
    for number in range(5):
        sock.sendto(b"message %d" % number, (77, 0))
        yield
        assert sock.recv(100) == b"MESSAGE %d" % number
        yield
    greeted = root.socket(AF_NETLINK, SOCK_RAW, HELLO)
    yield
    greeted.close()
    root.rmmod("hello")
    yield


def loading(machine: Machine) -> Steps:
    """Load and unload drivers while their devices are plugged and unplugged."""
    root = machine.blocking()
    monitor = root.uevents()
    devices = (Mouse(), Camera())
    for device in devices:
        machine.plug(device)
        next(monitor)
        yield
    for _ in range(2):
        root.modprobe("camera")
        yield
        root.modprobe("mouse", rate=500)
        yield
        root.rmmod("mouse")
        root.rmmod("camera")
        yield
        root.rmmod("devclass")
        yield from run(machine, machine.now / 1e6 + 7)
    for device in devices:
        machine.unplug(device)
        yield


LIVES: dict[str, Life] = {"watching": watching, "moving": moving, "talking": talking, "loading": loading}


class Told:
    """A machine that runs in steps, and the results of its run."""

    def __init__(
        self, name: str, seed: int, cpus: int | None = None, *, traced: bool = True, **options: Any
    ) -> None:
        self.digest = Digest()
        self.machine = Machine(seed, cpus=cpus, udev=name != "loading", **options)
        if traced:
            self.machine.trace.subscribe(self.digest)
        self._steps = LIVES[name](self.machine)

    def step(self) -> bool:
        """Run one step. Return False after the last one."""
        try:
            next(self._steps)
        except StopIteration:
            return False
        return True

    def finish(self) -> dict[str, Any]:
        """Run the remaining steps, and return the results."""
        while self.step():
            pass
        with self.machine as machine:
            return {
                "now": machine.now,
                "events": machine.events,
                "statistics": machine.statistics,
                "log": machine.log.lines(),
                "trace": self.digest.hexdigest(),
            }


def alone(name: str, seed: int, cpus: int | None = None) -> dict[str, Any]:
    """Return the results of a machine that runs alone."""
    return Told(name, seed, cpus).finish()


if __name__ == "__main__":
    json.dump({name: alone(name, seed=7) for name in LIVES}, sys.stdout, sort_keys=True)
