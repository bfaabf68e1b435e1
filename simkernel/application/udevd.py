"""The programs that a machine starts by itself: udevd, and modprobe for the kernel.

The kernel announces a new device with a MODALIAS, but does not load its driver.  udevd runs modprobe for
that alias, as udev's rule 80-drivers.rules does.  Device nodes belong to root; udevd sets the group of
some nodes, as 50-udev-default.rules does.
"""

from __future__ import annotations

import contextlib
from typing import Final

from simkernel.application.app import App
from simkernel.uapi.errno import EFAULT, EINTR, ENOBUFS

VIDEO: Final = 44
"""Id of the group `video` in Debian."""
INPUT: Final = 104
"""Id of the group `input`, which Debian allocates when udev is installed."""
GROUPS: Final = {"video4linux": VIDEO, "input": INPUT}
"""Maps the subsystem of a device to the id of the group that owns its device node."""
LOSSES: Final = (EFAULT, EINTR, ENOBUFS)
"""If a receive fails with one of these errors, this udevd receives again.  The real udevd receives again
after every error (`on_uevent()`).
"""
GROUP_MODE: Final = 0o660
"""Mode of a device node if the rule of udev for this node names a group but no mode."""


async def udevd(app: App) -> None:
    """Receive uevents until the machine stops. For each added device, set the group of a video or input node,
    and load the modules for the MODALIAS of the device.

    An alias without a module is not an error.  If a module fails to load, the kernel log has the reason.
    """
    monitor = await app.uevents()
    while True:
        try:
            event = await anext(monitor)
        except OSError as error:
            if error.errno not in LOSSES:
                raise
            continue  # if an event is lost, its device gets no driver until it is plugged in again
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
    """Set the group and the mode of a device node, unless the node was already removed."""
    with contextlib.suppress(OSError):
        await app.chown(node, 0, group)
        await app.chmod(node, GROUP_MODE)


async def modprobe(app: App, name: str) -> None:
    """Load a module.  The kernel runs this program when it requests a module (`modprobe -q -- NAME`)."""
    try:
        await app.modprobe(name)
    except OSError:
        await app.exit(1)
