"""Messages that the kernel sends to a multicast group, such as uevents of /dev/null.

The machine's other devices can emit uevents at any time, so the cases record only those of this device.
Notifications of nlctrl need a module that is loaded or unloaded: see `families.py`.
"""

from __future__ import annotations

import re

from simkernel.uapi.socket import (
    MSG_DONTWAIT,
    MSG_PEEK,
    SO_ERROR,
    SO_PASSCRED,
    SO_RCVBUF,
    SOL_SOCKET,
)
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.log import Log
from tests.conformance.wire import ACK, BROADCAST_ERROR, NO_ENOBUFS, PKTINFO, REQUEST, SOL_NETLINK
from tests.conformance.world import Socket, World

A, B, C = 0x50000001, 0x50000002, 0x50000003
UEVENT = ("kernel_uevent",)
DEVICE = b"/devices/virtual/mem/null"
PADDING = b"x" * 1500


def listener(world: World, portid: int, *options: int) -> Socket:
    sock = netlink(world, wire.UEVENT, bind=(portid, 1))
    for option in options:
        sock.setsockopt(SOL_NETLINK, option, 1)
    return sock


def next_event(log: Log, label: str, sock: Socket, room: int = 0, flags: int = MSG_DONTWAIT) -> None:
    """Record the next uevent of /dev/null, without the value of SEQNUM."""
    for _ in range(100):
        try:
            data, control, message_flags, sender = sock.recvmsg(65536, room, flags)
        except OSError as error:
            log(label, error)
            return
        if DEVICE in data:
            plain = re.sub(rb"SEQNUM=\d+", b"SEQNUM=", data)
            log(label, [plain, [[level, type, value] for level, type, value in control], int(message_flags)])
            log.address(f"{label}: sender", sender)
            return


@case(privileged=True, marks=UEVENT)
def a_uevent(world: World, log: Log) -> None:
    """The kernel sends a uevent from port id 0 to group 1. Each variable in it ends with a NUL byte."""
    s = listener(world, A)
    world.uevent()
    next_event(log, "recv", s)


@case(privileged=True, marks=UEVENT)
def with_group_and_credentials(world: World, log: Log) -> None:
    """NETLINK_PKTINFO reports the group. SO_PASSCRED reports process 0 and user 0 as the sender."""
    s = listener(world, A, PKTINFO)
    s.setsockopt(SOL_SOCKET, SO_PASSCRED, 1)
    world.uevent()
    next_event(log, "recv", s, 100)
    world.uevent()
    next_event(log, "little room", s, 24)


@case(privileged=True, marks=UEVENT)
def all_listeners(world: World, log: Log) -> None:
    """Each member of the group receives a uevent, even a member that is connected to a process. Sockets
    outside the group receive none.
    """
    a, b, c = listener(world, A), listener(world, B), netlink(world, wire.UEVENT, bind=(C, 0))
    b.connect((77, 0))
    world.uevent()
    next_event(log, "a", a)
    next_event(log, "b", b)
    next_event(log, "c", c)


@case(privileged=True, marks=UEVENT)
def peeked_at(world: World, log: Log) -> None:
    """MSG_PEEK leaves the uevent in the queue."""
    s = listener(world, A)
    world.uevent()
    next_event(log, "peek", s, 0, MSG_DONTWAIT | MSG_PEEK)
    next_event(log, "recv", s)


@case(privileged=True, marks=UEVENT)
def after_leaving(world: World, log: Log) -> None:
    """A socket that leaves the group keeps its queued uevents and receives no more."""
    s = listener(world, A)
    world.uevent()
    s.setsockopt(SOL_NETLINK, wire.DROP_MEMBERSHIP, 1)
    world.uevent()
    next_event(log, "before", s)
    next_event(log, "after", s)


@case(privileged=True, marks=UEVENT)
def overrun(world: World, log: Log) -> None:
    """A member that does not read gets ENOBUFS once, then the uevents that fitted in its receive buffer."""
    s = listener(world, A)
    s.setsockopt(SOL_SOCKET, SO_RCVBUF, 0)
    for _ in range(20):
        world.uevent()
    next_event(log, "recv", s)
    next_event(log, "recv", s)
    read = 0
    while read < 100:
        try:
            s.recv(10, MSG_DONTWAIT)
        except BlockingIOError:
            break
        read += 1
    log("fewer than were sent", read < 20)


@case(privileged=True, marks=UEVENT)
def overrun_without_a_word(world: World, log: Log) -> None:
    """With NETLINK_NO_ENOBUFS, an overrun loses uevents without an error."""
    s = listener(world, A, NO_ENOBUFS)
    s.setsockopt(SOL_SOCKET, SO_RCVBUF, 0)
    for _ in range(20):
        world.uevent()
    log.call("SO_ERROR", s.getsockopt, SOL_SOCKET, SO_ERROR)
    next_event(log, "recv", s)


@case(privileged=True, marks=UEVENT)
def broadcast_error_towards_the_kernel(world: World, log: Log) -> None:
    """If the queue of a listener with NETLINK_BROADCAST_ERROR overruns, the program whose request caused the
    uevent gets no error.
    """
    s = listener(world, A, BROADCAST_ERROR)
    s.setsockopt(SOL_SOCKET, SO_RCVBUF, 0)
    other = listener(world, B)
    speaker = netlink(world, wire.UEVENT, bind=(C, 0))
    for seq in range(3):
        event = b"change@" + DEVICE + b"\0" + PADDING + b"\0"
        log.ask(f"speak {seq}", speaker, wire.nlmsg(16, REQUEST | ACK, event, seq=seq))
    log.call("SO_ERROR", s.getsockopt, SOL_SOCKET, SO_ERROR)
    for _ in range(3):
        log("other", len(other.recv(65536, MSG_DONTWAIT)) > len(PADDING))


@case(privileged=True, marks=(*UEVENT, "namespaces"))
def every_namespace(world: World, log: Log) -> None:
    """The uevents of a device without a namespace are sent in every network namespace."""
    here, there = listener(world, A), listener(world.namespace(), A)
    world.uevent()
    next_event(log, "here", here)
    next_event(log, "there", there)
