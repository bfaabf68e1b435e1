"""For tests of your own programs, drivers and devices, and of simkernel itself.

    from simkernel.testing import world

    with world(privileged=False) as w:
        sock = w.socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC)
        sock.bind((0, 0))

Beside what is named here: `simkernel.testing.fixtures`, a plugin for pytest, and
`simkernel.testing.strategies`, a family's requests for hypothesis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simkernel.testing.blocking import Blocking
from simkernel.testing.leaks import left_behind
from simkernel.testing.socket import BlockingSocket
from simkernel.testing.world import World, world

if TYPE_CHECKING:
    from simkernel.testing.loop import event_loop

__all__ = ["Blocking", "BlockingSocket", "World", "event_loop", "left_behind", "world"]


def __getattr__(name: str) -> object:
    """Import `event_loop` on first use: who makes blocking calls need not wait for asyncio (PEP 562)."""
    if name != "event_loop":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from simkernel.testing.loop import event_loop

    return event_loop
