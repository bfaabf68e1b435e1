"""setsockopt(2) and getsockopt(2), at SOL_NETLINK and SOL_SOCKET."""

from __future__ import annotations

import struct

from simkernel.uapi.socket import (
    AF_NETLINK,
    SO_ACCEPTCONN,
    SO_DOMAIN,
    SO_PASSCRED,
    SO_PASSSEC,
    SO_PROTOCOL,
    SO_RCVTIMEO,
    SO_SNDBUF,
    SO_SNDTIMEO,
    SO_TYPE,
    SOCK_DGRAM,
    SOL_SOCKET,
    SOL_TCP,
)
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.log import Log
from tests.conformance.wire import (
    ADD_MEMBERSHIP,
    BROADCAST_ERROR,
    CAP_ACK,
    DROP_MEMBERSHIP,
    EXT_ACK,
    GET_STRICT_CHK,
    LIST_MEMBERSHIPS,
    LISTEN_ALL_NSID,
    NO_ENOBUFS,
    PKTINFO,
    SOL_NETLINK,
)
from tests.conformance.world import World

A, B = 0x45000001, 0x45000002
FLAGS = {
    "PKTINFO": PKTINFO,
    "BROADCAST_ERROR": BROADCAST_ERROR,
    "NO_ENOBUFS": NO_ENOBUFS,
    "CAP_ACK": CAP_ACK,
    "EXT_ACK": EXT_ACK,
    "GET_STRICT_CHK": GET_STRICT_CHK,
}


@case()
def flags_default(world: World, log: Log) -> None:
    """Every netlink option is off by default."""
    s = netlink(world, wire.GENERIC)
    for name, option in (FLAGS | {"LISTEN_ALL_NSID": LISTEN_ALL_NSID}).items():
        log.call(name, s.getsockopt, SOL_NETLINK, option)


@case()
def flags_set_and_clear(world: World, log: Log) -> None:
    """Any non-zero value enables a netlink option. getsockopt() then returns 1."""
    s = netlink(world, wire.USERSOCK)
    for name, option in FLAGS.items():
        for value in (1, 0, 17, -1):
            log.call(f"set {name} {value}", s.setsockopt, SOL_NETLINK, option, value)
            log.call(f"get {name}", s.getsockopt, SOL_NETLINK, option)


@case()
def flags_do_not_mix(world: World, log: Log) -> None:
    """Setting one option does not change the others."""
    s = netlink(world, wire.USERSOCK)
    for option in FLAGS.values():
        s.setsockopt(SOL_NETLINK, option, 1)
        log.call(f"{option}", lambda: [s.getsockopt(SOL_NETLINK, each) for each in FLAGS.values()])


@case()
def listen_all_nsid_unprivileged(world: World, log: Log) -> None:
    """NETLINK_LISTEN_ALL_NSID needs privilege, even to disable it."""
    s = netlink(world, wire.ROUTE)
    log.call("on", s.setsockopt, SOL_NETLINK, LISTEN_ALL_NSID, 1)
    log.call("off", s.setsockopt, SOL_NETLINK, LISTEN_ALL_NSID, 0)
    log.call("get", s.getsockopt, SOL_NETLINK, LISTEN_ALL_NSID)


@case(privileged=True)
def listen_all_nsid_privileged(world: World, log: Log) -> None:
    """NETLINK_LISTEN_ALL_NSID can be enabled and disabled with privilege."""
    s = netlink(world, wire.ROUTE)
    for value in (1, 0):
        log.call(f"set {value}", s.setsockopt, SOL_NETLINK, LISTEN_ALL_NSID, value)
        log.call("get", s.getsockopt, SOL_NETLINK, LISTEN_ALL_NSID)


@case()
def short_value(world: World, log: Log) -> None:
    """If the value of an option has less than 4 bytes, the kernel uses 0. If it is longer, the kernel uses
    the first 4 bytes.
    """
    s = netlink(world, wire.USERSOCK)
    s.setsockopt(SOL_NETLINK, PKTINFO, 1)
    for value in (b"\1\0\0", b"\1\0\0\0", b"", b"\1\0\0\0\0\0\0\0", b"\0\0\0\0\1\0\0\0"):
        log.call(f"set {value.hex()}", s.setsockopt, SOL_NETLINK, PKTINFO, value)
        log.call("get", s.getsockopt, SOL_NETLINK, PKTINFO)


@case()
def get_lengths(world: World, log: Log) -> None:
    """getsockopt() needs a buffer of at least 4 bytes and returns 4 bytes."""
    s = netlink(world, wire.USERSOCK)
    s.setsockopt(SOL_NETLINK, CAP_ACK, 1)
    for size in (1, 3, 4, 5, 16):
        log.call(f"{size}", s.getsockopt, SOL_NETLINK, CAP_ACK, size)


@case()
def unknown_options(world: World, log: Log) -> None:
    """setsockopt() and getsockopt() with options that do not exist, and with options that Linux has removed
    (memory-mapped rings).
    """
    s = netlink(world, wire.USERSOCK)
    for option in (0, 6, 7, 13, 99, -1):
        log.call(f"set {option}", s.setsockopt, SOL_NETLINK, option, 1)
        log.call(f"get {option}", s.getsockopt, SOL_NETLINK, option)


@case()
def write_only_options(world: World, log: Log) -> None:
    """NETLINK_ADD_MEMBERSHIP cannot be read, and NETLINK_LIST_MEMBERSHIPS cannot be set."""
    s = netlink(world, wire.GENERIC)
    log.call("get ADD", s.getsockopt, SOL_NETLINK, ADD_MEMBERSHIP)
    log.call("get DROP", s.getsockopt, SOL_NETLINK, DROP_MEMBERSHIP)
    log.call("set LIST", s.setsockopt, SOL_NETLINK, LIST_MEMBERSHIPS, 1)


@case()
def other_levels(world: World, log: Log) -> None:
    """setsockopt() and getsockopt() fail with ENOPROTOOPT if netlink does not support the option level."""
    s = netlink(world, wire.USERSOCK)
    for level in (0, SOL_TCP, 271, 300):
        log.call(f"set {level}", s.setsockopt, level, 1, 1)
        log.call(f"get {level}", s.getsockopt, level, 1)


@case()
def pktinfo(world: World, log: Log) -> None:
    """NETLINK_PKTINFO adds a control message with the multicast group. For a unicast message, this group is
    0.
    """
    a = netlink(world, wire.USERSOCK, bind=(A, 0))
    b = netlink(world, wire.USERSOCK, bind=(B, 0))
    a.sendto(b"before", (B, 0))
    b.setsockopt(SOL_NETLINK, PKTINFO, 1)
    a.sendto(b"after", (B, 0))
    log.recvmsg("queued before", b, 100, 100)
    log.recvmsg("queued after", b, 100, 100)
    a.sendto(b"no room", (B, 0))
    log.recvmsg("no room for it", b, 100, 0)


@case(privileged=True)
def pktinfo_group(world: World, log: Log) -> None:
    """The group in NETLINK_PKTINFO is a number, not a mask."""
    a = netlink(world, wire.USERSOCK, bind=(A, 0))
    b = netlink(world, wire.USERSOCK, bind=(B, 1 << 4))
    b.setsockopt(SOL_NETLINK, PKTINFO, 1)
    log.call("send", a.sendto, b"x", (0, 1 << 4))
    log.recvmsg("recv", b, 100, 100)


@case()
def pktinfo_little_room(world: World, log: Log) -> None:
    """A control buffer that is too small truncates NETLINK_PKTINFO."""
    a = netlink(world, wire.USERSOCK, bind=(A, 0))
    b = netlink(world, wire.USERSOCK, bind=(B, 0))
    b.setsockopt(SOL_NETLINK, PKTINFO, 1)
    for room in (8, 16, 20, 24):
        a.sendto(b"x", (B, 0))
        log.recvmsg(f"{room}", b, 100, room)


@case(privileged=True)
def passcred(world: World, log: Log) -> None:
    """With SO_PASSCRED, a receive returns process id, user id and group id of the sender. The process id is
    also the sender's first port id.
    """
    a = netlink(world, wire.USERSOCK, bind=(0, 0))
    b = netlink(world, wire.USERSOCK, bind=(B, 0))
    log.call("set", b.setsockopt, SOL_SOCKET, SO_PASSCRED, 1)
    a.sendto(b"x", (B, 0))
    _, ancillary, flags, _ = b.recvmsg(100, 100)
    log("count", len(ancillary))
    level, type, value = ancillary[0]
    pid, uid, gid = struct.unpack("<3I", value)
    log("level, type, uid, gid, flags", [level, type, uid, gid, int(flags)])
    log("process", pid == a.getsockname()[0])


@case()
def generic_socket_options(world: World, log: Log) -> None:
    """SO_DOMAIN, SO_TYPE, SO_PROTOCOL and SO_ACCEPTCONN are read-only."""
    s = world.socket(AF_NETLINK, SOCK_DGRAM, wire.ROUTE)
    for name, option in (
        ("domain", SO_DOMAIN),
        ("type", SO_TYPE),
        ("protocol", SO_PROTOCOL),
        ("acceptconn", SO_ACCEPTCONN),
    ):
        log.call(name, s.getsockopt, SOL_SOCKET, option)
        log.call(f"set {name}", s.setsockopt, SOL_SOCKET, option, 1)


@case()
def sndbuf(world: World, log: Log) -> None:
    """SO_SNDBUF returns twice the value that was set."""
    s = netlink(world, wire.USERSOCK)
    for size in (4000, 70000):
        log.call(f"set {size}", s.setsockopt, SOL_SOCKET, SO_SNDBUF, size)
        log.call("get", s.getsockopt, SOL_SOCKET, SO_SNDBUF)
    log.call("short", s.setsockopt, SOL_SOCKET, SO_SNDBUF, b"\1")


@case()
def receive_timeout(world: World, log: Log) -> None:
    """On a blocking socket, recv() fails with EAGAIN after SO_RCVTIMEO."""
    s = netlink(world, wire.USERSOCK, bind=(A, 0))
    log.call("get", s.getsockopt, SOL_SOCKET, SO_RCVTIMEO, 16)
    log.call("set", s.setsockopt, SOL_SOCKET, SO_RCVTIMEO, struct.pack("<qq", 0, 60_000))
    log.call("get", s.getsockopt, SOL_SOCKET, SO_RCVTIMEO, 16)
    log.recv("recv", s, 100, 0)


@case()
def timeouts_in_ticks(world: World, log: Log) -> None:
    """The kernel rounds a socket timeout up to ticks of 4 ms. If the timeout is 0, a call can block forever.
    If the seconds are negative, a call never blocks.
    """
    s = netlink(world, wire.USERSOCK)
    for seconds, micros in (
        (0, 1),
        (0, 4000),
        (0, 4001),
        (0, 999_999),
        (1, 1),
        (0, 1_000_000),
        (0, -1),
        (-1, 0),
        (2**62, 0),
        (0, 0),
    ):
        for name, option in (("receive", SO_RCVTIMEO), ("send", SO_SNDTIMEO)):
            value = struct.pack("<qq", seconds, micros)
            log.call(f"{name} {seconds} {micros}", s.setsockopt, SOL_SOCKET, option, value)
            log.call("get", s.getsockopt, SOL_SOCKET, option, 16)


@case()
def memberships_in_words(world: World, log: Log) -> None:
    """For NETLINK_LIST_MEMBERSHIPS, getsockopt(2) sets `optlen` to the full length of the list in whole
    words, even if the buffer is shorter.
    """
    for name, proto in (("route", wire.ROUTE), ("usersock", wire.USERSOCK), ("uevent", wire.UEVENT)):
        s = netlink(world, proto)
        for group in (1, 9, 33):
            for size in (1, 4, 7, 8, 12):
                log(f"{name} {size}", len(s.getsockopt(SOL_NETLINK, LIST_MEMBERSHIPS, size)))
            log.call(f"{name}", s.getsockopt, SOL_NETLINK, LIST_MEMBERSHIPS, 8)
            log.call(f"join {group}", s.setsockopt, SOL_NETLINK, ADD_MEMBERSHIP, group)
        log.name("name", s)


@case()
def a_label_without_room(world: World, log: Log) -> None:
    """If SO_PASSSEC is set, recvmsg() without a control buffer sets MSG_CTRUNC, even if the message has no
    security label.
    """
    a = netlink(world, wire.USERSOCK, bind=(A, 0))
    b = netlink(world, wire.USERSOCK, bind=(B, 0))
    b.setsockopt(SOL_SOCKET, SO_PASSSEC, 1)
    for room in (0, 1, 16, 100):
        a.sendto(b"x", (B, 0))
        log.recvmsg(f"{room}", b, 100, room)


@case()
def two_control_messages(world: World, log: Log) -> None:
    """The control message of NETLINK_PKTINFO comes before the credentials. The length of the NETLINK_PKTINFO
    message is 20 bytes, but the message occupies 24 bytes of the control buffer.
    """
    a = netlink(world, wire.USERSOCK, bind=(A, 0))
    b = netlink(world, wire.USERSOCK, bind=(B, 0))
    b.setsockopt(SOL_NETLINK, PKTINFO, 1)
    b.setsockopt(SOL_SOCKET, SO_PASSCRED, 1)
    for room in (15, 16, 20, 24, 36, 40, 44, 48, 52, 56):
        a.sendto(b"x", (B, 0))
        _, control, flags, _ = b.recvmsg(100, room)
        log(f"{room}", [[[level, type, len(data)] for level, type, data in control], int(flags)])
