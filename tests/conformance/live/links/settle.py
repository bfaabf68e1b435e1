"""Make the host's kernel handle deferred carrier events in each namespace of a program (`linkwatch_event()`).

A work queue handles the change of a link's carrier.  It handles an urgent event, of a link on top of another
one (veth), immediately, and that of another link (bridge) up to a second later.  RTM_GETLINK of one link
handles its event at once: `rtnl_getlink()` calls `linkwatch_sync_dev()`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final

from simkernel.uapi import if_link as il
from simkernel.uapi import netlink as nl
from simkernel.uapi import rtnetlink as rtnl
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW
from simkernel.uapi.structure import U32
from tests.conformance import wire

PLENTY: Final = 1 << 17
PORT: Final = 0x41000020
"""A port id that no program uses.  The kernel assigns the process's pid to the first socket of a program."""
ALL: Final = wire.nlmsg(rtnl.RTM_GETLINK, wire.REQUEST | wire.DUMP, rtnl.IfInfoMsg().pack())


class Settler:
    """A sender of RTM_GETLINK with a socket in each namespace."""

    def __init__(self) -> None:
        self._sockets: list[Any] = []

    def close(self) -> None:
        """Close the sockets."""
        for sock in self._sockets:
            sock.close()

    def settle(self, actor: Any, *, slow: bool) -> None:
        """Handle the deferred events; if `slow`, only those that are not urgent."""
        for world in actor.worlds if not self._sockets else ():
            sock = world.socket(AF_NETLINK, SOCK_RAW, nl.NETLINK_ROUTE)
            sock.bind((PORT, 0))
            self._sockets.append(sock)
        for sock in self._sockets:
            for index, link in list(self._links(sock)):
                if not slow or link in (None, index):
                    sock.send(wire.nlmsg(rtnl.RTM_GETLINK, wire.REQUEST, rtnl.IfInfoMsg(index=index).pack()))
                    sock.recv(PLENTY)

    def _links(self, sock: Any) -> Iterator[tuple[int, int | None]]:
        sock.send(ALL)
        while True:
            for header, payload in wire.messages(sock.recv(PLENTY)):
                if header[1] == nl.NLMSG_DONE:
                    return
                (index,) = struct.unpack_from("<i", payload, 4)
                link = dict(wire.attrs(payload[rtnl.IfInfoMsg.SIZE :])).get(il.IFLA_LINK)
                yield index, None if link is None else U32.unpack(link)[0]
