"""Network devices, as far as a machine without a network has them: `lo`."""

from __future__ import annotations

from typing import Final

import attrs

from simkernel.uapi.if_link import IFF_LOOPBACK

LOOPBACK_IFINDEX: Final = 1
"""The first index of a namespace is lo's (include/net/net_namespace.h)."""


@attrs.define(eq=False)
class NetDevice:
    """A network device (`struct net_device`)."""

    index: int
    name: str
    flags: int
    mtu: int


def loopback() -> NetDevice:
    """A new namespace's `lo`, which is down (`loopback_setup()`)."""
    return NetDevice(LOOPBACK_IFINDEX, "lo", IFF_LOOPBACK, 65536)
