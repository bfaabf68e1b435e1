"""The blocking façade: a program's calls for ordinary code.  Each call advances the clock until it is done.

    with machine.blocking() as process:
        sock = process.socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC)

`simkernel.blocking.loop` has an asyncio event loop on the machine's time.
"""

from __future__ import annotations

from simkernel.blocking.process import Blocking
from simkernel.blocking.socket import BlockingSocket

__all__ = ["Blocking", "BlockingSocket"]
