"""Dumps: answers of several datagrams, each created after the previous one was received.

Sources: `__netlink_dump_start()` and `netlink_dump()` of af_netlink.c.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs

from simkernel.kernel.net.creds import KERNEL_CREDS
from simkernel.kernel.net.truesize import GOODSIZE, SHARED_INFO, SKB_STRUCT, SLAB_TRUESIZE, allot
from simkernel.kernel.netlink import deliver
from simkernel.kernel.netlink.extack import ExtendedAck
from simkernel.kernel.netlink.message import NO_ACK, Request
from simkernel.kernel.netlink.owner import Owner, get_owner, put_owner
from simkernel.kernel.netlink.skb import KERNEL_ADDRESS, make_skb
from simkernel.kernel.netlink.sock import EXT_ACK, Inbound, NetlinkSock
from simkernel.kernel.netlink.writer import BufferFull, MessageWriter
from simkernel.uapi import netlink as nl
from simkernel.uapi.errno import EBUSY, ECONNREFUSED, EIO, EMSGSIZE, ENOBUFS, EPROTONOSUPPORT, os_error
from simkernel.uapi.structure import S32, U16

Dump = Callable[[MessageWriter, "DumpCallback"], bool]
"""Function that writes as many messages of a dump as fit into a datagram, and returns True if more messages
remain. An OSError from the function ends the dump.

BufferFull or EMSGSIZE means that the next message did not fit, and the dump continues in another datagram.
If the datagram is still empty, the dump ends with the error EMSGSIZE.
"""

MAX_BATCH_SIZE: Final = 32768 - SHARED_INFO
"""Maximum size of a dump's datagram, in bytes. The limit applies even if the receive buffer is larger."""

_MORE: Final = 1
_DONE_SIZE: Final = nl.NLMSG_HDRLEN + S32.size


@attrs.define(eq=False, repr=False)
class DumpCallback:
    """A running dump of a socket (`struct netlink_callback`).

    `context` is private to the dump function. `strict`: the sender requests strict checks. A dump function
    that detects changes of its data sets `generation`: if it differs between two messages, the later
    messages have NLM_F_DUMP_INTR set. `result` is 1 until the dump is complete, then 0 or a negative errno.
    """

    sock: NetlinkSock
    request: Request
    _dump: Dump
    _done: Callable[[DumpCallback], None] | None
    _owner: Owner | None
    min_dump_alloc: int
    context: Any
    strict: bool
    answer_flags: int = 0
    generation: int = 0
    result: int = _MORE
    _previous: int = 0

    def check_consistent(self, writer: MessageWriter, place: int) -> None:
        """Set NLM_F_DUMP_INTR in a message if the data changed since the previous message
        (`nl_dump_check_consistent()`).

        `place` is the offset of the message in the writer.
        """
        if self._previous and self.generation != self._previous:
            offset = place + _FLAGS_OFFSET
            flags = U16.unpack_from(writer.data, offset)[0]
            U16.pack_into(writer.data, offset, flags | nl.NLM_F_DUMP_INTR)
        self._previous = self.generation

    def accept_change(self) -> None:
        """Do not set NLM_F_DUMP_INTR for a change of the data that happened before this call.

        The reason is an empty part of the dump: Linux sets the flag in the part's header, and does not
        send that header.
        """
        self._previous = self.generation

    def begin_sequence(self) -> None:
        """Begin a new sequence of messages. If the data changed since the last message of the old sequence,
        NLM_F_DUMP_INTR is not set for that change.
        """
        self.generation = self._previous = 0

    def interrupt(self) -> None:
        """Set NLM_F_DUMP_INTR in the next message. The data has changed, although `generation` is
        unchanged.
        """
        self._previous = ~self.generation

    @property
    def inbound(self) -> Inbound:
        """Datagram that contained the dump request."""
        return self.request.inbound

    def resume(self) -> None:
        """Build and queue the next datagram of the dump after a receive (`netlink_recvmsg()`). If `step`
        returns an error, set the socket's pending error.
        """
        error = self.step()
        if error:
            self.sock.report_error(error)

    def step(self) -> int:
        """Build the next datagram of the dump and queue it (`netlink_dump()`).

        Return 0, or ENOBUFS if the receive queue is full. The last datagram ends with NLMSG_DONE. If that
        does not fit, it follows in another datagram.
        """
        sock = self.sock
        size = max(self.min_dump_alloc, GOODSIZE, min(sock.largest_receive, MAX_BATCH_SIZE))
        truesize = allot(size)[1]
        if sock.rmem and sock.rmem + truesize >= sock.rcvbuf:
            return ENOBUFS
        faults = sock.netlink.faults
        if faults is not None and faults.hit("skb.alloc"):
            return ENOBUFS
        writer = MessageWriter(size)
        extack = ExtendedAck()
        if self.result == _MORE:
            self._fill(writer, extack)
        finished = self.result != _MORE and writer.tailroom >= _DONE_SIZE
        if finished:
            self._write_done(writer, extack)
        self._send(writer, truesize)
        if finished:
            sock.dump = None
            sock.changed()
            self.close()
        return 0

    def _fill(self, writer: MessageWriter, extack: ExtendedAck) -> None:
        self.request.extack = extack
        try:
            self.result = _MORE if self._dump(writer, self) else 0
        except BufferFull:
            self.result = _MORE if writer.data else -EMSGSIZE
        except OSError as error:
            self.result = _MORE if error.errno == EMSGSIZE and writer.data else -(error.errno or EIO)

    def _write_done(self, writer: MessageWriter, extack: ExtendedAck) -> None:
        """Append NLMSG_DONE with the dump's result (`netlink_dump_done()`)."""
        flags = nl.NLM_F_MULTI | self.answer_flags
        size = extack.size(self.result) if self.sock.flags & EXT_ACK else 0
        if size:
            flags |= nl.NLM_F_ACK_TLVS
        request = self.request
        place = writer.begin(nl.NLMSG_DONE, flags, request.seq, request.portid, S32.pack(self.result))
        self.check_consistent(writer, place)
        if 0 < size <= writer.tailroom:
            extack.write(writer, self.result)
            writer.end(place)

    def _send(self, writer: MessageWriter, truesize: int) -> None:
        netlink = self.sock.netlink
        costs = netlink.costs
        netlink.engine.charged += costs.skb_alloc + costs.copy(len(writer.data))
        if truesize > SLAB_TRUESIZE:
            netlink.engine.charged += costs.pages(truesize - SKB_STRUCT)
        skb = make_skb(bytes(writer.data), truesize, KERNEL_ADDRESS, 0, KERNEL_CREDS, netlink.trace.flow)
        accepted = deliver.accept(self.sock, skb)
        if accepted is not None:
            deliver.queue(self.sock, accepted, force=True)

    def close(self) -> None:
        """End the dump, because it is complete or its socket was closed."""
        if self._done is not None:
            self._done(self)
        self.release()

    def release(self) -> None:
        """Drop the dump's reference to its module, so that the module can be unloaded."""
        put_owner(self._owner)


_FLAGS_OFFSET: Final = 6
"""Offset of `nlmsg_flags` in a message's header."""
assert nl.NlMsgHdr.LAYOUT.format == "<IHHII"


def start(
    request: Request,
    dump: Dump,
    *,
    begin: Callable[[DumpCallback], object] | None = None,
    done: Callable[[DumpCallback], None] | None = None,
    owner: Owner | None = None,
    min_dump_alloc: int = 0,
    context: Any = None,
) -> object:
    """Begin a dump for the sender of `request` (`__netlink_dump_start()`). Return NO_ACK, so that the kernel
    sends no ACK for the request, or an awaitable that returns NO_ACK.

    `begin` can raise an error to refuse the dump, and can be a coroutine function. `min_dump_alloc` is the
    minimum size of each datagram in bytes. Raise EBUSY if the socket already has a running dump,
    EPROTONOSUPPORT if the owner is being unloaded, ENOBUFS if no buffer can be allocated.
    """
    sock = request.sock.ports.get(request.portid)
    if sock is None:
        raise os_error(ECONNREFUSED)
    if sock.dump is not None:
        raise os_error(EBUSY)
    if not get_owner(owner):
        raise os_error(EPROTONOSUPPORT)
    callback = DumpCallback(sock, request, dump, done, owner, min_dump_alloc, context, request.strict)
    try:
        pending = begin(callback) if begin is not None else None
    except OSError:
        put_owner(owner)
        raise
    return _begin_later(callback, pending) if isinstance(pending, Awaitable) else _first(callback)


async def _begin_later(callback: DumpCallback, pending: Awaitable[object]) -> object:
    try:
        await pending
    except OSError:
        callback.release()
        raise
    # the socket can be closed while `begin` sleeps
    if callback.sock.ports.get(callback.request.portid) is not callback.sock:
        callback.close()
        raise os_error(ECONNREFUSED)
    return _first(callback)


def _first(callback: DumpCallback) -> object:
    callback.sock.dump = callback
    callback.sock.changed()
    error = callback.step()
    if error:
        raise os_error(error)
    return NO_ACK
