"""Changes of network links by raw messages, on simkernel and on this host."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import Any, Final

from simkernel.uapi import if_link as il
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.netlink import (
    NETLINK_ADD_MEMBERSHIP,
    NETLINK_ROUTE,
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REQUEST,
    NlMsgHdr,
    attribute,
    iterate_messages,
    message,
)
from simkernel.uapi.socket import AF_NETLINK, MSG_DONTWAIT, SOCK_RAW, SOL_NETLINK
from simkernel.uapi.structure import S32, U32

IFLA_INFO_KIND: Final = 1
IFLA_INFO_DATA: Final = 2


def route_socket(world: Any, *groups: int) -> Any:
    """Return a socket of NETLINK_ROUTE.  If `groups` are given, the socket is bound and joins them."""
    sock = world.socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)
    if groups:
        sock.bind((0, 0))
    for group in groups:
        sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
    return sock


def attempt(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return the result of a call, or the name of its errno."""
    try:
        return function(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno or 0]


def ask(world: Any, type: int, body: bytes, flags: int = 0) -> str:
    """Send a request and return the name of its error, or "0"."""
    with route_socket(world) as sock:
        sock.send(message(type, body, flags=NLM_F_REQUEST | NLM_F_ACK | flags, seq=1))
        (number,) = S32.unpack_from(sock.recv(65536), 16)
    return errno.errorcode.get(-number, "0")


def name(text: str, type: int = il.IFLA_IFNAME) -> bytes:
    return attribute(type, text.encode() + b"\0")


def number(type: int, value: int) -> bytes:
    return attribute(type, U32.pack(value))


ONE_QUEUE: Final = number(il.IFLA_NUM_TX_QUEUES, 1) + number(il.IFLA_NUM_RX_QUEUES, 1)
"""RTM_NEWLINK attributes for one queue in each direction. Without them, the number depends on the CPUs."""


def add(world: Any, link: str, kind: str, data: bytes = b"", more: bytes = b"") -> str:
    """Add a link with RTM_NEWLINK, and return the error's name or "0"."""
    info = attribute(IFLA_INFO_KIND, kind.encode() + b"\0") + (
        attribute(IFLA_INFO_DATA, data) if data else b""
    )
    body = rt.IfInfoMsg().pack() + name(link) + more + attribute(il.IFLA_LINKINFO, info)
    return ask(world, rt.RTM_NEWLINK, body, NLM_F_CREATE | NLM_F_EXCL)


def add_veth(world: Any, link: str, peer: str, more: bytes = b"", peer_more: bytes = b"") -> str:
    """Add a veth pair with one queue each."""
    data = attribute(il.VETH_INFO_PEER, rt.IfInfoMsg().pack() + name(peer) + ONE_QUEUE + peer_more)
    return add(world, link, "veth", data, ONE_QUEUE + more)


def change(world: Any, link: str, attributes: bytes = b"", *, flags: int = 0, mask: int = 0) -> str:
    """Change an existing link with RTM_NEWLINK."""
    body = rt.IfInfoMsg(flags=flags, change=mask).pack() + name(link) + attributes
    return ask(world, rt.RTM_NEWLINK, body)


def rename(world: Any, index: int, new: str) -> str:
    """Rename the link with this index."""
    return ask(world, rt.RTM_NEWLINK, rt.IfInfoMsg(index=index).pack() + name(new))


def up(world: Any, link: str) -> str:
    return change(world, link, flags=il.IFF_UP, mask=il.IFF_UP)


def down(world: Any, link: str) -> str:
    return change(world, link, mask=il.IFF_UP)


def delete(world: Any, link: str) -> str:
    """Delete a link with RTM_DELLINK."""
    return ask(world, rt.RTM_DELLINK, rt.IfInfoMsg().pack() + name(link))


def settle(world: Any, seconds: float = 0.05) -> None:
    """Sleep, so that the kernel runs its deferred work. The kernel can delay the notification of a carrier
    change by up to a second, unless the change is urgent.
    """
    getattr(world, "sleep", time.sleep)(seconds)


def drain(sock: Any) -> list[bytes]:
    """Return all datagrams in a receive queue."""
    found: list[bytes] = []
    while True:
        try:
            found.append(sock.recv(65536, MSG_DONTWAIT))
        except BlockingIOError:
            return found


def messages(sock: Any) -> list[tuple[NlMsgHdr, bytes]]:
    """Return header and payload of all messages in a receive queue."""
    return [(header, bytes(data)) for each in drain(sock) for header, data in iterate_messages(each)]
