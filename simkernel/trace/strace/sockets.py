"""Socket calls as strace prints them, with the sizes of buffers and addresses that C passes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from simkernel.trace.strace.constants import Names, flags, names, number, pick
from simkernel.trace.strace.forms import Form, Texts, View
from simkernel.trace.strace.quoting import hexadecimal_string
from simkernel.uapi import netlink, socket
from simkernel.uapi.structure import U32

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


def _address(address: object) -> Texts:
    """A pointer to an address, and its length."""
    if isinstance(address, bytes):
        return [hexadecimal_string(address), str(len(address))]
    if not isinstance(address, tuple):
        return ["NULL", "0"]
    return [_sockaddr(address), str(netlink.SockaddrNl.SIZE)]


def _sockaddr(address: tuple[int, int]) -> str:
    portid, groups = address
    signed = portid - (1 << 32) if portid >= 1 << 31 else portid
    mask = f"{groups:#08x}" if groups else "00000000"
    return f"{{sa_family=AF_NETLINK, nl_pid={signed}, nl_groups={mask}}}"


def _with_address(_: View, fd: int, address: object) -> Texts:
    return [str(fd), *_address(address)]


def _fd(_: View, fd: int, *__: object) -> Texts:
    return [str(fd)]


def _filled_address(_: View, result: tuple[int, int] | None, *__: object) -> Texts:
    return ["NULL", "[12]"] if result is None else [_sockaddr(result), "[12]"]


def _sendto(view: View, fd: int, data: bytes, flags_: int = 0, address: object = None) -> Texts:
    sent = view.datagram(fd, data)
    return [str(fd), sent, str(len(data)), flags(flags_, _MESSAGE_FLAGS), *_address(address)]


def _sendmsg(
    view: View, fd: int, data: bytes, control: Sequence[Any] = (), flags_: int = 0, address: object = None
) -> Texts:
    header = _message_header(_address(address), view.datagram(fd, data), len(data), control, 0)
    return [str(fd), header, flags(flags_, _MESSAGE_FLAGS)]


def _recvfrom(view: View, result: Any, fd: int, size: int, flags_: int = 0) -> Texts:
    tail = [str(size), flags(flags_, _MESSAGE_FLAGS)]
    if result is None:
        return ["NULL", *tail, "NULL", "NULL"]
    received = view.datagram(fd, result.data, received=True)
    return [received, *tail, _sockaddr(result.address), "[12]"]


def _recvmsg(view: View, result: Any, fd: int, size: int, _: int = 0, flags_: int = 0) -> Texts:
    if result is None:
        return ["NULL", flags(flags_, _MESSAGE_FLAGS)]
    data = view.datagram(fd, result.data, received=True)
    header = _message_header(_address(result.address), data, size, result.control, result.flags)
    return [header, flags(flags_, _MESSAGE_FLAGS)]


def _message_header(address: Texts, data: str, size: int, control: Sequence[Any], flags_: int) -> str:
    space = sum(socket.CMSG_SPACE(len(each)) for _, _, each in control)
    messages = ", ".join(
        f"{{cmsg_len={socket.CMSG_LEN(len(each))}, cmsg_level={number(level, _LEVELS, 'SOL')}, "
        f"cmsg_type={kind:#x}, cmsg_data={hexadecimal_string(each)}}}"
        for level, kind, each in control
    )
    return (
        f"{{msg_name={address[0]}, msg_namelen={address[1]}, msg_iov=[{{iov_base={data}, iov_len={size}}}], "
        f"msg_iovlen=1, {f'msg_control=[{messages}], ' if control else ''}msg_controllen={space}, "
        f"msg_flags={flags(flags_, _MESSAGE_FLAGS)}}}"
    )


def _received_length(result: Any, *_: Any) -> str:
    return str(result.length)


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
    return [_option_value(result), filled]


FORMS: Final = {
    "socket": Form(_socket),
    "bind": Form(_with_address),
    "connect": Form(_with_address),
    "getsockname": Form(_fd, _filled_address),
    "getpeername": Form(_fd, _filled_address),
    "sendto": Form(_sendto),
    "sendmsg": Form(_sendmsg),
    "recvfrom": Form(_fd, _recvfrom, _received_length),
    "recvmsg": Form(_fd, _recvmsg, _received_length),
    "setsockopt": Form(_setsockopt),
    "getsockopt": Form(_getsockopt, _filled_option),
}
