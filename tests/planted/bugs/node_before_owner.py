"""A client opens a device node as soon as the kernel's uevent arrives. At this time, udevd has not yet set
the group of the node.

After https://github.com/libusb/libusb/issues/168 (with the netlink backend, an open fails because the
permissions are set later).
"""

from __future__ import annotations

from typing import Any

from simkernel.hardware import Mouse
from simkernel.uapi.fcntl import O_RDONLY
from tests.planted.bug import Bug

INPUT = 104
"""Group id that udevd sets on nodes of input devices."""


async def client(app: Any, opened: list[str], sound: bool) -> None:
    """Open each input device that the kernel announces."""
    monitor = await app.uevents()
    async for event in monitor:
        node = event.variables.get("DEVNAME", "")
        if event.action != "add" or not node.startswith("input/"):
            continue
        await app.sleep(0.005)  # On an idle machine, udevd sets the group during this pause.
        while True:
            try:
                await app.close(await app.open(f"/dev/{node}", O_RDONLY))
                opened.append(node)
            except PermissionError:
                if sound:
                    await app.sleep(0.001)
                    continue
            break


async def body(app: Any, sim: Any, sound: bool) -> None:
    """A mouse is plugged in while a client of the group `input` waits for it."""
    opened: list[str] = []
    sim.machine.spawn(client, opened, sound, uid=1000, gid=INPUT)
    await sim.quiet()
    sim.plug(Mouse())
    await sim.quiet()
    assert opened == ["input/event0"], opened


BUG = Bug(body)
