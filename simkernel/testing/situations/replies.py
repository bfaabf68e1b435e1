"""Access to the kernel's unread replies in the queue of a netlink socket."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from simkernel.kernel.net.creds import KERNEL_CREDS
from simkernel.kernel.net.truesize import truesize
from simkernel.kernel.netlink.dump import DumpCallback
from simkernel.kernel.netlink.skb import KERNEL_ADDRESS, Skb, make_skb
from simkernel.kernel.netlink.sock import NetlinkSock
from simkernel.uapi.netlink import NLM_F_MULTI, NLMSG_DONE, NLMSG_HDRLEN, locate_messages

TYPE, FLAGS = 1, 2
"""Positions of the type and of the flags in the tuple of a decoded message header (`Header`)."""

Cut = Callable[[list[bytes]], Iterable[list[bytes]]]
"""A function that groups a list of messages into datagrams."""


def replies(sock: NetlinkSock) -> list[Skb]:
    """Return the unread unicast messages that the kernel sent. Omit multicast messages, and messages that
    other programs sent.
    """
    return [skb for skb in sock.queue or () if skb.address == KERNEL_ADDRESS]


def take(sock: NetlinkSock, skbs: Iterable[Skb]) -> None:
    """Remove socket buffers from the receive queue of a netlink socket."""
    for skb in skbs:
        assert sock.queue is not None
        sock.queue.remove(skb)
        sock.rmem -= skb.truesize


def messages(data: bytes) -> list[bytes]:
    """Return the messages of a datagram, each with its padding."""
    starts = [start - NLMSG_HDRLEN for _, start, _ in locate_messages(data)[0]]
    return [data[start:end] for start, end in zip(starts, [*starts[1:], len(data)], strict=True)]


def is_dump(skb: Skb) -> bool:
    """Return True if a datagram contains messages of a dump."""
    return any(
        header[FLAGS] & NLM_F_MULTI or header[TYPE] == NLMSG_DONE
        for header, _, _ in locate_messages(skb.data)[0]
    )


def is_done(data: bytes) -> bool:
    """Return True if a datagram ends with NLMSG_DONE."""
    located, _ = locate_messages(data)
    return bool(located) and located[-1][0][TYPE] == NLMSG_DONE


def running_dump(sock: NetlinkSock) -> DumpCallback | None:
    """Return the unfinished dump of a netlink socket: its last message (NLMSG_DONE) is not yet in the receive
    queue. Return None if there is no such dump.
    """
    return sock.dump if isinstance(sock.dump, DumpCallback) else None


def recut(sock: NetlinkSock, cut: Cut) -> list[list[bytes]]:
    """Repack the messages of an unread dump. The function `cut` groups these messages into new datagrams.

    Return the datagrams.
    """
    parts = [skb for skb in replies(sock) if is_dump(skb)]
    if not parts:
        return []
    datagrams = list(cut([message for skb in parts for message in messages(skb.data)]))
    take(sock, parts)
    assert sock.queue is not None
    for datagram in reversed(datagrams):
        data = b"".join(datagram)
        size = truesize(0, len(data))
        sock.queue.appendleft(make_skb(data, size, KERNEL_ADDRESS, 0, KERNEL_CREDS, parts[0].flow))
        sock.rmem += size
    return datagrams
