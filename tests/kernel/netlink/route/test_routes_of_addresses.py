"""Routes that the kernel adds and removes with an IPv4 address (`fib_add_ifaddr()`, `fib_del_ifaddr()`).

The expected routes are those of Linux 6.18.
"""

from __future__ import annotations

import socket
import struct
from typing import Any

import pytest

from simkernel import Machine
from simkernel.uapi import if_link as il
from simkernel.uapi import netlink as nl
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.socket import AF_INET, AF_NETLINK, SOCK_RAW
from tests.conformance.cases.addresses import ipv4

REQUEST, ACK, DUMP, CREATE = nl.NLM_F_REQUEST, nl.NLM_F_ACK, nl.NLM_F_DUMP, nl.NLM_F_CREATE
TYPES = {1: "unicast", 2: "local", 3: "broadcast"}


class Router:
    """A process that has a veth link, and adds addresses to it."""

    def __init__(self, app: Any) -> None:
        self.sock = app.socket(AF_NETLINK, SOCK_RAW, nl.NETLINK_ROUTE)
        info = nl.attribute(il.IFLA_LINKINFO, nl.attribute(il.IFLA_INFO_KIND, b"veth\0"))
        name = nl.attribute(il.IFLA_IFNAME, b"v0\0")
        self.ask(rt.RTM_NEWLINK, rt.IfInfoMsg().pack() + name + info, ACK | CREATE)
        dump = self.ask(rt.RTM_GETLINK, rt.IfInfoMsg().pack(), DUMP)
        links = [rt.IfInfoMsg.unpack(data) for _, data in dump[:-1]]
        ends = sorted(link.index for link in links if link.type == 1)
        for index in ends:
            self.ask(rt.RTM_NEWLINK, rt.IfInfoMsg(index=index, flags=1, change=1).pack(), ACK)
        self.index = ends[-1]

    def ask(self, type: int, body: bytes, flags: int) -> list[tuple[nl.NlMsgHdr, bytes]]:
        self.sock.send(nl.message(type, body, flags=REQUEST | flags))
        found: list[tuple[nl.NlMsgHdr, bytes]] = []
        while not found or found[-1][0].type not in (nl.NLMSG_ERROR, nl.NLMSG_DONE):
            found += [(header, bytes(data)) for header, data in nl.iterate_messages(self.sock.recv(65536))]
        return found

    def add(self, *arguments: Any, peer: str = "") -> None:
        ((_, reply),) = self.ask(rt.RTM_NEWADDR, ipv4(self.index, *arguments, peer=peer), ACK | CREATE)
        assert struct.unpack_from("<i", reply) == (0,)

    def remove(self, *arguments: Any, peer: str = "") -> None:
        ((_, reply),) = self.ask(rt.RTM_DELADDR, ipv4(self.index, *arguments, peer=peer), ACK)
        assert struct.unpack_from("<i", reply) == (0,)

    def routes(self) -> list[str]:
        """Return all IPv4 routes of the link, as type, prefix and preferred source."""
        found = []
        for header, data in self.ask(rt.RTM_GETROUTE, bytes((AF_INET, *bytes(11))), DUMP):
            if header.type != rt.RTM_NEWROUTE:
                continue
            attributes = dict(nl.iterate_attributes(data[12:]))
            if struct.unpack("<I", attributes.get(4, bytes(4))) != (self.index,):
                continue
            target, source = (socket.inet_ntoa(attributes.get(type, bytes(4))) for type in (1, 7))
            found.append(f"{TYPES[data[7]]} {target}/{data[1]} {source}")
        return sorted(found)


ADDRESSES: dict[str, tuple[tuple[Any, ...], str, list[str]]] = {
    "a host of a network": (
        ("10.0.0.1", 24), "", ["broadcast 10.0.0.255/32", "local 10.0.0.1/32", "unicast 10.0.0.0/24"]
    ),
    "the network itself": (
        ("10.0.0.0", 24), "", ["broadcast 10.0.0.255/32", "local 10.0.0.0/32", "unicast 10.0.0.0/24"]
    ),
    "a single host": (("10.0.0.1", 32), "", ["local 10.0.0.1/32"]),
    "a network of two": (("10.0.0.1", 31), "", ["local 10.0.0.1/32", "unicast 10.0.0.0/31"]),
    "a network of four": (
        ("10.0.0.1", 30), "", ["broadcast 10.0.0.3/32", "local 10.0.0.1/32", "unicast 10.0.0.0/30"]
    ),
    "a peer": (("10.0.0.1", 32), "10.0.0.2", ["local 10.0.0.1/32", "unicast 10.0.0.2/32"]),
    "a network behind a peer": (
        ("10.0.0.1", 24), "10.1.0.2", ["broadcast 10.1.0.255/32", "local 10.0.0.1/32", "unicast 10.1.0.0/24"]
    ),
    "everything": (("10.0.0.1", 0), "", ["local 10.0.0.1/32"]),
}  # fmt: skip


def added(app: Any, name: str) -> list[list[str]]:
    """Return the routes while an address exists, and the routes after its deletion."""
    arguments, peer, _ = ADDRESSES[name]
    router = Router(app)
    router.add(*arguments, peer=peer)
    routes = router.routes()
    router.remove(*arguments, peer=peer)
    return [routes, router.routes()]


@pytest.mark.parametrize("name", ADDRESSES)
def test_routes_of_an_address(name: str) -> None:
    (local, _), _, expected = ADDRESSES[name]
    with Machine(udev=False) as machine:
        assert added(machine.blocking(), name) == [[f"{route} {local}" for route in expected], []]


def test_addresses_of_one_network_share_its_routes() -> None:
    """The second address is secondary. If it is deleted, only its local route is deleted. The other routes
    belong to the first address.
    """
    with Machine(udev=False) as machine:
        router = Router(machine.blocking())
        router.add("10.0.0.1", 24)
        first = router.routes()
        router.add("10.0.0.2", 24)
        assert sorted(set(router.routes()) - set(first)) == ["local 10.0.0.2/32 10.0.0.1"]
        router.remove("10.0.0.2", 24)
        assert router.routes() == first
        router.add("10.0.0.2", 24)
        router.remove("10.0.0.1", 24)
        assert router.routes() == []
