"""Classes whose methods make system calls of a simulated process and block until the call is done.  A program
that is a plain function uses `Blocking`.  Code outside the simulation uses `BlockingProcess`.

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
