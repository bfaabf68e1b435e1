"""Requests that make the host's kernel handle deferred carrier events (`linkwatch_event()`) in each network
namespace of a program.

A work queue handles carrier changes. It handles an urgent event, of a link on top of another link (veth),
immediately, and that of another link (bridge) up to a second later. RTM_GETLINK of a link handles its
event immediately: `rtnl_getlink()` calls `linkwatch_sync_dev()`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from operator import attrgetter
from typing import Any, Final

import attrs

from simkernel.uapi import if_link as il
from simkernel.uapi import netlink as nl
from simkernel.uapi import rtnetlink as rtnl
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW
from simkernel.uapi.structure import U32
from tests.conformance import wire

BUFFER_SIZE: Final = 1 << 17
PORT: Final = 0x41000020
"""Explicit port id of the sockets through which `Settler` sends requests. A socket without an explicit port
id would get the process id as port id. The first socket of a random program must get the process id.
"""
DAD_DELAY: Final = 1_000_000
"""Maximum random delay in seconds before IPv6 duplicate address detection starts. The delay is so long that
detection almost never starts while a program runs.
"""
DAD_DELAY_FILE: Final = "/proc/sys/net/ipv6/conf/default/router_solicitation_delay"
PATIENCE: Final = 0.2
"""Maximum time in seconds to wait until the kernel's work queue has handled the events of all urgent links
(see `_Link`) in a namespace.
"""
POLL: Final = 0.0005
NO_CARRIER: Final = (il.IF_OPER_DOWN, il.IF_OPER_LOWERLAYERDOWN)
ALL: Final = wire.nlmsg(rtnl.RTM_GETLINK, wire.REQUEST | wire.DUMP, rtnl.IfInfoMsg().pack())


class Settler:
    """Sender of RTM_GETLINK requests, which make the kernel handle deferred link events. It has a socket in
    each namespace.
    """

    def __init__(self) -> None:
        self._sockets: list[Any] = []

    def close(self) -> None:
        """Close the sockets of all namespaces."""
        for sock in self._sockets:
            sock.close()

    def settle(self, actor: Any, *, slow: bool) -> None:
        """Make the kernel handle deferred link events. If `slow` is True, send requests only for links whose
        events the work queue can delay by a second.
        """
        for world in actor.worlds if not self._sockets else ():
            with suppress(OSError):  # In a container, /proc/sys can be read-only.
                world.write_file(DAD_DELAY_FILE, b"%d" % DAD_DELAY)
            sock = world.socket(AF_NETLINK, SOCK_RAW, nl.NETLINK_ROUTE)
            sock.bind((PORT, 0))
            self._sockets.append(sock)
        for sock in self._sockets:
            links = list(_links(sock))
            begun = time.monotonic()
            while any(link.urgent for link in links) and time.monotonic() - begun < PATIENCE:
                time.sleep(POLL)
                links = list(_links(sock))
            for link in sorted(
                links, key=attrgetter("slow")
            ):  # The event of a new bridge port must be handled before that of its bridge.
                if link.slow or link.new or not slow:
                    head = rtnl.IfInfoMsg(index=link.index).pack()
                    sock.send(wire.nlmsg(rtnl.RTM_GETLINK, wire.REQUEST, head))
                    sock.recv(BUFFER_SIZE)


@attrs.frozen
class _Link:
    """A link. `slow` is True if the work queue can delay the link's events by a second. `urgent` is True if
    the link is up, its operational state does not match its carrier yet, and the work queue handles the event
    without this delay.

    RTM_GETLINK of urgent links would change the order in which the work queue handles them. A `new` link
    lost its carrier before it was up, so the work queue can take a second for it as well.
    """

    index: int
    slow: bool
    new: bool
    urgent: bool


def _links(sock: Any) -> Iterator[_Link]:
    sock.send(ALL)
    while True:
        for header, payload in wire.messages(sock.recv(BUFFER_SIZE)):
            if header[1] == nl.NLMSG_DONE:
                return
            link = rtnl.IfInfoMsg.unpack(payload)
            found = dict(wire.attrs(payload[rtnl.IfInfoMsg.SIZE :]))
            slow = found.get(il.IFLA_LINK) in (None, U32.pack(link.index))
            carrier, state = found[il.IFLA_CARRIER][0], found[il.IFLA_OPERSTATE][0]
            late = state in NO_CARRIER if carrier else state == il.IF_OPER_UP and not slow
            new = not carrier and state == il.IF_OPER_UNKNOWN
            yield _Link(link.index, slow, new, bool(link.flags & il.IFF_UP and late))
