"""ioctl(2) requests of network devices by `struct ifreq`, on sockets of each family."""

from __future__ import annotations

from struct import pack
from typing import Any

from simkernel.uapi.socket import AF_NETLINK, AF_UNIX, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM
from simkernel.uapi.structure import S32
from tests.conformance.case import case
from tests.conformance.log import Log, error_name
from tests.conformance.world import Process, World

IOCTL = ("ioctl",)
IFNAMSIZ = 16
SIOCGIFNAME, SIOCGIFCONF, SIOCGIFFLAGS, SIOCGIFHWADDR, SIOCGIFINDEX = 0x8910, 0x8912, 0x8913, 0x8927, 0x8933
GETTERS = (SIOCGIFFLAGS, 0x891D, 0x8921, SIOCGIFHWADDR, 0x8929, SIOCGIFINDEX, 0x8942, 0x8970)
"""SIOCGIF requests: FLAGS, METRIC, MTU, HWADDR, SLAVE, INDEX, TXQLEN, MAP."""
UNMODELLED = frozenset({*range(0x8901, 0x8905), 0x8940, 0x8941, 0x8946, 0x8982, 0x8983})
"""Requests that simkernel does not model for an unprivileged caller: FIOSETOWN, SIOCSPGRP, FIOGETOWN,
SIOCGPGRP, SIOCGIFBR, SIOCETHTOOL, SIOCGIFVLAN.
"""
PRIVATE = range(0x89F1, 0x89FF)
"""Request numbers between SIOCDEVPRIVATE (0x89F0) and the last number for private requests of drivers
(0x89FF). All of them behave in the same way, so the cases omit them.
"""
NUMBERS = [number for number in range(0x8900, 0x8A00) if number not in {*UNMODELLED, *PRIVATE, SIOCGIFCONF}]
NAMES = (
    *(b"lo\0", b"lo:1\0", b"lo:\0", b"\0", b"nope\0", b"LO\0", b"lo\0dead", b"lo"),
    *(b"lo:" + b"x" * 13, b"l\0o"),
)
REFUSED = (
    *(0x891E, 0x8930, 0x8947, 0x8948, 0x8949, 0x894A, 0x8971),
    *(*range(0x8990, 0x8996), 0x89B1, 0x89F0, 0x89FF),
)
"""Requests that fail for `lo`: METRIC, SLAVE, MII, WANDEV, MAP, bonding, GHWTSTAMP, DEVPRIVATE."""


def sockets(world: Process) -> tuple[Any, ...]:
    """Return one socket of each family."""
    kinds = ((AF_NETLINK, SOCK_RAW), (AF_UNIX, SOCK_STREAM))
    return tuple(world.socket(family, kind, 0) for family, kind in kinds)


def ifreq(name: bytes, value: bytes = b"") -> bytes:
    """Return a `struct ifreq` for a device; unset bytes are 0xA5."""
    return name.ljust(IFNAMSIZ, b"\xa5")[:IFNAMSIZ] + value.ljust(24, b"\xa5")


def outcome(world: World, sock: Any, request: int, argument: bytes | int) -> Any:
    """Make an ioctl request. Return the changed bytes of its argument, or the name of the error."""
    try:
        return world.ioctl(sock, request, argument)
    except OSError as error:
        return error_name(error)


@case(marks=IOCTL)
def getters(world: World, log: Log) -> None:
    """Each SIOCGIF request changes only its own field and the NUL after the name."""
    for sock in sockets(world):
        log("lo", [outcome(world, sock, request, ifreq(b"lo\0")) for request in GETTERS])


@case(marks=IOCTL)
def names(world: World, log: Log) -> None:
    """A device name ends after 15 bytes or at a colon. An ioctl for an unknown name fails with ENODEV."""
    sock = sockets(world)[0]
    for name in NAMES:
        for request in (SIOCGIFINDEX, SIOCGIFHWADDR, SIOCGIFFLAGS):
            log(repr(name), outcome(world, sock, request, ifreq(name)))


@case(marks=IOCTL)
def indices(world: World, log: Log) -> None:
    """SIOCGIFNAME returns the name of a device index."""
    for sock in sockets(world):
        for index in (1, 2, 0, -1):
            log(str(index), outcome(world, sock, SIOCGIFNAME, ifreq(b"", S32.pack(index))))


@case(marks=IOCTL)
def every_number(world: World, log: Log) -> None:
    """Results of all requests for `lo` by an unprivileged caller. Requests that fail with ENOTTY are
    omitted.
    """
    for sock in sockets(world):
        for number in NUMBERS:
            value = outcome(world, sock, number, ifreq(b"lo\0", S32.pack(1)))
            if value != "errno:ENOTTY":
                log(f"{number:#x}", value)


@case(privileged=True, marks=IOCTL)
def every_number_of_no_device(world: World, log: Log) -> None:
    """Results of all requests for a device that does not exist, for a caller with every capability."""
    # simkernel does not model SIOCGSKNS, SIOCBRADDBR to SIOCBRDELIF, and SIOCUNIXFILE.
    bridge = {0x894C, *range(0x89A0, 0x89A4), 0x89E0}
    sock = sockets(world)[0]
    for number in NUMBERS:
        value = outcome(world, sock, number, ifreq(b"nope\0")) if number not in bridge else "errno:ENOTTY"
        if value != "errno:ENOTTY":
            log(f"{number:#x}", value)


@case(privileged=True, marks=IOCTL)
def refused_by_lo(world: World, log: Log) -> None:
    """`lo` refuses some requests, even of a privileged caller."""
    sock = sockets(world)[0]
    for number in REFUSED:
        log(f"{number:#x}", outcome(world, sock, number, ifreq(b"lo\0")))


@case(marks=IOCTL)
def bad_addresses(world: World, log: Log) -> None:
    """If a request reads or writes its argument and the address is bad, it fails with EFAULT before any other
    check.
    """
    for sock in sockets(world):
        for number in (*NUMBERS, SIOCGIFCONF):
            value = outcome(world, sock, number, 1)
            if value != "errno:EFAULT":
                log(f"{number:#x}", value)


@case(marks=IOCTL)
def other_types(world: World, log: Log) -> None:
    """A request number that sockets do not define fails with ENOTTY, whatever the argument is."""
    for sock in sockets(world):
        for number in (0x5413, 0x8B01, 0xC0045600, 0, 0xFFFFFFFF):
            log(f"{number:#x}", [outcome(world, sock, number, each) for each in (1, ifreq(b"lo\0"))])


@case(marks=IOCTL)
def configuration(world: World, log: Log) -> None:
    """SIOCGIFCONF lists devices with an IPv4 address. No device has an address, so the length is 0."""
    for sock in sockets(world):
        for length, address in ((0, 0), (400, 0), (400, 1), (-1, 0)):
            ifconf = pack("<iIQ", length, 0xA5A5A5A5, address)
            log(f"{length} {address}", outcome(world, sock, SIOCGIFCONF, ifconf))


@case(marks=IOCTL)
def mark(world: World, log: Log) -> None:
    """Only stream sockets support SIOCATMARK. Without urgent data it returns 0."""
    for kind in (SOCK_STREAM, SOCK_DGRAM):
        sock = world.socket(AF_UNIX, kind, 0)
        log("mark", [outcome(world, sock, 0x8905, argument) for argument in (S32.pack(7), 1)])
