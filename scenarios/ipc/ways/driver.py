"""What the ways to the driver `ipc_demo` share: its events, which a timer of the driver's begins."""

from __future__ import annotations

from typing import Any, Final

from simkernel.uapi.fcntl import O_RDWR
from simkernel.uapi.ipc_demo import IPC_DEMO_LAST, IPC_DEMO_START, IpcDemoEvent, IpcDemoStart

from .way import Settings, Source, Way

QUESTION: Final = "/dev/ipc_demo/question"
EVENTS: Final = "/dev/ipc_demo/event"
FRAME: Final = "/dev/ipc_demo/frame"
PAGE: Final = 4096


class Driver(Source):
    """The driver's timer, set by a program."""

    def __init__(self, app: Any, fd: int, settings: Settings) -> None:
        self.app = app
        self.fd = fd
        self.settings = settings
        self.base = 0
        self.begun = {}
        self.pids = []

    async def last(self) -> IpcDemoEvent:
        """The event that began last."""
        return IpcDemoEvent.unpack(await self.app.ioctl(self.fd, IPC_DEMO_LAST, bytes(IpcDemoEvent.SIZE)))

    async def run(self, count: int, interval: int, *, wait: bool = True) -> int:
        """Set the timer, and sleep till all events have begun."""
        await self.app.ioctl(self.fd, IPC_DEMO_START, IpcDemoStart(interval, count).pack())
        await self.app.sleep((count + 1) * interval / 1e9)
        self.aside += 3
        self.copied_aside += IpcDemoStart.SIZE + IpcDemoEvent.SIZE
        last = await self.last()
        for back in range(count):
            self.begun[last.number - back] = last.time - back * interval
        return count


class DriverWay(Way):
    """A way to the driver."""

    other = "driver"

    async def source(self, app: Any, listeners: int) -> Driver:
        """The driver as it is."""
        source = Driver(app, await app.open(EVENTS, O_RDWR), self.settings)
        source.base = (await source.last()).number
        return source
