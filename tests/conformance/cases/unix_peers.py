"""Unix sockets: bytes of several senders, datagram sockets that change their peer, files in flight."""

from __future__ import annotations

import os
from collections.abc import Sequence

from simkernel.uapi.fcntl import F_SETFL, F_SETOWN
from simkernel.uapi.poll import POLLIN, POLLOUT
from simkernel.uapi.resource import RLIMIT_NOFILE
from simkernel.uapi.signal import SIGIO
from simkernel.uapi.socket import (
    AF_UNIX,
    MSG_CMSG_CLOEXEC,
    MSG_DONTWAIT,
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    MSG_WAITALL,
    SCM_CREDENTIALS,
    SHUT_RD,
    SHUT_RDWR,
    SHUT_WR,
    SO_PASSCRED,
    SO_RCVLOWAT,
    SOCK_DGRAM,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    SOL_SOCKET,
    Ucred,
)
from tests.conformance.case import case
from tests.conformance.log import Log
from tests.conformance.programs.interface import RECORD, Program
from tests.conformance.world import World

PROGRAMS = ("programs",)
KINDS = {"stream": SOCK_STREAM, "dgram": SOCK_DGRAM, "seqpacket": SOCK_SEQPACKET}
ANY = 0x7FFF
DISCONNECT = None
"""The argument with which connect(2) removes the peer of a datagram socket."""


def claim(pid: int, uid: int, gid: int) -> tuple[int, int, bytes]:
    """Return a control message with credentials."""
    return SOL_SOCKET, SCM_CREDENTIALS, Ucred.LAYOUT.pack(pid, uid, gid)


def fill(program: Program, one: int, child: Program) -> None:
    """Send messages to a stream. Successive messages differ in one of their credentials, or in none."""
    me = program.pid
    for data, identity in (
        (b"ab", (me, 1, 1)), (b"c", (me, 1, 1)), (b"de", (child.pid, 1, 1)), (b"fg", (child.pid, 2, 1)),
        (b"h", (child.pid, 2, 2)), (b"ij", (child.pid, 2, 2)), (b"k", (me, 0, 0)),
    ):  # fmt: skip
        program.sendmsg(one, [data], [claim(*identity)])
    program.send(one, b"l")


@case(privileged=True, marks=PROGRAMS)
def bytes_of_several_senders(world: World, log: Log) -> None:
    """With SO_PASSCRED, one receive takes only bytes with the same credentials."""
    a = world.programs().start()
    b = a.fork()
    for passes in (0, 1):
        for sizes, flags in (
            ((100,) * 7, MSG_PEEK), ((2,) * 8, 0), ((3,) * 8, MSG_WAITALL), ((100,) * 7, MSG_DONTWAIT),
            ((1, 100) * 3, 0),
        ):  # fmt: skip
            one, other = a.socketpair(AF_UNIX, SOCK_STREAM)
            a.setsockopt(other, SOL_SOCKET, SO_PASSCRED, passes)
            fill(a, one, b)
            a.shutdown(one, SHUT_WR)
            for size in sizes:
                log.call(f"{passes}: {size} {flags:#x}", a.recvmsg, other, size, 100, flags)
            a.close(one)
            a.close(other)


@case(privileged=True, marks=PROGRAMS)
def end_of_a_stream_with_credentials(world: World, log: Log) -> None:
    """A receive at the end of a stream returns credentials with pid 0 if SO_PASSCRED is set."""
    a = world.programs().start(1000, 100)
    for kind in KINDS.values():
        one, other = a.socketpair(AF_UNIX, kind)
        a.setsockopt(other, SOL_SOCKET, SO_PASSCRED, 1)
        a.shutdown(other, SHUT_RD)
        for space in (0, 12, 16, 27, 28, 100):
            log.call(f"{kind}: {space}", a.recvmsg, other, 10, space)
        for flags in (MSG_CMSG_CLOEXEC, MSG_TRUNC, MSG_PEEK):
            log.call(f"{kind}: {flags:#x}", a.recvmsg, other, 10, 100, flags)
        a.close(one)


# -- datagram sockets -------------------------------------------------------------


def in_flight(program: Program, fd: int) -> list[str]:
    """Return the line of fdinfo with the number of files in the queue of a socket."""
    lines = program.read_file(f"/proc/self/fdinfo/{fd}").decode().splitlines()
    return [line for line in lines if line.startswith("scm_fds")]


def states(log: Log, label: str, program: Program, names: Sequence[str]) -> None:
    """Record the state of bound sockets in /proc/net/unix."""
    lines = program.read_file("/proc/net/unix").decode().splitlines()[1:]
    found = {line.split()[7]: line.split()[5] for line in lines if len(line.split()) == 8}
    log(f"{label}: states", [found.get(name) for name in names])


@case(privileged=True, marks=PROGRAMS)
def datagram_sockets_that_change_their_peer(world: World, log: Log) -> None:
    """connect(2) of a datagram socket S sets its peer and changes the state of both sockets. If S had another
    peer before, the kernel drops the messages in the receive queue of S. If it drops any and the former peer
    is still connected to S, the former peer gets ECONNRESET.
    """
    a = world.programs().start()
    names = ["a", "b", "c"]
    socks = {name: a.socket(AF_UNIX, SOCK_DGRAM) for name in names}
    for name, fd in socks.items():
        a.bind(fd, name)
    states(log, "fresh", a, names)
    steps = (
        ("a", "b"), ("c", "a"), ("b", "a"), ("c", "a"), ("c", "c"), ("a", "b"), ("a", "a"), ("b", "c"),
        ("c", "b"), ("c", DISCONNECT), ("c", DISCONNECT), ("b", "a"), ("a", "none"), ("a", DISCONNECT),
        ("c", "b"), ("b", DISCONNECT), ("c", "a"),
    )  # fmt: skip
    for one, other in steps:
        for sender in names:
            for receiver in names:
                log.call(f"{sender} to {receiver}", a.sendto, socks[sender], b"x", MSG_DONTWAIT, receiver)
            log.call(f"{sender} to its peer", a.send, socks[sender], b"y", MSG_DONTWAIT)
        log.call(f"connect {one} to {other}", a.connect, socks[one], other)
        states(log, "then", a, names)
        for name, fd in socks.items():
            log.call(f"{name}: poll", a.poll, [(fd, ANY)], 0)
            log.call(f"{name}: peer", a.getpeername, fd)
            while log.call(f"{name}: recv", a.recvfrom, fd, 10, MSG_DONTWAIT) is not None:
                pass


@case(privileged=True, marks=PROGRAMS)
def datagrams_to_a_peer_that_is_gone(world: World, log: Log) -> None:
    """A send to a closed peer fails with ECONNREFUSED once, and removes the peer."""
    a = world.programs().start()
    one, other = a.socket(AF_UNIX, SOCK_DGRAM), a.socket(AF_UNIX, SOCK_DGRAM)
    a.bind(one, "a")
    a.bind(other, "b")
    a.connect(one, "b")
    a.sendto(other, b"queued", 0, "a")
    a.close(other)
    states(log, "closed", a, ["a"])
    for call in ("first", "second"):
        log.call(f"{call} poll", a.poll, [(one, ANY)], 0)
        log.call(f"{call} send", a.send, one, b"x")
        states(log, call, a, ["a"])
    log.call("queued", a.recv, one, 10, MSG_DONTWAIT)
    log.call("again", a.recv, one, 10, MSG_DONTWAIT)


@case(privileged=True, marks=PROGRAMS)
def datagram_sockets_after_shutdown(world: World, log: Log) -> None:
    """Results of poll, send and receive on both ends of a datagram pair after shutdown(2) of one end."""
    a = world.programs().start()
    for how in (SHUT_RD, SHUT_WR, SHUT_RDWR, 3, -1):
        one, other = a.socketpair(AF_UNIX, SOCK_DGRAM)
        a.send(one, b"before")
        log.call(f"shutdown {how}", a.shutdown, one, how)
        for name, fd in (("one", one), ("other", other)):
            log.call(f"{name}: poll", a.poll, [(fd, ANY)], 0)
            log.call(f"{name}: send", a.send, fd, b"x", MSG_DONTWAIT)
            log.call(f"{name}: recv", a.recv, fd, 10, MSG_DONTWAIT)
            log.call(f"{name}: again", a.recv, fd, 10, MSG_DONTWAIT)
            log.call(f"{name}: out of band", a.send, fd, b"x", MSG_OOB)
            log.call(f"{name}: receive out of band", a.recv, fd, 10, MSG_OOB)
        a.close(one)
        a.close(other)


@case(privileged=True, marks=PROGRAMS)
def a_full_peer_that_is_replaced(world: World, log: Log) -> None:
    """A datagram socket is not writable while the receive queue of its peer is full. It becomes writable if
    the peer reads a message or closes, or if the socket disconnects or connects to another peer.
    """
    a = world.programs().start()
    for action in ("read", "replace", "disconnect", "close"):
        full, empty, sender = (a.socket(AF_UNIX, SOCK_DGRAM) for _ in range(3))
        a.bind(full, b"\0full")
        a.bind(empty, b"\0empty")
        a.connect(sender, b"\0full")
        sent = 0
        while a.poll([(sender, POLLOUT)], 0):
            a.send(sender, b"x", MSG_DONTWAIT)
            sent += 1
        log(f"{action}: sent", sent)
        log.call("full", a.poll, [(sender, ANY)], 0)
        log.call("send", a.send, sender, b"x", MSG_DONTWAIT)
        child = a.fork()
        child.close(full)
        waiting = child.begin("poll", [(sender, POLLOUT)], 10_000)
        log("waits", not waiting.done())
        match action:
            case "read":
                a.recv(full, 10)
            case "replace":
                a.connect(sender, b"\0empty")
            case "disconnect":
                a.connect(sender, DISCONNECT)
            case _:
                a.close(full)
        log.call("poll", waiting.result)
        log.call("send", a.send, sender, b"x", MSG_DONTWAIT)
        child.end()
        a.wait()
        for fd in (empty, sender) if action == "close" else (full, empty, sender):
            a.close(fd)


# -- files in flight ----------------------------------------------------------------


@case(privileged=True, marks=PROGRAMS)
def space_for_files(world: World, log: Log) -> None:
    """A receive installs as many files as fit in the control buffer and in RLIMIT_NOFILE. It closes the
    others and sets MSG_CTRUNC.
    """
    a = world.programs().start()
    read, write = a.pipe()
    for kind in KINDS.values():
        one, other = a.socketpair(AF_UNIX, kind)
        for space in (0, 15, 16, 19, 20, 23, 24, 28, 100):
            a.sendmsg(one, [b"x"], [write, read])
            made = log.call(f"{kind}: {space}", a.recvmsg, other, 1, space)
            for fd in (fd for _, _, fds in made[2] for fd in fds):
                a.close(fd)
        a.setrlimit(RLIMIT_NOFILE, (other + 2, 4096))
        for flags in (MSG_PEEK, 0):
            a.sendmsg(one, [b"x"], [write, read])
            made = log.call(f"{kind}: at the limit", a.recvmsg, other, 1, 100, flags)
            for fd in (fd for _, _, fds in made[2] for fd in fds):
                a.close(fd)
        log.call("rest", a.recvmsg, other, 10, 100, MSG_DONTWAIT)
        a.setrlimit(RLIMIT_NOFILE, (1024, 4096))
        a.close(one)
        a.close(other)


@case(privileged=True, marks=PROGRAMS)
def number_of_files(world: World, log: Log) -> None:
    """A message carries at most 253 files, in one or in several control messages."""
    a = world.programs().start()
    one, other = a.socketpair(AF_UNIX, SOCK_DGRAM)
    for count in (0, 1, 252, 253, 254, 300):
        log.call(f"{count} files", a.sendmsg, one, [b"x"], [0] * count)
        log.call("in flight", in_flight, a, other)
        log.call("receive", a.recvmsg, other, 1, 20, MSG_DONTWAIT)
    log.call("closed descriptor", a.sendmsg, one, [b"x"], [0, 77])
    log.call("no bytes of a descriptor", a.sendmsg, one, [b"x"], [(SOL_SOCKET, 1, b"")])
    log.call("unknown message", a.sendmsg, one, [b"x"], [(SOL_SOCKET, 4, bytes(4))])
    log.call("other level", a.sendmsg, one, [b"x"], [(6, 1, bytes(4))])


@case(privileged=True, marks=PROGRAMS)
def files_in_flight_of_each_socket(world: World, log: Log) -> None:
    """fdinfo of a unix socket shows the number of files in its receive queue. For a listener, it shows the
    number of files in the queues of the connections that no program has accepted.
    """
    a = world.programs().start()
    for name in ("stream", "seqpacket"):
        listener, client = a.socket(AF_UNIX, KINDS[name]), a.socket(AF_UNIX, KINDS[name])
        a.bind(listener, name)
        a.listen(listener, 5)
        more = a.socket(AF_UNIX, KINDS[name])
        for fd in (client, more):
            a.connect(fd, name)
            a.sendmsg(fd, [b"x"], [0, 1])
        a.sendmsg(client, [b"y"], [0])
        accepted: list[int] = []
        for step in ("queued", "accepted", "received"):
            if step == "accepted":
                accepted = [a.accept(listener)[0]]
            elif step == "received":
                log.call("receive", a.recvmsg, accepted[0], 1, 100)
            for fd in (listener, client, more, *accepted):
                log(f"{name}: {step}: {fd}", in_flight(a, fd))
        for fd in (listener, client, more, *accepted):
            a.close(fd)


@case(privileged=True, marks=PROGRAMS)
def files_in_flight_after_a_peek(world: World, log: Log) -> None:
    """MSG_PEEK leaves the files in flight. Each receive with MSG_PEEK installs new descriptors for them."""
    a = world.programs().start()
    for kind in KINDS.values():
        one, other = a.socketpair(AF_UNIX, kind)
        a.sendmsg(one, [b"x"], [0, 1])
        a.sendmsg(one, [b"y"], [2])
        for flags in (MSG_PEEK, MSG_PEEK, 0, MSG_PEEK, 0):
            log(f"{kind}: in flight", in_flight(a, other))
            made = log.call(f"receive {flags}", a.recvmsg, other, 1, 100, flags)
            for fd in made[2][0][2]:
                a.close(fd)
        log("none", in_flight(a, other))
        a.close(one)
        a.close(other)


# -- space and thresholds -----------------------------------------------------------


@case(privileged=True, marks=PROGRAMS)
def receive_low_water_mark(world: World, log: Log) -> None:
    """A receive blocks until SO_RCVLOWAT bytes are queued. If it requests fewer bytes, it blocks only until
    these are queued.
    """
    programs = world.programs()
    a = programs.start()
    for mark, queued, size in (
        (5, 4, 10), (5, 5, 10), (5, 6, 10), (5, 4, 4), (5, 3, 4), (0, 1, 10), (1, 1, 10), (2, 1, 10),
        (-1, 5, 5),
    ):  # fmt: skip
        one, other = a.socketpair(AF_UNIX, SOCK_STREAM)
        a.setsockopt(other, SOL_SOCKET, SO_RCVLOWAT, mark)
        a.send(one, bytes(queued))
        label = f"{mark}: {queued} of {size}"
        log.call(f"{label}: poll", a.poll, [(other, POLLIN)], 0)
        log.call(f"{label}: non-blocking", a.recv, other, size, MSG_PEEK | MSG_DONTWAIT)
        c = a.fork()
        waiting = c.begin("recv", other, size)
        log(f"{label}: ended", waiting.done())
        for _ in range(size):
            if not waiting.done():
                a.send(one, b"m")
                programs.settle()
                log("more", waiting.done())
        log.call("received", waiting.result)
        c.end()
        a.wait()
        a.close(one)
        a.close(other)


@case(privileged=True, marks=PROGRAMS)
def signals_for_space_of_datagrams(world: World, log: Log) -> None:
    """A sender with O_ASYNC gets SIGIO when the full receive queue of its peer has space again. If the sender
    has not called poll(2) for POLLOUT while the queue was full, it gets no SIGIO.
    """
    a = world.programs().start()
    a.signal(SIGIO, RECORD)
    for polls in (0, 1):
        receiver, sender = a.socket(AF_UNIX, SOCK_DGRAM), a.socket(AF_UNIX, SOCK_DGRAM)
        a.bind(receiver, b"\0receiver")
        a.connect(sender, b"\0receiver")
        a.fcntl(sender, F_SETOWN, a.pid)
        a.fcntl(sender, F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
        sent = 0
        try:
            while True:
                a.send(sender, bytes(100))
                sent += 1
        except OSError as error:
            log(f"{polls}: sent {sent}", error)
        if polls:
            log.call("poll", a.poll, [(sender, POLLOUT)], 0)
        log("full", a.caught())
        for step in range(3):
            a.recv(receiver, 100)
            log(f"read {step}", a.caught())
            log.call("poll", a.poll, [(sender, POLLOUT)], 0) if polls else None
        a.close(receiver)
        log("closed", a.caught())
        a.close(sender)
    one, other = a.socketpair(AF_UNIX, SOCK_DGRAM)
    a.fcntl(one, F_SETOWN, a.pid)
    a.fcntl(one, F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    while a.poll([(one, POLLOUT)], 0):
        a.send(one, bytes(20_000))
    log("full pair", a.caught())
    while a.poll([(other, POLLIN)], 0):
        a.recv(other, 20_000)
        log("read", a.caught())
