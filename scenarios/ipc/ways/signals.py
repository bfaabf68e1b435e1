"""Signals that programs send each other."""

from __future__ import annotations

from typing import Any, ClassVar

from simkernel.uapi.signal import SIGUSR1

from .child import ORDINARY, child
from .program import Program, ProgramWay
from .sigio import SignalListener, _kill
from .way import Limit


class Sender(Program):
    """Kills its listeners, as the call is named."""

    async def tell(self, record: bytes, wait: bool) -> int:
        """One call for each."""
        for pid in self.pids:
            await self.app.kill(pid, SIGUSR1)
        return len(self.pids)


class Signals(ProgramWay):
    """SIGUSR1."""

    name = "signal"
    about = "kill(2), SIGUSR1"
    lacks: ClassVar = {"question": "no bytes", "frame": "no bytes"}
    limit = Limit(
        "One number, to one process, of the same user. What is sent while it is pending is lost, and nobody "
        "hears of that: good for `stop` and `read your settings again`.",
        "--set job=event --set ways=signal,pipe --set cpus=1",
    )

    async def source(self, app: Any, listeners: int) -> Sender:
        """Nothing to prepare: who is told is known by his number."""
        return Sender(app, listeners, self.settings)

    async def listener(self, app: Any, source: Sender, place: int) -> SignalListener:
        """A handler."""
        listener = SignalListener(app)
        await app.signal(SIGUSR1, listener.handler)
        return listener

    async def forbidden(self, app: Any) -> str:
        """An ordinary user sends one to root."""
        return f"same user: {await child(app, _kill, await app.getpid(), SIGUSR1, uid=ORDINARY)}"
