"""udevd: the daemon that loads a driver for each device the kernel announces.

The kernel loads nothing for a device by itself.  It says what has come, with a MODALIAS; this program
asks modprobe for whatever module claims that alias, as udev's rule 80-drivers.rules does.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from simkernel.uapi.errno import ENOBUFS

if TYPE_CHECKING:
    from simkernel.application.app import App


async def udevd(app: App) -> None:
    """Load modules by MODALIAS until the machine stops.

    That no module claims an alias is no error; why a module does not load is in the kernel log.
    """
    monitor = await app.uevents()
    while True:
        try:
            event = await anext(monitor)
        except OSError as error:
            if error.errno != ENOBUFS:
                raise
            continue  # events are lost; their devices have no driver until they are plugged in anew
        alias = event.variables.get("MODALIAS")
        if event.action == "add" and alias:
            with contextlib.suppress(OSError):
                await app.modprobe(alias)
