"""socket(2): socket types, protocols, flags and the options of a new socket."""

from __future__ import annotations

from simkernel.uapi.socket import (
    AF_NETLINK,
    MSG_PEEK,
    SO_DOMAIN,
    SO_ERROR,
    SO_PROTOCOL,
    SO_TYPE,
    SOCK_CLOEXEC,
    SOCK_DGRAM,
    SOCK_NONBLOCK,
    SOCK_RAW,
    SOCK_RDM,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    SOL_SOCKET,
)
from tests.conformance import wire
from tests.conformance.case import case
from tests.conformance.log import Log
from tests.conformance.world import World


@case()
def good_types(world: World, log: Log) -> None:
    """SOCK_RAW and SOCK_DGRAM are supported. SO_TYPE returns the type."""
    for name, type in (("raw", SOCK_RAW), ("dgram", SOCK_DGRAM)):
        s = world.socket(AF_NETLINK, type, wire.USERSOCK)
        log.call(f"{name} SO_TYPE", s.getsockopt, SOL_SOCKET, SO_TYPE)


@case()
def bad_types(world: World, log: Log) -> None:
    """Netlink refuses SOCK_STREAM, SOCK_RDM and SOCK_SEQPACKET, even with a valid protocol."""
    for name, type in (("stream", SOCK_STREAM), ("rdm", SOCK_RDM), ("seqpacket", SOCK_SEQPACKET)):
        try:
            world.socket(AF_NETLINK, type, wire.GENERIC)
            log(name, "ok")
        except OSError as error:
            log(name, error)


@case()
def type_is_checked_before_protocol(world: World, log: Log) -> None:
    """If socket type and protocol are both invalid, socket() returns the error for the type."""
    for protocol in (40, 31):
        try:
            world.socket(AF_NETLINK, SOCK_STREAM, protocol)
            log(f"stream {protocol}", "ok")
        except OSError as error:
            log(f"stream {protocol}", error)


@case()
def protocol_without_kernel_side(world: World, log: Log) -> None:
    """socket() fails with EPROTONOSUPPORT if the protocol is below MAX_LINKS but the kernel has no socket for
    it.
    """
    for protocol in (1, 3, 14, 22, 31):
        try:
            world.socket(AF_NETLINK, SOCK_RAW, protocol)
            log(str(protocol), "ok")
        except OSError as error:
            log(str(protocol), error)


@case()
def protocol_out_of_range(world: World, log: Log) -> None:
    """Negative protocol numbers, and those from MAX_LINKS (32) upwards, are out of range."""
    for protocol in (32, 33, 1000, -2, -100):
        try:
            world.socket(AF_NETLINK, SOCK_RAW, protocol)
            log(str(protocol), "ok")
        except OSError as error:
            log(str(protocol), error)


@case()
def new_socket_reports(world: World, log: Log) -> None:
    """getsockopt(), getsockname() and getpeername() return the initial values of a new socket: domain, type,
    protocol, pending error and addresses.
    """
    s = world.socket(AF_NETLINK, SOCK_RAW, wire.GENERIC)
    for name, option in (
        ("domain", SO_DOMAIN),
        ("type", SO_TYPE),
        ("protocol", SO_PROTOCOL),
        ("error", SO_ERROR),
    ):
        log.call(name, s.getsockopt, SOL_SOCKET, option)
    log.name("name", s)
    log.peer("peer", s)


@case()
def nonblock_flag(world: World, log: Log) -> None:
    """On a SOCK_NONBLOCK socket with an empty queue, recv() fails with EAGAIN, even without MSG_DONTWAIT."""
    s = world.socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, wire.USERSOCK)
    log("timeout is 0", s.gettimeout() == 0)
    log.call("recv", s.recv, 100)
    log.call("peek", s.recv, 100, MSG_PEEK)
    log.call("SO_TYPE", s.getsockopt, SOL_SOCKET, SO_TYPE)


@case()
def closed_socket(world: World, log: Log) -> None:
    """Every call on a closed socket fails with EBADF."""
    s = world.socket(AF_NETLINK, SOCK_RAW, wire.USERSOCK)
    s.close()
    s.close()
    log.call("bind", s.bind, (0, 0))
    log.call("recv", s.recv, 100)
    log.call("send", s.send, b"x")
    log.call("getsockname", s.getsockname)
