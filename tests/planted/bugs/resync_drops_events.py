"""After ENOBUFS, a client lists the devices again and only then drains its socket. It loses the events that
arrive between these two steps.

After https://github.com/systemd/systemd/issues/5398, and https://github.com/zebra-rs/zebra-rs/pull/2300,
which added a resynchronisation that keeps the events.
"""

from __future__ import annotations

from typing import Any

from simkernel.hardware import Mouse
from simkernel.uapi.netlink import NETLINK_KOBJECT_UEVENT
from simkernel.uapi.socket import AF_NETLINK, MSG_DONTWAIT, SO_RCVBUF, SOCK_RAW, SOL_SOCKET
from simkernel.uapi.uevent import Uevent
from tests.planted.bug import Bug

MICE = "/sys/class/mouse"


async def drain(sock: Any) -> None:
    """Drop all queued events of a socket."""
    while True:
        try:
            await sock.recv(8192, MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            continue  # The socket has overrun again.


async def watch(app: Any, table: set[str], sound: bool) -> None:
    """Keep a table of the mice: list them, then apply uevents."""
    sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT)
    await sock.setsockopt(SOL_SOCKET, SO_RCVBUF, 4096)
    await sock.bind((0, 1))
    table.update(await app.listdir(MICE))
    while True:
        try:
            event = Uevent.unpack(await sock.recv(8192))
        except OSError:
            if sound:
                await drain(sock)
            table.clear()
            table.update(await app.listdir(MICE))
            if not sound:
                await drain(sock)
            continue
        if event.variables.get("SUBSYSTEM") == "mouse":
            name = event.devpath.rpartition("/")[2]
            if event.action == "add":
                table.add(name)
            elif event.action == "remove":
                table.discard(name)


async def body(app: Any, sim: Any, sound: bool) -> None:
    """Two mice are plugged in, and another mouse is unplugged at an arbitrary step."""
    table: set[str] = set()
    await app.spawn(watch, table, sound)
    await sim.quiet()
    for _ in range(2):
        sim.plug(Mouse())
    sim.any_step(sim.unplug, "mouse0")
    await sim.quiet()
    assert table == set(sim.truth("mouse")), table


BUG = Bug(body, devices=("mouse",))
