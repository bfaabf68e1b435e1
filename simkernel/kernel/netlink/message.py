"""Requests to the kernel: taking a datagram apart, having each message handled, answering.

Sources: `netlink_rcv_skb()` and `netlink_ack()` of af_netlink.c.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from struct import Struct
from typing import Final, Generic, TypeVar

from simkernel.kernel.lib.layers import KERNEL
from simkernel.kernel.net.namespace import Net
from simkernel.kernel.netlink.extack import ExtendedAck
from simkernel.kernel.netlink.kernel_socket import KernelSocket
from simkernel.kernel.netlink.sock import CAP_ACK, EXT_ACK, STRICT_CHK, Inbound, NetlinkSock
from simkernel.kernel.netlink.writer import MessageWriter
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.errno import EIO, ENOBUFS, ENOMEM
from simkernel.uapi.netlink import (
    NLM_F_ACK,
    NLM_F_ACK_TLVS,
    NLM_F_CAPPED,
    NLM_F_REQUEST,
    NLMSG_ERROR,
    NLMSG_HDRLEN,
    NLMSG_MIN_TYPE,
    NlMsgHdr,
)

NO_ACK: Final = object()
"""What a handler returns when the message is not to be acknowledged: a dump has begun (-EINTR)."""

R = TypeVar("R", bound="Request")
Handler = Callable[[R], object]
"""Handles a message: None is success, OSError an error; NO_ACK; or an awaitable of one of these."""

_header = Struct(NlMsgHdr.LAYOUT.format.removesuffix("I")).unpack_from
"""A message's header but for its port id, which is the sender's whatever it says."""
_ANSWER: Final = Struct(NlMsgHdr.LAYOUT.format + "i")
"""An answer's header and its errno; what it is about follows."""


class Request:
    """One message from a program to the kernel.

    It lies at `start` in `data`, the whole datagram.
    """

    # INLINE: simkernel.kernel.netlink.message.Request.__init__, 2.1 % of round-trip
    __slots__ = ("_extack", "data", "flags", "inbound", "length", "seq", "sock", "start", "type")

    _extack: ExtendedAck | None
    data: bytes
    flags: int
    inbound: Inbound
    length: int
    seq: int
    sock: KernelSocket
    start: int
    type: int

    @property
    def portid(self) -> int:
        """Port id of the sender, whatever the header says."""
        return self.inbound.sender.portid

    @property
    def sender(self) -> NetlinkSock:
        """The socket that it was sent from."""
        return self.inbound.sender

    @property
    def task(self) -> Task:
        """Who sends it."""
        return self.inbound.task

    @property
    def net(self) -> Net:
        """The namespace that it was sent in."""
        return self.sock.net

    @property
    def end(self) -> int:
        """Where in `data` it ends."""
        return self.start + self.length

    @property
    def extack(self) -> ExtendedAck:
        """What its answer will say besides a number."""
        if self._extack is None:
            self._extack = ExtendedAck()
        return self._extack

    @extack.setter
    def extack(self, extack: ExtendedAck) -> None:
        self._extack = extack

    @property
    def strict(self) -> bool:
        """Whether the sender wants questions checked strictly (`netlink_strict_get_check()`)."""
        return bool(self.sender.flags & STRICT_CHK)

    @property
    def has_extack(self) -> bool:
        """Whether anything was said there."""
        return self._extack is not None

    def capable(self, capability: int) -> bool:
        """Whether the sender may: who calls and, unless it named the kernel as destination, who opened
        the socket have the capability (`netlink_ns_capable()`).
        """
        if not self.inbound.addressed and not self.sender.opener.capable(capability):
            return False
        return self.task.credentials.capable(capability)


class Receiver(Generic[R]):
    """Takes datagrams apart and has each message handled, as a `kind` of request (`netlink_rcv_skb()`)."""

    __slots__ = ("_handler", "_kind", "_sock")

    def __init__(self, sock: KernelSocket, handler: Handler[R], kind: type[R]) -> None:
        self._sock = sock
        self._handler = handler
        self._kind = kind

    def receive(self, inbound: Inbound, start: int = 0) -> Awaitable[None] | None:
        """Handle and answer every message in turn, from `start` on.

        A message whose length cannot be ends the datagram.  The awaitable handles the rest, if a
        handler has to sleep.
        """
        data, kind, handle = inbound.data, self._kind, self._handler
        end = len(data)
        while (left := end - start) >= NLMSG_HDRLEN:
            length, type, flags, seq = _header(data, start)
            if length < NLMSG_HDRLEN or length > left:
                return None
            request = kind()
            request.sock = self._sock
            request.inbound = inbound
            request.data = data
            request.start = start
            request.length = length
            request.type = type
            request.flags = flags
            request.seq = seq
            request._extack = None
            start += (length + 3) & ~3
            result = None
            if flags & NLM_F_REQUEST and type >= NLMSG_MIN_TYPE:
                try:
                    result = handle(request)
                except OSError as raised:
                    _answer(request, None, raised.errno or EIO)
                    continue
                if result is not None and isinstance(result, Awaitable):
                    return self._await_and_resume(result, request, start)
            if flags & NLM_F_ACK:
                _answer(request, result, 0)
        return None

    async def _await_and_resume(self, pending: Awaitable[object], request: R, start: int) -> None:
        result, error = None, 0
        try:
            result = await pending
        except OSError as raised:
            error = raised.errno or EIO
        _answer(request, result, error)
        rest = self.receive(request.inbound, start)
        if rest is not None:
            await rest


def _answer(request: Request, result: object, error: int) -> None:
    if error or (request.flags & NLM_F_ACK and result is not NO_ACK):
        acknowledge(request, error)


def acknowledge(request: Request, error: int) -> None:
    """Answer a message with NLMSG_ERROR, `error` being a positive errno or 0 (`netlink_ack()`).

    An error comes with the message it is about, unless NETLINK_CAP_ACK is set; success never does.
    """
    sender, start = request.inbound.sender, request.start
    if error and not sender.flags & CAP_ACK:
        about = request.data[start : start + request.length] + bytes(-request.length & 3)
        flags = 0
    else:
        about = request.data[start : start + NLMSG_HDRLEN]
        flags = NLM_F_CAPPED
    extack, room = b"", 0
    if request.has_extack:
        _trace(request)
        if sender.flags & EXT_ACK and (room := request.extack.size(error)):
            flags |= NLM_F_ACK_TLVS
            writer = MessageWriter(room)
            request.extack.write(writer, error)
            extack = bytes(writer.data)
    size = _ANSWER.size + len(about) + room
    length = _ANSWER.size + len(about) + len(extack)
    head = _ANSWER.pack(length, NLMSG_ERROR, flags, request.seq, sender.portid, -error)
    try:
        request.sock.send(head + about + extack, sender.portid, size)
    except OSError as raised:
        if raised.errno in (ENOBUFS, ENOMEM):  # no memory for the answer
            sender.report_error(ENOBUFS)


def _trace(request: Request) -> None:
    if (emit := request.sock.netlink.engine.trace.emit) is not None and request.extack.message:
        emit("netlink_extack", KERNEL, "netlink", msg=request.extack.message)
