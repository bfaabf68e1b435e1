"""Events and options of sockets and epoll files: exclusive and one-shot items, nesting, timeouts, SIGIO."""

from __future__ import annotations

import os
import struct
from itertools import pairwise, product

from simkernel.uapi import eventpoll as ep
from simkernel.uapi import socket as so
from simkernel.uapi.fcntl import F_SETFL, F_SETOWN
from simkernel.uapi.poll import POLLIN, POLLOUT
from simkernel.uapi.signal import SIGIO, SIGKILL
from tests.conformance.case import case
from tests.conformance.log import Log
from tests.conformance.programs.interface import RECORD, Program
from tests.conformance.world import World

PROGRAMS = ("programs",)
ANY = 0x7FFF
IN, OUT = ep.EPOLLIN, ep.EPOLLOUT
EXCLUSIVE = ep.EPOLLEXCLUSIVE
LONG = 10_000


# -- epoll ------------------------------------------------------------------------------------------


@case(privileged=True, marks=PROGRAMS)
def events_of_an_epoll_item(world: World, log: Log) -> None:
    """With EPOLLET, epoll_wait() returns an event only once. After epoll_wait() has returned an event of an
    item with EPOLLONESHOT, the item is disabled until EPOLL_CTL_MOD. An item that is not disabled always
    watches EPOLLERR and EPOLLHUP.
    """
    a = world.programs().start()
    for flags in (0, ep.EPOLLET, ep.EPOLLONESHOT, ep.EPOLLET | ep.EPOLLONESHOT, EXCLUSIVE):
        for events in (0, IN, OUT, IN | OUT, ep.EPOLLHUP, ep.EPOLLRDHUP, ep.EPOLLPRI):
            one, other = a.socketpair(so.AF_UNIX, so.SOCK_STREAM)
            epoll = a.epoll_create()
            log.call(f"add {flags | events:#x}", a.epoll_ctl, epoll, ep.EPOLL_CTL_ADD, one, flags | events)
            log.call("first", a.epoll_wait, epoll, 4, 0)
            a.send(other, b"x")
            for call in ("received", "again"):
                log.call(call, a.epoll_wait, epoll, 4, 0)
            log.call("modify", a.epoll_ctl, epoll, ep.EPOLL_CTL_MOD, one, flags & ~EXCLUSIVE | events)
            log.call("modified", a.epoll_wait, epoll, 4, 0)
            a.shutdown(other, so.SHUT_WR)
            log.call("shut down", a.epoll_wait, epoll, 4, 0)
            a.close(other)
            for call in ("closed", "again"):
                log.call(call, a.epoll_wait, epoll, 4, 0)
            log.call("poll", a.poll, [(epoll, ANY)], 0)
            a.close(one)
            log.call("no file", a.epoll_wait, epoll, 4, 0)
            a.close(epoll)


@case(privileged=True, marks=PROGRAMS)
def events_that_an_exclusive_item_accepts(world: World, log: Log) -> None:
    """epoll_ctl() refuses EPOLLEXCLUSIVE together with some event bits, for a target that is an epoll file,
    and in EPOLL_CTL_MOD.
    """
    a = world.programs().start()
    read, write = a.pipe()
    epoll, inner = a.epoll_create(), a.epoll_create()
    for bit in (0, *(1 << number for number in range(28)), ep.EPOLLONESHOT, ep.EPOLLET, ep.EPOLLWAKEUP):
        for operation in (ep.EPOLL_CTL_ADD, ep.EPOLL_CTL_MOD, ep.EPOLL_CTL_DEL):
            log.call(f"{operation} {bit:#x}", a.epoll_ctl, epoll, operation, read, EXCLUSIVE | bit)
    log.call("an epoll file", a.epoll_ctl, epoll, ep.EPOLL_CTL_ADD, inner, EXCLUSIVE | IN)
    a.epoll_ctl(epoll, ep.EPOLL_CTL_ADD, write, IN)
    log.call("modify to exclusive", a.epoll_ctl, epoll, ep.EPOLL_CTL_MOD, write, EXCLUSIVE | IN)
    log.call("an unknown operation", a.epoll_ctl, epoll, 4, write, IN)
    log.call("add twice", a.epoll_ctl, epoll, ep.EPOLL_CTL_ADD, write, IN)
    log.call("modify an unknown one", a.epoll_ctl, epoll, ep.EPOLL_CTL_MOD, read, IN)
    log.call("delete an unknown one", a.epoll_ctl, epoll, ep.EPOLL_CTL_DEL, read, IN)
    log.call("itself", a.epoll_ctl, epoll, ep.EPOLL_CTL_ADD, epoll, IN)
    log.call("a folder", a.epoll_ctl, epoll, ep.EPOLL_CTL_ADD, a.open(".", os.O_RDONLY), IN)
    log.call("no epoll file", a.epoll_ctl, write, ep.EPOLL_CTL_ADD, read, IN)
    for count in (0, -1, 1 << 31):
        log.call(f"wait for {count} events", a.epoll_wait, epoll, count, 0)


@case(privileged=True, marks=PROGRAMS)
def exclusive_items_that_an_event_wakes(world: World, log: Log) -> None:
    """An event wakes all ordinary epoll waiters that watch it, but only one of the waiters with
    EPOLLEXCLUSIVE.
    """
    programs = world.programs()
    a = programs.start()
    for watched in ((IN, IN, IN), (OUT, IN, IN), (IN | OUT, IN | OUT, IN), (OUT, OUT, IN | OUT)):
        for exclusive in ((1, 1, 1), (0, 1, 1), (1, 0, 1)):
            one, other = a.socketpair(so.AF_UNIX, so.SOCK_STREAM)
            a.setsockopt(one, so.SOL_SOCKET, so.SO_SNDBUF, 4608)
            while a.poll([(one, POLLOUT)], 0):
                a.send(one, bytes(1000), so.MSG_DONTWAIT)
            children, waits = [], []
            for events, flag in zip(watched, exclusive, strict=True):
                child = a.fork()
                epoll = child.epoll_create()
                child.epoll_ctl(epoll, ep.EPOLL_CTL_ADD, one, events | EXCLUSIVE * flag | ep.EPOLLET)
                waits.append(child.begin("epoll_wait", epoll, 4, LONG))
                children.append(child)
            for event in ("read", "send"):
                if event == "read":
                    while a.poll([(other, POLLIN)], 0):
                        a.recv(other, 100_000)
                else:
                    a.send(other, b"x")
                programs.settle()
                label = f"{watched} {exclusive}: {event}"
                log(label, [waiting.done() for waiting in waits])
            a.shutdown(other, so.SHUT_RDWR)
            a.close(other)
            for child, waiting in zip(children, waits, strict=True):
                log.call("woken", waiting.result) if waiting.done() else None
                a.kill(child.pid, SIGKILL)
                a.wait()
            a.close(one)


def chain(program: Program, length: int) -> list[int]:
    """Return epoll files, each of which watches the one before it."""
    files = [program.epoll_create() for _ in range(length)]
    for inner, outer in pairwise(files):
        program.epoll_ctl(outer, ep.EPOLL_CTL_ADD, inner, IN)
    return files


@case(privileged=True, marks=PROGRAMS)
def nested_epoll_files(world: World, log: Log) -> None:
    """At most four epoll files can be nested below another, and no cycle is allowed."""
    a = world.programs().start()
    read, write = a.pipe()
    for below, above in product(range(1, 7), range(1, 4)):
        if below + above > 7:
            continue
        lower, upper = chain(a, min(below, 5)), chain(a, above)
        log.call(f"{below} below {above}", a.epoll_ctl, upper[0], ep.EPOLL_CTL_ADD, lower[-1], IN)
        log.call("a file at the bottom", a.epoll_ctl, lower[0], ep.EPOLL_CTL_ADD, read, IN)
        a.write(write, b"x")
        log.call("poll", a.poll, [(upper[-1], ANY), (lower[-1], ANY)], 0)
        log.call("wait", a.epoll_wait, upper[-1], 4, 0)
        log.call("a cycle", a.epoll_ctl, lower[0], ep.EPOLL_CTL_ADD, upper[-1], IN)
        a.read(read, 1)
        log.call("empty", a.poll, [(upper[-1], ANY)], 0)
        for fd in (*lower, *upper):
            a.close(fd)


# -- pipes with names --------------------------------------------------------------------------------


@case(privileged=True, marks=PROGRAMS)
def polls_of_a_named_pipe(world: World, log: Log) -> None:
    """When the last writer closes a named pipe, poll() reports POLLHUP to each reader that has the pipe open.
    A reader that opens the pipe later gets POLLHUP only after another writer has opened and closed it.
    """
    a = world.programs().start()
    a.mkfifo("p")
    reader = a.open("p", os.O_RDONLY | os.O_NONBLOCK)
    for step in ("first", "second"):
        log.call(f"{step}: before", a.poll, [(reader, ANY)], 0)
        log.call("read", a.read, reader, 1)
        writer = a.open("p", os.O_WRONLY | os.O_NONBLOCK)
        log.call("open", a.poll, [(reader, ANY), (writer, ANY)], 0)
        late = a.open("p", os.O_RDONLY | os.O_NONBLOCK)
        both = a.open("p", os.O_RDWR)
        log.call("more", a.poll, [(late, ANY), (both, ANY)], 0)
        a.close(both)
        a.close(writer)
        log.call("closed", a.poll, [(reader, ANY), (late, ANY)], 0)
        a.close(late)
        late = a.open("p", os.O_RDONLY | os.O_NONBLOCK)
        log.call("late", a.poll, [(late, ANY)], 0)
        a.close(late)
    a.close(reader)
    log.call("no reader", a.open, "p", os.O_WRONLY | os.O_NONBLOCK)


# -- SIGIO -----------------------------------------------------------------------------------------------


@case(privileged=True, marks=PROGRAMS)
def signals_of_a_socket(world: World, log: Log) -> None:
    """A unix socket with O_ASYNC sends SIGIO when data arrives. SOCK_STREAM and SOCK_SEQPACKET sockets also
    send SIGIO when the peer closes or shuts down its sending side.
    """
    a = world.programs().start()
    a.signal(SIGIO, RECORD)
    for kind in (so.SOCK_STREAM, so.SOCK_DGRAM, so.SOCK_SEQPACKET):
        for how in (so.SHUT_RD, so.SHUT_WR, so.SHUT_RDWR, -1):
            one, other = a.socketpair(so.AF_UNIX, kind)
            for fd in (one, other):
                a.fcntl(fd, F_SETOWN, a.pid)
            a.fcntl(one, F_SETFL, os.O_ASYNC)
            a.send(other, b"x")
            log(f"{kind} {how}: data", a.caught())
            a.send(one, b"x")
            a.recv(other, 1)
            log("space", a.caught())
            if how >= 0:
                a.shutdown(other, how)
                log("peer shut down", a.caught())
                a.shutdown(one, how)
                log("shut down", a.caught())
            a.close(other)
            log("peer closed", a.caught())
            log.call("poll", a.poll, [(one, ANY)], 0)
            a.close(one)


# -- options ---------------------------------------------------------------------------------------------

SECONDS = (0, 1, -1, 5, (1 << 63) // 250 - 3, (1 << 63) // 250 - 2, (1 << 63) // 250 - 1, (1 << 63) - 1)
MICROS = (0, 1, 3_999, 4_000, 4_001, 999_999, 1_000_000, -1)


@case(privileged=True, marks=PROGRAMS)
def values_of_timeouts(world: World, log: Log) -> None:
    """The kernel rounds the values of SO_RCVTIMEO and SO_SNDTIMEO up to ticks of 4 ms."""
    a = world.programs().start()
    fd = a.socket(so.AF_UNIX, so.SOCK_STREAM)
    for option in (so.SO_RCVTIMEO, so.SO_SNDTIMEO):
        for seconds, micros in product(SECONDS, MICROS):
            raw = struct.pack("<qq", seconds, micros)
            log.call(f"{option} {seconds} {micros}", a.setsockopt, fd, so.SOL_SOCKET, option, raw)
            log.call("value", a.getsockopt, fd, so.SOL_SOCKET, option, 16)
        for length in (0, 8, 15, 17):
            log.call(f"{length} bytes", a.setsockopt, fd, so.SOL_SOCKET, option, bytes(length))
            log.call("value", a.getsockopt, fd, so.SOL_SOCKET, option, length)


NUMBERS = {
    "SO_RCVLOWAT": so.SO_RCVLOWAT, "SO_PRIORITY": so.SO_PRIORITY, "SO_BUSY_POLL": so.SO_BUSY_POLL,
    "SO_BUSY_POLL_BUDGET": so.SO_BUSY_POLL_BUDGET, "SO_SNDBUF": so.SO_SNDBUF, "SO_RCVBUF": so.SO_RCVBUF,
    "SO_SNDBUFFORCE": so.SO_SNDBUFFORCE, "SO_RCVBUFFORCE": so.SO_RCVBUFFORCE, "SO_BUF_LOCK": so.SO_BUF_LOCK,
    "SO_KEEPALIVE": so.SO_KEEPALIVE, "SO_LOCK_FILTER": so.SO_LOCK_FILTER, "SO_REUSEPORT": so.SO_REUSEPORT,
    "SO_RESERVE_MEM": so.SO_RESERVE_MEM, "SO_TXREHASH": so.SO_TXREHASH, "SO_MARK": so.SO_MARK,
    "SO_INCOMING_CPU": so.SO_INCOMING_CPU, "SO_ZEROCOPY": so.SO_ZEROCOPY,
}  # fmt: skip
VALUES = (0, 1, 2, 4, 6, 7, -1, 256, 65535, 65536, (1 << 22) + 1, 1 << 30, (1 << 31) - 1)
RESULTS = {"SO_SNDBUFFORCE": so.SO_SNDBUF, "SO_RCVBUFFORCE": so.SO_RCVBUF}


@case(privileged=True, marks=PROGRAMS)
def values_of_options(world: World, log: Log) -> None:
    """Many integer socket options accept values only up to a limit, and some options need a capability."""
    programs = world.programs()
    root, user = programs.start(), programs.start(1000, 100)
    for family in (so.AF_UNIX, so.AF_NETLINK):
        for name, option in NUMBERS.items():
            for who, a in (("user", user), ("root", root)):
                if who == "user" and family == so.AF_NETLINK:
                    continue
                fd = a.socket(family, so.SOCK_DGRAM)
                for value in VALUES:
                    label = f"{who} {family} {name} = {value}"
                    log.call(label, a.setsockopt, fd, so.SOL_SOCKET, option, value)
                    log.call("value", a.getsockopt, fd, so.SOL_SOCKET, RESULTS.get(name, option))
                a.close(fd)


@case(privileged=True, marks=PROGRAMS)
def values_of_linger_and_pacing(world: World, log: Log) -> None:
    """setsockopt() and getsockopt() of SO_LINGER and SO_MAX_PACING_RATE, with values of many lengths."""
    a = world.programs().start()
    fd = a.socket(so.AF_UNIX, so.SOCK_STREAM)
    for on, seconds in product((0, 1, -1), (0, 1, 5, -1, -5, (1 << 31) - 1)):
        raw = struct.pack("<ii", on, seconds)
        log.call(f"linger {on} {seconds}", a.setsockopt, fd, so.SOL_SOCKET, so.SO_LINGER, raw)
        log.call("value", a.getsockopt, fd, so.SOL_SOCKET, so.SO_LINGER, 8)
    for length in (4, 7, 8, 9):
        log.call(f"linger of {length} bytes", a.setsockopt, fd, so.SOL_SOCKET, so.SO_LINGER, bytes(length))
    option = so.SO_MAX_PACING_RATE
    for raw in (
        bytes(3), struct.pack("<i", -1), struct.pack("<i", -2), struct.pack("<I", 5),
        *(struct.pack("<Q", rate) for rate in (1 << 32, (1 << 32) - 1, (1 << 64) - 1)), bytes(9),
    ):  # fmt: skip
        log.call(f"pacing {raw.hex()}", a.setsockopt, fd, so.SOL_SOCKET, option, raw)
        for length in (3, 4, 7, 8, 16):
            log.call(f"value of {length}", a.getsockopt, fd, so.SOL_SOCKET, option, length)


@case(privileged=True, marks=PROGRAMS)
def control_messages_in_any_order(world: World, log: Log) -> None:
    """sendmsg() skips control messages of levels other than SOL_SOCKET, and sends the files of all SCM_RIGHTS
    messages. An unknown type at SOL_SOCKET fails with EINVAL.
    """
    a = world.programs().start()
    other_level, unknown = (6, 1, bytes(4)), (so.SOL_SOCKET, 77, bytes(4))
    fds = lambda *numbers: (so.SOL_SOCKET, so.SCM_RIGHTS, struct.pack(f"{len(numbers)}i", *numbers))  # noqa: E731
    for kind in (so.SOCK_STREAM, so.SOCK_DGRAM):
        one, other = a.socketpair(so.AF_UNIX, kind)
        for items in (
            [other_level, fds(0)], [fds(0), other_level, fds(1, 2)], [fds(0), unknown], [unknown],
            [fds(0), fds(99)], [fds(*[0] * 200), fds(*[0] * 53)], [fds(*[0] * 200), fds(*[0] * 54)],
        ):  # fmt: skip
            log.call(f"send {len(items)}", a.sendmsg, one, [b"x"], items)
            made = log.call("receive", a.recvmsg, other, 1, 2000, so.MSG_DONTWAIT)
            for fd in (fd for _, _, numbers in (made[2] if made else ()) for fd in numbers):
                a.close(fd)
