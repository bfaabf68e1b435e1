"""The programs that a machine runs by itself: udevd, and modprobe for the kernel.

udevd loads a driver for each device that the kernel announces, and sets the group of its node.

The kernel loads nothing for a device by itself.  It says what has come, with a MODALIAS; this program
asks modprobe for whatever module claims that alias, as udev's rule 80-drivers.rules does.  The kernel's
nodes are root's alone; some are given to a group, as 50-udev-default.rules has it.
"""

from __future__ import annotations

import contextlib
from typing import Final

from simkernel.application.app import App
from simkernel.uapi.errno import EFAULT, EINTR, ENOBUFS

VIDEO: Final = 44
"""The group `video` of Debian."""
INPUT: Final = 104
"""The group `input`, which Debian numbers when udev is installed."""
GROUPS: Final = {"video4linux": VIDEO, "input": INPUT}
"""Whose the nodes of a class of devices are: subsystem -> group."""
LOSSES: Final = (EFAULT, EINTR, ENOBUFS)
"""Errors of a receive after which udevd receives again, as udev does after any (`on_uevent()`)."""
GROUP_MODE: Final = 0o660
"""What udev sets where a rule says a group and no mode."""


async def udevd(app: App) -> None:
    """Load modules by MODALIAS until the machine stops.

    That no module claims an alias is no error; why a module does not load is in the kernel log.
    """
    monitor = await app.uevents()
    while True:
        try:
            event = await anext(monitor)
        except OSError as error:
            if error.errno not in LOSSES:
                raise
            continue  # events are lost; their devices have no driver until they are plugged in anew
        if event.action != "add":
            continue
        group = GROUPS.get(event.variables.get("SUBSYSTEM", ""))
        if group is not None and "DEVNAME" in event.variables:
            await _give(app, f"/dev/{event.variables['DEVNAME']}", group)
        alias = event.variables.get("MODALIAS")
        if alias:
            with contextlib.suppress(OSError):
                await app.modprobe(alias)


async def _give(app: App, node: str, group: int) -> None:
    """Let a group have a node; perhaps it is gone already."""
    with contextlib.suppress(OSError):
        await app.chown(node, 0, group)
        await app.chmod(node, GROUP_MODE)


async def modprobe(app: App, name: str) -> None:
    """The program that the kernel runs when it requests a module: `modprobe -q -- NAME`."""
    try:
        await app.modprobe(name)
    except OSError:
        await app.exit(1)
