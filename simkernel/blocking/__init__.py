"""Blocking calls.  `Blocking` is for a program that is a plain function, `BlockingProcess` for code outside
the simulation.

    def program(app: Blocking) -> None:
        app.sleep(0.5)

    with machine.blocking() as process:  # each call advances the clock until it is done
        sock = process.socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC)

`simkernel.blocking.loop` has an asyncio event loop that uses the machine's clock.
"""

from __future__ import annotations

from simkernel.blocking.process import Blocking, BlockingProcess
from simkernel.blocking.socket import BlockingSocket

__all__ = ["Blocking", "BlockingProcess", "BlockingSocket"]
