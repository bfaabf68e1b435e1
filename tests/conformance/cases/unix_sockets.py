"""Unix sockets: SOCK_SEQPACKET, garbage collection of files in flight, MSG_PEEK, credentials before
accept(2).
"""

from __future__ import annotations

import signal

from simkernel.uapi.poll import POLLIN
from simkernel.uapi.socket import (
    AF_UNIX,
    MSG_CMSG_CLOEXEC,
    MSG_DONTWAIT,
    MSG_EOR,
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    MSG_WAITALL,
    SHUT_RD,
    SHUT_WR,
    SO_ACCEPTCONN,
    SO_DOMAIN,
    SO_ERROR,
    SO_PASSCRED,
    SO_PASSSEC,
    SO_PEERCRED,
    SO_PROTOCOL,
    SO_RCVTIMEO,
    SO_REUSEADDR,
    SO_SNDBUF,
    SO_TYPE,
    SOCK_DGRAM,
    SOCK_NONBLOCK,
    SOCK_RAW,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    SOL_SOCKET,
)
from tests.conformance.case import case
from tests.conformance.log import Log
from tests.conformance.programs.interface import RECORD, Program
from tests.conformance.world import World

PROGRAMS = ("programs",)
KINDS = {"stream": SOCK_STREAM, "dgram": SOCK_DGRAM, "seqpacket": SOCK_SEQPACKET}
ANY = 0x7FFF
SIOCINQ, SIOCOUTQ, SIOCATMARK = 0x541B, 0x5411, 0x8905
LONG = 10_000
"""Maximum time in milliseconds to wait for deferred work of the host's kernel."""


def state(program: Program, fd: int) -> list[object]:
    """Return the state of a unix socket: its poll(2) events, the number of bytes that it can receive
    (SIOCINQ), and the memory of sent messages that the peer has not received yet (SIOCOUTQ).
    """
    queued = [program.ioctl(fd, request, bytes(4)) for request in (SIOCINQ, SIOCOUTQ)]
    return [program.poll([(fd, ANY)], 0), *[int.from_bytes(each, "little") for each in queued]]


def collect(program: Program) -> None:
    """Close a unix socket. The kernel then collects sockets that are in flight and that no program can
    receive.
    """
    program.close(program.socket(AF_UNIX, SOCK_DGRAM))


def drain(program: Program, fd: int) -> None:
    """Receive every pending message."""
    while program.poll([(fd, POLLIN)], 0):
        program.recv(fd, 10_000)


def ended(log: Log, program: Program, name: str, fd: int) -> None:
    """Wait until the garbage collector has closed the peer of the socket `fd`. Then log the state of `fd` and
    the results of receives and a send.
    """
    program.poll([(fd, POLLIN)], LONG)
    log.call(f"{name}: state", state, program, fd)
    log.call(f"{name}: recv", program.recv, fd, 10, MSG_DONTWAIT)
    log.call(f"{name}: again", program.recv, fd, 10, MSG_DONTWAIT)
    log.call(f"{name}: send", program.send, fd, b"x")


# -- garbage collection -----------------------------------------------------------


@case(privileged=True, marks=PROGRAMS)
def socket_in_its_own_queue(world: World, log: Log) -> None:
    """The garbage collector empties the queue of a socket before it closes the socket. Its peer therefore
    gets no ECONNRESET.
    """
    a = world.programs().start()
    for name in ("stream", "seqpacket"):
        one, other = a.socketpair(AF_UNIX, KINDS[name])
        a.send(one, b"unread")
        a.sendmsg(one, [b"x"], [other])
        a.send(one, b"unread")
        a.close(other)
        collect(a)
        ended(log, a, name, one)


@case(privileged=True, marks=PROGRAMS)
def socket_in_the_queue_of_a_circle(world: World, log: Log) -> None:
    """The garbage collector closes a socket that is in flight in its own queue, and every other socket in
    flight in this queue. If such another socket has unread data, its peer gets ECONNRESET.
    """
    a = world.programs().start()
    for name in ("stream", "seqpacket"):
        one, circle = a.socketpair(AF_UNIX, KINDS[name])
        outside, inside = a.socketpair(AF_UNIX, KINDS[name])
        a.send(outside, b"unread")
        a.sendmsg(one, [b"x"], [inside, circle])
        a.close(inside)
        a.close(circle)
        collect(a)
        ended(log, a, f"{name}: outside", outside)
        ended(log, a, f"{name}: circle", one)


@case(privileged=True, marks=PROGRAMS)
def circle_of_two_pairs(world: World, log: Log) -> None:
    """The garbage collector closes two sockets if each of them is in flight in the queue of the other."""
    a = world.programs().start()
    for name in ("stream", "seqpacket"):
        pairs = [a.socketpair(AF_UNIX, KINDS[name]) for _ in range(2)]
        for (one, _), (_, other) in (pairs, pairs[::-1]):
            a.sendmsg(one, [b"x"], [other])
        for _, other in pairs:
            a.close(other)
        collect(a)
        for number, (one, _) in enumerate(pairs):
            ended(log, a, f"{name}: {number}", one)


@case(privileged=True, marks=PROGRAMS)
def listener_in_the_queue_of_its_connection(world: World, log: Log) -> None:
    """The garbage collector closes a listener that is in flight in the queue of its own connection. All
    connections of this listener get ECONNRESET.
    """
    a = world.programs().start()
    for name in ("stream", "seqpacket"):
        listener, one, other = (a.socket(AF_UNIX, KINDS[name]) for _ in range(3))
        a.bind(listener, f"\0{name}".encode())
        a.listen(listener, 5)
        for client in (one, other):
            a.connect(client, f"\0{name}".encode())
        a.sendmsg(one, [b"x"], [listener])
        a.close(listener)
        collect(a)
        ended(log, a, f"{name}: holder", one)
        ended(log, a, f"{name}: other", other)


@case(privileged=True, marks=PROGRAMS)
def pipe_in_a_circle_of_datagrams(world: World, log: Log) -> None:
    """If the garbage collector for unix sockets closes a cycle of sockets, it closes all files in their
    queues, even files that are not sockets, such as a pipe.
    """
    a = world.programs().start()
    one, other = a.socketpair(AF_UNIX, SOCK_DGRAM)
    read, write = a.pipe()
    a.sendmsg(one, [b"x"], [other, write])
    a.close(other)
    a.close(write)
    collect(a)
    log.call("read", a.read, read, 10)
    log.call("send", a.send, one, b"x")


# -- MSG_PEEK and errors ----------------------------------------------------------


@case(privileged=True, marks=PROGRAMS)
def peek_reaches_the_next_files(world: World, log: Log) -> None:
    """On a stream, MSG_PEEK returns the files of the first queued message that has files, even if the buffer
    is too small to reach this message. Without MSG_PEEK, a receive returns the files of a message only if it
    returns at least one byte of the same message.
    """
    a = world.programs().start()
    one, other = a.socketpair(AF_UNIX, SOCK_STREAM)
    for data, files in ((b"abc", []), (b"d", []), (b"ef", [0]), (b"gh", [1])):
        a.sendmsg(one, [data], files)
    for size in (0, 1, 3, 4, 5, 6, 100):
        log.call(f"peek {size}", a.recvmsg, other, size, 100, MSG_PEEK)
    for size in (0, 1, 3, 1, 100):
        log.call(f"receive {size}", a.recvmsg, other, size, 100, MSG_CMSG_CLOEXEC)


@case(privileged=True, marks=PROGRAMS)
def peek_never_waits_for_more(world: World, log: Log) -> None:
    """With MSG_PEEK, MSG_WAITALL has no effect if the stream has at least one byte."""
    a = world.programs().start()
    one, other = a.socketpair(AF_UNIX, SOCK_STREAM)
    a.send(one, b"abc")
    for flags in (MSG_PEEK, MSG_PEEK | MSG_WAITALL):
        log.call(f"peek {flags:#x}", a.recv, other, 10, flags)
    pending = a.fork().begin("recv", other, 10, MSG_WAITALL)
    log("receive ended", pending.done())
    a.send(one, b"defghij")
    log.call("received", pending.result)


@case(privileged=True, marks=PROGRAMS)
def receive_that_finds_less_and_an_error(world: World, log: Log) -> None:
    """With MSG_WAITALL, a receive that returns fewer bytes than requested clears the socket's error, even if
    it is non-blocking. Without MSG_WAITALL, or with MSG_PEEK, the error stays.
    """
    a = world.programs().start()
    for flags in (0, MSG_DONTWAIT, MSG_WAITALL, MSG_WAITALL | MSG_DONTWAIT, MSG_PEEK | MSG_WAITALL):
        one, other = a.socketpair(AF_UNIX, SOCK_STREAM)
        a.send(other, b"abc")
        a.send(one, b"unread")
        a.close(other)
        log.call(f"receive {flags:#x}", a.recv, one, 10, flags)
        log.call("state", state, a, one)
        log.call("again", a.recv, one, 10, flags)


# -- SOCK_SEQPACKET -----------------------------------------------------------------


@case(privileged=True, marks=PROGRAMS)
def records_keep_their_boundaries(world: World, log: Log) -> None:
    """A receive on a SOCK_SEQPACKET socket returns at most one record, and drops the rest of this record."""
    a = world.programs().start()
    one, other = a.socketpair(AF_UNIX, SOCK_SEQPACKET)
    for data, flags in ((b"one", 0), (b"four", MSG_EOR), (b"", 0), (b"five5", 0), (b"six", 0)):
        log.call("send", a.send, one, data, flags)
    log.call("state", state, a, other)
    log.call("sender", state, a, one)
    receives = (
        (1, MSG_PEEK), (2, 0), (9, 0), (9, MSG_WAITALL), (2, MSG_TRUNC), (9, MSG_EOR), (9, MSG_DONTWAIT),
    )  # fmt: skip
    for size, flags in receives:
        log.call(f"receive {size} {flags:#x}", a.recvmsg, other, size, 0, flags)
    log.call("SIOCATMARK", a.ioctl, other, SIOCATMARK, bytes(4))


@case(privileged=True, marks=PROGRAMS)
def records_over_a_connection(world: World, log: Log) -> None:
    """SOCK_SEQPACKET sockets bind, listen, connect and accept like streams. A SOCK_STREAM socket cannot
    connect to a SOCK_SEQPACKET listener (EPROTOTYPE).
    """
    a = world.programs().start(1000, 100)
    kinds = (SOCK_SEQPACKET, SOCK_SEQPACKET | SOCK_NONBLOCK, SOCK_STREAM)
    listener, client, stream = (a.socket(AF_UNIX, kind) for kind in kinds)
    log.call("listen without a name", a.listen, listener, 5)
    log.call("accept without listen", a.accept, listener)
    log.call("fresh", state, a, client)
    for name in ("file", b"\0name"):
        log.call("bind", a.bind, listener, name)
    log.call("connect before listen", a.connect, client, "file")
    log.call("listen", a.listen, listener, 0)
    log.call("stream to a seqpacket name", a.connect, stream, "file")
    log.call("stream to an abstract name", a.connect, stream, b"\0name")
    log.call("SIOCINQ of a listener", a.ioctl, listener, SIOCINQ, bytes(4))
    log.call("send", a.send, client, b"x")
    log.call("recv", a.recv, client, 1, MSG_DONTWAIT)
    log.call("connect", a.connect, client, "file")
    log.call("connect to a full queue", a.connect, client, "file")
    log.call("send before accept", a.send, client, b"early")
    log.call("listener", a.poll, [(listener, ANY)], 0)
    log.call("accept", a.accept, listener)
    log.call("connect again", a.connect, client, "file")
    for option in (SO_TYPE, SO_DOMAIN, SO_PROTOCOL, SO_ACCEPTCONN, SO_ERROR, SO_PEERCRED):
        log.call(f"option {option}", a.getsockopt, 6, SOL_SOCKET, option)
    for fd in (6, client):
        log.call("names", lambda fd: [a.getsockname(fd), a.getpeername(fd)], fd)
    log.call("receive", a.recvmsg, 6, 10, 100)
    log.call("to an address", a.sendto, client, b"x", 0, "elsewhere")
    log.call("out of band", a.send, client, b"x", MSG_OOB)
    log.call("too long", a.send, client, bytes(300_000))
    rows = [line.split()[2:6] for line in a.read_file("/proc/net/unix").decode().splitlines()[1:]]
    log("/proc/net/unix", sorted(rows))


@case(privileged=True, marks=PROGRAMS)
def records_of_an_ended_connection(world: World, log: Log) -> None:
    """After the peer closes, queued records are read first, then end of file. Sending raises no SIGPIPE."""
    a = world.programs().start()
    a.signal(signal.SIGPIPE, RECORD)
    for unread in ([], [b"x"], [b""], [b"", b""]):
        one, other = a.socketpair(AF_UNIX, SOCK_SEQPACKET)
        a.send(other, b"last")
        for data in unread:
            a.send(one, data)
        a.close(other)
        log.call("state", state, a, one)
        calls = [("send", b"x"), ("send", b"y"), ("recv", 10), ("recv", 10), ("write", b"z"), ("read", 10)]
        for call, argument in calls:
            log.call(f"{unread}: {call}", getattr(a, call), one, argument)
    log("signals", a.caught())


@case(privileged=True, marks=PROGRAMS)
def records_after_shutdown(world: World, log: Log) -> None:
    """After shutdown(2) of one end of a SOCK_SEQPACKET pair, the other end still receives earlier records."""
    a = world.programs().start()
    for how in (SHUT_RD, SHUT_WR):
        one, other = a.socketpair(AF_UNIX, SOCK_SEQPACKET)
        a.send(one, b"before")
        log.call("shutdown", a.shutdown, one, how)
        for fd in (one, other):
            log.call("state", state, a, fd)
        for fd in (one, other):
            log.call("send", a.send, fd, b"x")
            log.call("receive", a.recv, fd, 10, MSG_DONTWAIT)
            log.call("receive", a.recv, fd, 10, MSG_DONTWAIT)


@case(privileged=True, marks=PROGRAMS)
def records_with_files_and_credentials(world: World, log: Log) -> None:
    """A record on a SOCK_SEQPACKET socket carries the files and the credentials of its sender."""
    a = world.programs().start(1000, 100)
    one, other = a.socketpair(AF_UNIX, SOCK_SEQPACKET)
    a.setsockopt(other, SOL_SOCKET, SO_PASSCRED, 1)
    read, write = a.pipe()
    log.call("send", a.sendmsg, one, [b"a", b"b"], [write, read])
    log.call("send", a.sendmsg, one, [b"c"], [write])
    log.call("peek", a.recvmsg, other, 1, 100, MSG_PEEK)
    log.call("receive", a.recvmsg, other, 10, 100)
    log.call("without space", a.recvmsg, other, 10, 32)
    log.call("through it", a.write, 7, b"hello")
    log.call("read", a.read, read, 10)


@case(privileged=True, marks=PROGRAMS)
def records_fill_the_send_buffer(world: World, log: Log) -> None:
    """Only SO_SNDBUF limits the queued records of a SOCK_SEQPACKET connection."""
    a = world.programs().start()
    one, other = a.socketpair(AF_UNIX, SOCK_SEQPACKET)
    a.setsockopt(one, SOL_SOCKET, SO_SNDBUF, 20_000)
    for size in (1, 1000, 5000):
        sent = 0
        while a.poll([(one, 4)], 0):
            a.send(one, bytes(size))
            sent += 1
        log(f"records of {size} until not writable", sent)
        try:
            while True:
                a.send(one, bytes(size), MSG_DONTWAIT)
                sent += 1
        except OSError as error:
            log("then", error)
        log("records in all", sent)
        waiting = a.fork().begin("send", one, bytes(size))
        log("waits", not waiting.done())
        drain(a, other)
        log.call("sent", waiting.result)
        drain(a, other)


@case(privileged=True, marks=PROGRAMS)
def types_of_socket(world: World, log: Log) -> None:
    """socket(AF_UNIX) accepts four types and the protocols 0 and 1. SOCK_RAW becomes SOCK_DGRAM."""
    a = world.programs().start()
    for kind in (0, *KINDS.values(), SOCK_RAW, 4, 6, 10, 11):
        for protocol in (0, 1, 2):
            log.call(f"{kind} {protocol}", a.socket, AF_UNIX, kind, protocol)
    log.call("type of a raw one", a.getsockopt, 9, SOL_SOCKET, SO_TYPE)


# -- inherited options ----------------------------------------------------------------


@case(privileged=True, marks=PROGRAMS)
def credentials_before_accept(world: World, log: Log) -> None:
    """If a peer sends before accept(2), the kernel adds the sender's credentials to the message. A new
    connection inherits SO_PASSCRED and SO_PASSSEC from the listener at connect(2), but not SO_REUSEADDR.
    """
    a = world.programs().start(1000, 100)
    for name in ("stream", "seqpacket"):
        listener = a.socket(AF_UNIX, KINDS[name])
        a.bind(listener, name)
        a.listen(listener, 5)
        for options in ((), (SO_PASSCRED, SO_PASSSEC, SO_REUSEADDR)):
            for option in options:
                a.setsockopt(listener, SOL_SOCKET, option, 1)
            client = a.socket(AF_UNIX, KINDS[name])
            a.connect(client, name)
            a.send(client, b"x")
            accepted, _ = a.accept(listener)
            for option in (SO_PASSCRED, SO_PASSSEC, SO_REUSEADDR):
                log.call(f"{name}: option {option}", a.getsockopt, accepted, SOL_SOCKET, option)
            a.setsockopt(accepted, SOL_SOCKET, SO_PASSCRED, 1)
            log.call(f"{name}: receive", a.recvmsg, accepted, 10, 100)
        client = a.socket(AF_UNIX, KINDS[name])
        a.setsockopt(listener, SOL_SOCKET, SO_PASSCRED, 0)
        a.connect(client, name)
        a.setsockopt(listener, SOL_SOCKET, SO_PASSCRED, 1)
        accepted, _ = a.accept(listener)
        log.call(f"{name}: set after connect", a.getsockopt, accepted, SOL_SOCKET, SO_PASSCRED)


@case(privileged=True, marks=PROGRAMS)
def end_of_file_has_flags(world: World, log: Log) -> None:
    """If the caller passes MSG_CMSG_CLOEXEC, recvmsg() returns this flag in msg_flags even at end of file."""
    a = world.programs().start()
    for name, kind in KINDS.items():
        one, _ = a.socketpair(AF_UNIX, kind)
        a.setsockopt(one, SOL_SOCKET, SO_RCVTIMEO, bytes(8) + (4000).to_bytes(8, "little"))
        a.shutdown(one, SHUT_RD)
        for flags in (0, MSG_CMSG_CLOEXEC, MSG_DONTWAIT):
            log.call(f"{name} {flags:#x}", a.recvmsg, one, 10, 100, flags)


@case(privileged=True, marks=PROGRAMS)
def owners_of_sockets(world: World, log: Log) -> None:
    """fstat() shows the user that called socket(), socketpair() or accept()."""
    programs = world.programs()
    root, user = programs.start(), programs.start(1000, 100)
    listener, sock = root.socket(AF_UNIX, SOCK_STREAM), user.socket(AF_UNIX, SOCK_STREAM)
    root.bind(listener, b"\0name")
    root.listen(listener, 1)
    log.call("connect", user.connect, sock, b"\0name")
    accepted, _ = root.accept(listener)
    for name, program, fd in (
        ("listener", root, listener),
        ("sock", user, sock),
        ("accepted", root, accepted),
    ):
        log.call(name, program.fstat, fd)


@case(privileged=True, marks=PROGRAMS)
def an_error_behind_the_data(world: World, log: Log) -> None:
    """With MSG_WAITALL, a receive of more bytes than are queued clears the socket's ECONNRESET, even if it is
    non-blocking.
    """
    a = world.programs().start()
    for flags in (0, MSG_WAITALL, MSG_WAITALL | MSG_DONTWAIT, MSG_DONTWAIT):
        one, other = a.socketpair(AF_UNIX, SOCK_STREAM)
        a.send(other, b"unread")
        a.send(one, b"data")
        a.close(one)
        log.call(f"recv {flags:#x}", a.recv, other, 100, flags)
        log.call("again", a.recv, other, 100, MSG_DONTWAIT)
        a.close(other)
