"""For tests of your own programs, drivers and devices, and of simkernel itself.

    from simkernel.testing import world

    with world(privileged=False) as w:
        sock = w.socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC)
        sock.bind((0, 0))

Two modules are imported by name: `simkernel.testing.fixtures`, a plugin for pytest, and
`simkernel.testing.strategies`, a family's requests for hypothesis.
"""

from __future__ import annotations

from simkernel.testing.leaks import holdings, left_behind
from simkernel.testing.world import World, world

__all__ = ["World", "holdings", "left_behind", "world"]
