"""Tools for tests of programs, drivers and devices.

    from simkernel.testing import world

    with world(privileged=False) as w:
        sock = w.socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC)
        sock.bind((0, 0))

pytest loads the plugin automatically.  It adds the mark `sim` and the fixtures `sim_machine`, `sim_world` and
`sim_new_machine`.  `check` and `new_machine` serve other runners, such as unittest.  Modules that need the
extra [testing] are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simkernel.testing.leaks import holdings, left_behind
from simkernel.testing.world import World, world

if TYPE_CHECKING:
    from simkernel.testing.evidence import check
    from simkernel.testing.machines import new_machine

__all__ = ["World", "check", "holdings", "left_behind", "new_machine", "world"]


def __getattr__(name: str) -> object:
    """Import `check` and `new_machine` on first use (PEP 562)."""
    if name == "check":
        from simkernel.testing.evidence import check

        return check
    if name == "new_machine":
        from simkernel.testing.machines import new_machine

        return new_machine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
