"""Socket calls in the format of strace, with the sizes of buffers and addresses that a C program passes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from simkernel.trace.strace.addresses import control_messages, filled, given
from simkernel.trace.strace.constants import Names, flags, names, number, pick
from simkernel.trace.strace.forms import Form, Texts, View, fd_only
from simkernel.trace.strace.quoting import hexadecimal_string
from simkernel.uapi import netlink, socket
from simkernel.uapi.socket import Ucred
from simkernel.uapi.structure import U32

NO_ID: Final = 0xFFFFFFFF

_FAMILIES: Final = names(socket, "AF_")
_TYPES: Final = pick(socket, "SOCK_", "STREAM DGRAM RAW RDM SEQPACKET DCCP PACKET")
_TYPE_FLAGS: Final = pick(socket, "SOCK_", "CLOEXEC NONBLOCK")
_PROTOCOLS: Final = names(netlink, "NETLINK_")
_LEVELS: Final = names(socket, "SOL_")
_MESSAGE_FLAGS: Final = names(socket, "MSG_")
_OPTIONS: Final[dict[int, tuple[Names, str]]] = {
    socket.SOL_SOCKET: (names(socket, "SO_"), "SO"),
    socket.SOL_NETLINK: (
        pick(
            netlink,
            "NETLINK_",
            "ADD_MEMBERSHIP DROP_MEMBERSHIP PKTINFO BROADCAST_ERROR NO_ENOBUFS RX_RING TX_RING "
            "LISTEN_ALL_NSID LIST_MEMBERSHIPS CAP_ACK EXT_ACK GET_STRICT_CHK",
        ),
        "NETLINK",
    ),
}


def _socket(_: View, family: int, type_: int, protocol: int) -> Texts:
    kind = number(type_ & socket.SOCK_TYPE_MASK, _TYPES, "SOCK")
    more = type_ & ~socket.SOCK_TYPE_MASK
    netlink_protocol = (
        number(protocol, _PROTOCOLS, "NETLINK") if family == socket.AF_NETLINK else str(protocol)
    )
    return [
        number(family, _FAMILIES, "AF"),
        f"{kind}|{flags(more, _TYPE_FLAGS)}" if more else kind,
        netlink_protocol,
    ]


def _filled_address(_: View, result: object, *__: object) -> Texts:
    return filled(result)


def _pair(_: View, result: tuple[int, int] | None, *__: object) -> Texts:
    return ["NULL" if result is None else str(list(result))]


def _accepted(_: View, result: tuple[int, object] | None, fd: int, flags_: int = 0) -> Texts:
    return [*filled(None if result is None else result[1]), flags(flags_, _TYPE_FLAGS)]


def _sendto(view: View, fd: int, data: bytes, flags_: int = 0, address: object = None) -> Texts:
    sent = view.datagram(fd, data)
    return [str(fd), sent, str(len(data)), flags(flags_, _MESSAGE_FLAGS), *given(address)]


def _sendmsg(
    view: View, fd: int, data: bytes, control: Sequence[Any] = (), flags_: int = 0, address: object = None
) -> Texts:
    header = _message_header(given(address), view.datagram(fd, data), len(data), control, 0)
    return [str(fd), header, flags(flags_, _MESSAGE_FLAGS)]


def _recvfrom(view: View, result: Any, fd: int, size: int, flags_: int = 0) -> Texts:
    tail = [str(size), flags(flags_, _MESSAGE_FLAGS)]
    if result is None:
        return ["NULL", *tail, "NULL", "NULL"]
    data, *_, address = result
    return [view.datagram(fd, data, received=True), *tail, *filled(address)]


def _recvmsg(view: View, result: Any, fd: int, size: int, controllen: int = 0, flags_: int = 0) -> Texts:
    if result is None:
        return ["NULL", flags(flags_, _MESSAGE_FLAGS)]
    data, _, control, message_flags, address = result
    text = view.datagram(fd, data, received=True)
    header = _message_header(given(address), text, size, control, message_flags)
    return [header, flags(flags_, _MESSAGE_FLAGS)]


def _message_header(address: Texts, data: str, size: int, control: Sequence[Any], flags_: int) -> str:
    space = sum(socket.CMSG_SPACE(len(each)) for _, _, each in control)
    return (
        f"{{msg_name={address[0]}, msg_namelen={address[1]}, msg_iov=[{{iov_base={data}, iov_len={size}}}], "
        f"msg_iovlen=1, {control_messages(control)}msg_controllen={space}, "
        f"msg_flags={flags(flags_, _MESSAGE_FLAGS)}}}"
    )


def _received_length(result: Any, *_: Any) -> str:
    _, length, *_ = result
    return str(length)


def _option(level: int, option: int) -> Texts:
    known, unknown = _OPTIONS.get(level, ({}, "SO"))
    return [number(level, _LEVELS, "SOL"), number(option, known, unknown)]


def _option_value(value: bytes) -> str:
    if len(value) % U32.size or not value:
        return hexadecimal_string(value)
    return f"[{', '.join(str(each) for (each,) in U32.iter_unpack(value))}]"


def _setsockopt(_: View, fd: int, level: int, option: int, value: bytes) -> Texts:
    return [str(fd), *_option(level, option), _option_value(value), str(len(value))]


def _getsockopt(_: View, fd: int, level: int, option: int, length: int) -> Texts:
    return [str(fd), *_option(level, option)]


def _filled_option(_: View, result: bytes | None, fd: int, level: int, option: int, length: int) -> Texts:
    if result is None:
        return ["NULL", f"[{length}]"]
    filled = f"[{length}]" if len(result) == length else f"[{length} => {len(result)}]"
    if (level, option) == (socket.SOL_SOCKET, socket.SO_PEERCRED) and len(result) == Ucred.SIZE:
        pid, uid, gid = Ucred.LAYOUT.unpack(result)
        return [f"{{pid={pid}, uid={_id(uid)}, gid={_id(gid)}}}", filled]
    return [_option_value(result), filled]


def _id(number: int) -> str:
    """Format a uid or gid; the id -1 means "no id"."""
    return "-1" if number == NO_ID else str(number)


FORMS: Final = {
    "socket": Form(_socket),
    "socketpair": Form(_socket, _pair, lambda *_: "0"),
    "accept4": Form(fd_only, _accepted, lambda result, *_: str(result[0])),
    "getsockname": Form(fd_only, _filled_address),
    "getpeername": Form(fd_only, _filled_address),
    "sendto": Form(_sendto),
    "sendmsg": Form(_sendmsg),
    "recvfrom": Form(fd_only, _recvfrom, _received_length),
    "recvmsg": Form(fd_only, _recvmsg, _received_length),
    "setsockopt": Form(_setsockopt),
    "getsockopt": Form(_getsockopt, _filled_option),
}
