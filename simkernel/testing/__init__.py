"""For tests of your own programs, drivers and devices, and of simkernel itself.

    from simkernel.testing import world

    with world(privileged=False) as w:
        sock = w.socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC)
        sock.bind((0, 0))

Beside what is named here: `simkernel.testing.fixtures`, a plugin for pytest, and
`simkernel.testing.strategies`, a family's requests for hypothesis.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from simkernel.testing.blocking import Blocking
from simkernel.testing.leaks import left_behind
from simkernel.testing.socket import BlockingSocket
from simkernel.testing.world import World, world

if TYPE_CHECKING:
    from simkernel.testing.hosted import hosted
    from simkernel.testing.loop import event_loop

__all__ = ["Blocking", "BlockingSocket", "World", "event_loop", "hosted", "left_behind", "world"]

_LATE = {"event_loop": "simkernel.testing.loop", "hosted": "simkernel.testing.hosted"}
"""What is imported on first use: who makes blocking calls need not wait for asyncio (PEP 562)."""


def __getattr__(name: str) -> object:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_LATE[name]), name)
    globals()[name] = value  # the submodule `hosted` has the same name as its function
    return value
