"""Requests to the kernel: splitting a datagram into messages, calling the handler, sending the answer.

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
"""Result of a handler that has begun a dump, so that the kernel sends no ACK. On Linux it is -EINTR."""

R = TypeVar("R", bound="Request")
Handler = Callable[[R], object]
"""Function that handles a message. It returns None, NO_ACK, or an awaitable of None or NO_ACK. It raises
OSError to report an error.
"""

_header = Struct(NlMsgHdr.LAYOUT.format.removesuffix("I")).unpack_from
"""Function that unpacks a message's header except the port id. The kernel ignores the header's port id and
uses the port id of the sending socket.
"""
_ANSWER: Final = Struct(NlMsgHdr.LAYOUT.format + "i")
"""Layout of the first part of an NLMSG_ERROR message: the message header (`struct nlmsghdr`) and the error
number (the first field of `struct nlmsgerr`).
"""


class Request:
    """One message from a program to the kernel.

    The message begins at offset `start` of `data`, which is the whole datagram.
    """

    # INLINE: simkernel.kernel.netlink.message.Request.__init__, saves 2.1 % of round-trip
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
        """Port id of the sending socket. The port id in the message's header is ignored."""
        return self.inbound.sender.portid

    @property
    def sender(self) -> NetlinkSock:
        """Socket that the message was sent from."""
        return self.inbound.sender

    @property
    def task(self) -> Task:
        """Task that sends the message."""
        return self.inbound.task

    @property
    def net(self) -> Net:
        """Network namespace of the socket that received the message."""
        return self.sock.net

    @property
    def end(self) -> int:
        """Offset in `data` where the message ends."""
        return self.start + self.length

    @property
    def extack(self) -> ExtendedAck:
        """Extended ACK of the answer, created on first use."""
        if self._extack is None:
            self._extack = ExtendedAck()
        return self._extack

    @extack.setter
    def extack(self, extack: ExtendedAck) -> None:
        self._extack = extack

    @property
    def strict(self) -> bool:
        """True if the sender requests strict checks of get and dump requests
        (`netlink_strict_get_check()`).
        """
        return bool(self.sender.flags & STRICT_CHK)

    @property
    def has_extack(self) -> bool:
        """True if the handler has accessed the extended ACK."""
        return self._extack is not None

    def capable(self, capability: int) -> bool:
        """Return True if the sender has a capability (`netlink_ns_capable()`).

        The sending task must have it. The task that opened the socket must have it too, unless the message
        was sent with an explicit destination address.
        """
        if not self.inbound.addressed and not self.sender.opener.capable(capability):
            return False
        return self.task.credentials.capable(capability)


class Receiver(Generic[R]):
    """Splits datagrams into messages and calls a handler for each (`netlink_rcv_skb()`).

    Each message becomes an object of the class `kind`.
    """

    __slots__ = ("_handler", "_kind", "_sock")

    def __init__(self, sock: KernelSocket, handler: Handler[R], kind: type[R]) -> None:
        self._sock = sock
        self._handler = handler
        self._kind = kind

    def receive(self, inbound: Inbound, start: int = 0) -> Awaitable[None] | None:
        """Handle and answer each message of a datagram in order, beginning at offset `start`.

        A message with an invalid length ends the datagram. If a handler sleeps, return an awaitable that
        handles the remaining messages.
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
    """Answer a message with NLMSG_ERROR (`netlink_ack()`). `error` is a positive errno, or 0 for success.

    An error answer includes the message in question, unless NETLINK_CAP_ACK is set. A success answer
    includes only its header.
    """
    sender, start = request.inbound.sender, request.start
    if error and not sender.flags & CAP_ACK:
        about = request.data[start : start + request.length] + bytes(-request.length & 3)
        flags = 0
    else:
        about = request.data[start : start + NLMSG_HDRLEN]
        flags = NLM_F_CAPPED
    extack, reserved = b"", 0
    if request.has_extack:
        _trace(request)
        if sender.flags & EXT_ACK and (reserved := request.extack.size(error)):
            flags |= NLM_F_ACK_TLVS
            writer = MessageWriter(reserved)
            request.extack.write(writer, error)
            extack = bytes(writer.data)
    size = _ANSWER.size + len(about) + reserved
    length = _ANSWER.size + len(about) + len(extack)
    head = _ANSWER.pack(length, NLMSG_ERROR, flags, request.seq, sender.portid, -error)
    try:
        request.sock.send(head + about + extack, sender.portid, size)
    except OSError as raised:
        if raised.errno in (ENOBUFS, ENOMEM):  # the answer's buffer cannot be allocated
            sender.report_error(ENOBUFS)


def _trace(request: Request) -> None:
    if (emit := request.sock.netlink.engine.trace.emit) is not None and request.extack.message:
        emit("netlink_extack", KERNEL, "netlink", msg=request.extack.message)
