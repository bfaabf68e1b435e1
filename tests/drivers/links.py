"""Programs that create and change links over NETLINK_ROUTE, for tests of link drivers."""

from __future__ import annotations

import errno
from typing import Any

import attrs

from simkernel.machine import Machine
from simkernel.uapi import if_link as il
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.netlink import (
    NETLINK_ROUTE,
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_DUMP,
    NLM_F_EXCL,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    attribute,
    iterate_attributes,
    iterate_messages,
    message,
)
from simkernel.uapi.rtnetlink import IfInfoMsg
from simkernel.uapi.socket import AF_NETLINK, MSG_DONTWAIT, SOCK_RAW
from simkernel.uapi.structure import S32, U32


@attrs.frozen
class Link:
    """A link as an RTM_NEWLINK message describes it."""

    index: int
    name: str
    flags: int
    mtu: int
    address: bytes
    master: int
    kind: str


def parse(payload: bytes) -> Link:
    """Read an RTM_NEWLINK message."""
    head = IfInfoMsg.unpack(payload)
    found = {type & 0x3FFF: bytes(value) for type, value in iterate_attributes(payload, IfInfoMsg.SIZE)}
    info = dict(iterate_attributes(found.get(il.IFLA_LINKINFO, b"")))
    return Link(
        head.index,
        found[il.IFLA_IFNAME].rstrip(b"\0").decode("utf-8", "surrogateescape"),
        head.flags,
        U32.unpack(found[il.IFLA_MTU])[0],
        found[il.IFLA_ADDRESS],
        U32.unpack(found[il.IFLA_MASTER])[0] if il.IFLA_MASTER in found else 0,
        bytes(info.get(il.IFLA_INFO_KIND, b"")).rstrip(b"\0").decode(),
    )


class Links:
    """A program with two sockets: one changes links, the other receives the notifications of RTNLGRP_LINK."""

    def __init__(self, machine: Machine) -> None:
        self.process = machine.blocking()
        self.changer = self._open(0)
        self.listener = self._open(1 << (rt.RTNLGRP_LINK - 1))

    def _open(self, groups: int) -> Any:
        sock = self.process.socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)
        sock.bind((0, groups))
        return sock

    def ask(self, type: int, body: bytes, flags: int = 0) -> int:
        """Send a request, and return the errno of its reply."""
        self.changer.send(message(type, body, flags=NLM_F_REQUEST | NLM_F_ACK | flags, seq=1))
        ((header, payload),) = iterate_messages(self.changer.recv(65536))
        assert header.type == NLMSG_ERROR
        return -int(S32.unpack_from(payload)[0])

    def add(self, kind: str, name: str, *more: bytes, data: bytes = b"") -> int:
        """Create a link."""
        info = attribute(il.IFLA_INFO_KIND, kind.encode() + b"\0")
        info += attribute(il.IFLA_INFO_DATA, data) if data else b""
        body = IfInfoMsg().pack() + attribute(il.IFLA_IFNAME, name.encode() + b"\0") + b"".join(more)
        return self.ask(rt.RTM_NEWLINK, body + attribute(il.IFLA_LINKINFO, info), NLM_F_CREATE | NLM_F_EXCL)

    def veth(self, name: str, peer: str) -> int:
        """Create a veth pair."""
        other = IfInfoMsg().pack() + attribute(il.IFLA_IFNAME, peer.encode() + b"\0")
        return self.add("veth", name, data=attribute(il.VETH_INFO_PEER, other))

    def set(self, name: str, *more: bytes, flags: int = 0, change: int = 0) -> int:
        """Change a link."""
        body = IfInfoMsg(flags=flags, change=change).pack() + attribute(il.IFLA_IFNAME, name.encode() + b"\0")
        return self.ask(rt.RTM_NEWLINK, body + b"".join(more))

    def up(self, name: str) -> int:
        """Bring a link up."""
        return self.set(name, flags=il.IFF_UP, change=il.IFF_UP)

    def delete(self, name: str) -> int:
        """Delete a link."""
        return self.ask(rt.RTM_DELLINK, IfInfoMsg().pack() + attribute(il.IFLA_IFNAME, name.encode() + b"\0"))

    def dump(self) -> dict[int, Link]:
        """Return all links, by index."""
        self.changer.send(
            message(rt.RTM_GETLINK, IfInfoMsg().pack(), flags=NLM_F_REQUEST | NLM_F_DUMP, seq=2)
        )
        links: dict[int, Link] = {}
        while True:
            for header, payload in iterate_messages(self.changer.recv(65536)):
                if header.type == NLMSG_DONE:
                    return links
                link = parse(bytes(payload))
                links[link.index] = link

    def follow(self, table: dict[int, Link]) -> None:
        """Apply all pending link notifications to `table`, which contains the links by index."""
        while True:
            try:
                data = self.listener.recv(65536, MSG_DONTWAIT)
            except OSError as error:
                assert error.errno == errno.EAGAIN
                return
            for header, payload in iterate_messages(data):
                if payload[0]:  # skip AF_BRIDGE messages, which describe ports of bridges
                    continue
                link = parse(bytes(payload))
                if header.type == rt.RTM_NEWLINK:
                    table[link.index] = link
                else:
                    del table[link.index]
