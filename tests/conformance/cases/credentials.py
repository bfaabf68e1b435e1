"""SCM_CREDENTIALS, SO_PASSCRED, and the privileges that the kernel checks: those of the process that opened a
socket, and those of the sender.
"""

from __future__ import annotations

from simkernel.uapi.socket import (
    SCM_CREDENTIALS,
    SCM_RIGHTS,
    SO_PASSCRED,
    SOL_SOCKET,
    Ucred,
)
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.log import Log
from tests.conformance.wire import ACK, ADD_MEMBERSHIP, EXT_ACK, REQUEST, SOL_NETLINK
from tests.conformance.world import Process, Socket, World

A, B = 0x4D000001, 0x4D000002
NOBODY = 65534
PROCESSES = ("processes",)
CREDENTIALS = ("credentials",)


def listener(world: Process) -> Socket:
    sock = netlink(world, wire.USERSOCK, bind=(B, 0))
    sock.setsockopt(SOL_SOCKET, SO_PASSCRED, 1)
    return sock


def number(process: Process) -> int:
    """Return the process id, which is the first port id that the kernel chooses for a process."""
    sock = netlink(process, wire.ROUTE, bind=(0, 0))
    pid = sock.getsockname()[0]
    sock.close()
    return pid


def claim(pid: int, uid: int, gid: int) -> list[tuple[int, int, bytes]]:
    return [(SOL_SOCKET, SCM_CREDENTIALS, Ucred.LAYOUT.pack(pid, uid, gid))]


def shown(log: Log, label: str, sock: Socket, processes: dict[int, str]) -> None:
    """Receive a message and record its credentials. `processes` maps process ids to the names to record."""
    _, control, flags, _ = sock.recvmsg(100, 100)
    for level, type, data in control:
        pid, uid, gid = Ucred.LAYOUT.unpack(data)
        log(label, [level, type, processes.get(pid, pid), uid, gid, int(flags)])
    log(f"{label}: control messages", len(control))


@case(privileged=True)
def without_asking(world: World, log: Log) -> None:
    """A receiver without SO_PASSCRED gets no credentials, even if the sender attaches them."""
    a, b = netlink(world, wire.USERSOCK, bind=(A, 0)), netlink(world, wire.USERSOCK, bind=(B, 0))
    log.call("send", a.sendmsg, [b"x"], claim(number(world), 0, 0), 0, (B, 0))
    log.recvmsg("recv", b, 100, 100)


@case(privileged=True)
def asked_for_later(world: World, log: Log) -> None:
    """Every message carries credentials, even if SO_PASSCRED is set only after the message was sent."""
    me = number(world)
    a, b = netlink(world, wire.USERSOCK, bind=(A, 0)), netlink(world, wire.USERSOCK, bind=(B, 0))
    a.sendto(b"x", (B, 0))
    b.setsockopt(SOL_SOCKET, SO_PASSCRED, 1)
    shown(log, "recv", b, {me: "me"})


@case()
def claims_unprivileged(world: World, log: Log) -> None:
    """An unprivileged process can only send its own process, user and group ids as credentials."""
    me = number(world)
    a, b = netlink(world, wire.USERSOCK, bind=(A, 0)), listener(world)
    for label, credentials in (
        ("myself", claim(me, NOBODY, NOBODY)),
        ("another process", claim(1, NOBODY, NOBODY)),
        ("another user", claim(me, 0, NOBODY)),
        ("another group", claim(me, NOBODY, 0)),
        ("no user", claim(me, 2**32 - 1, NOBODY)),
        ("no group", claim(me, NOBODY, 2**32 - 1)),
    ):
        log.call(label, a.sendmsg, [b"x"], credentials, 0, (B, 0))
    shown(log, "recv", b, {me: "me"})
    log.recv("no more", b)


@case(privileged=True)
def claims_privileged(world: World, log: Log) -> None:
    """A privileged process can send any existing process id and any user id except (uid_t)-1."""
    me = number(world)
    a, b = netlink(world, wire.USERSOCK, bind=(A, 0)), listener(world)
    for label, credentials in (
        ("process 1", claim(1, 0, 0)),
        ("a user", claim(me, 1000, 100)),
        ("no such process", claim(2**22 + 1, 0, 0)),
        ("process 0", claim(0, 0, 0)),
        ("process -1", claim(-1, 0, 0)),
        ("no user", claim(me, 2**32 - 1, 0)),
    ):
        log.call(label, a.sendmsg, [b"x"], credentials, 0, (B, 0))
    shown(log, "recv", b, {me: "me"})
    shown(log, "recv", b, {me: "me"})
    log.recv("no more", b)


@case()
def malformed_control(world: World, log: Log) -> None:
    """sendmsg() with control messages that have a wrong length, type or level."""
    me = number(world)
    a, b = netlink(world, wire.USERSOCK, bind=(A, 0)), listener(world)
    whole = Ucred.LAYOUT.pack(me, NOBODY, NOBODY)
    for label, control in (
        ("short", [(SOL_SOCKET, SCM_CREDENTIALS, whole[:11])]),
        ("long", [(SOL_SOCKET, SCM_CREDENTIALS, whole + b"\0")]),
        ("empty", [(SOL_SOCKET, SCM_CREDENTIALS, b"")]),
        ("descriptors", [(SOL_SOCKET, SCM_RIGHTS, bytes(4))]),
        ("unknown type", [(SOL_SOCKET, 99, whole)]),
        ("netlink's level", [(SOL_NETLINK, 1, whole)]),
        ("other level", [(6, SCM_CREDENTIALS, whole)]),
        ("twice", claim(me, NOBODY, NOBODY) * 2),
        ("a bad one first", [(SOL_SOCKET, 99, b""), *claim(me, NOBODY, NOBODY)]),
    ):
        log.call(label, a.sendmsg, [b"x"], control, 0, (B, 0))
    for _ in range(3):
        shown(log, "recv", b, {me: "me"})
    log.recv("no more", b)


@case()
def checked_before_the_address(world: World, log: Log) -> None:
    """sendmsg() checks control messages first: if they are invalid, the socket is not even bound."""
    a = netlink(world, wire.USERSOCK)
    log.call("send", a.sendmsg, [b"x"], [(SOL_SOCKET, 99, b"")], 0, (B, 0))
    log.name("name", a)


@case(privileged=True)
def of_the_kernel(world: World, log: Log) -> None:
    """The credentials of a kernel reply are process 0, user 0 and group 0."""
    s = netlink(world, wire.GENERIC, bind=(A, 0))
    s.setsockopt(SOL_SOCKET, SO_PASSCRED, 1)
    s.send(wire.nlmsg(wire.NOOP, REQUEST | ACK))
    shown(log, "recv", s, {})


@case(privileged=True)
def little_room(world: World, log: Log) -> None:
    """A control buffer that is too small truncates the credentials. (The process id is not recorded.)"""
    a, b = netlink(world, wire.USERSOCK, bind=(A, 0)), listener(world)
    for room in (0, 8, 16, 20, 24, 27, 28, 31, 32):
        a.sendto(b"x", (B, 0))
        _, control, flags, _ = b.recvmsg(100, room)
        log(f"{room}", [[len(data), data[4:]] for _, _, data in control])
        log(f"{room}: flags", int(flags))


@case(privileged=True, marks=PROCESSES)
def another_process(world: World, log: Log) -> None:
    """In each process, the kernel chooses the process id as first port id. Each process sends its own
    credentials.
    """
    other = world.process(privileged=False)
    names = {number(world): "me", number(other): "the other"}
    log("two numbers", len(names))
    b = listener(world)
    theirs = netlink(other, wire.USERSOCK, bind=(0, 0))
    mine = netlink(world, wire.USERSOCK, bind=(0, 0))
    log("first port id", names.get(theirs.getsockname()[0]))
    log("first port id", names.get(mine.getsockname()[0]))
    theirs.sendto(b"x", (B, 0))
    mine.sendto(b"x", (B, 0))
    shown(log, "theirs", b, names)
    shown(log, "mine", b, names)


@case(privileged=True, marks=PROCESSES)
def port_ids_are_shared(world: World, log: Log) -> None:
    """Processes share one set of port ids. A process can even bind a socket to the process id of another
    process.
    """
    other = world.process(privileged=False)
    mine = netlink(world, wire.USERSOCK)
    theirs = netlink(other, wire.USERSOCK, bind=(A, 0))
    log.call("taken", mine.bind, (A, 0))
    log.call("the other's number", mine.bind, (number(other), 0))
    late = netlink(other, wire.USERSOCK, bind=(0, 0))
    log("chosen is negative", late.getsockname()[0] >> 31)
    log.call("send", theirs.sendto, b"hello", (number(other), 0))
    log.recv("recv", mine)


@case(privileged=True, marks=CREDENTIALS)
def opened_with_privilege(world: World, log: Log) -> None:
    """If a process drops its privilege after it opened a socket, requests on this socket fail, because the
    kernel also checks the privilege of the caller.
    """
    s = netlink(world, wire.UEVENT, bind=(A, 0))
    s.setsockopt(SOL_NETLINK, EXT_ACK, 1)
    world.become(privileged=False)
    log.ask("request", s, wire.nlmsg(16, REQUEST | ACK, b"add@/x\0", seq=1))
    log.call("request by send", s.send, wire.nlmsg(16, REQUEST | ACK, b"add@/x\0", seq=2))
    log.replies("replies", s)
    log.call("to a group", s.sendto, b"add@/x\0", (0, 1))
    g = netlink(world, wire.USERSOCK)
    log.call("join", g.setsockopt, SOL_NETLINK, ADD_MEMBERSHIP, 1)


@case(privileged=True, marks=CREDENTIALS)
def opened_without_privilege(world: World, log: Log) -> None:
    """If a process gains privilege after it opened a socket, its requests by sendto() with an address
    succeed. Requests by send() fail, because the kernel then also checks the privilege with which the socket
    was opened.
    """
    world.become(privileged=False)
    s = netlink(world, wire.UEVENT, bind=(A, 0))
    s.setsockopt(SOL_NETLINK, EXT_ACK, 1)
    u = netlink(world, wire.USERSOCK)
    world.become(privileged=True)
    log.ask("with an address", s, wire.nlmsg(16, REQUEST | ACK, b"add@/x\0", seq=1))
    log.call("without one", s.send, wire.nlmsg(16, REQUEST | ACK, b"add@/x\0", seq=2))
    log.replies("replies", s)
    log.call("connect", s.connect, (0, 0))
    log.call("connected", s.send, wire.nlmsg(16, REQUEST | ACK, b"add@/x\0", seq=3))
    log.replies("replies", s)
    log.call("to a group", s.sendto, b"add@/x\0", (0, 1))
    log.call("join", u.setsockopt, SOL_NETLINK, ADD_MEMBERSHIP, 1)
    log.call("bind to groups", u.bind, (B, 3))
