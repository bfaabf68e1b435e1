"""Calls on descriptors, as plain data, on this host's kernel and on the simulated one.

Nothing ever waits: all files are O_NONBLOCK.  Each new file is moved to a descriptor of its own (`BASE`
and up), so that the numbers are the same in both worlds; a call names a file by when it was made.
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import re
import select
import socket
import tempfile
from collections.abc import Callable
from typing import Any

from simkernel import Machine
from simkernel.uapi.errno import error_name

BASE = 300
FIONREAD, SIOCOUTQ = 0x541B, 0x5411
F_SETPIPE_SZ, F_GETPIPE_SZ = 1031, 1032
PATHS = ["one", "two", "one/more", "nobody/here", "one/"]
PIPES = ["pipe", "other", "one"]
QUEUE = "/proc/sys/net/unix/max_dgram_qlen"


def _socket(make: Callable[..., Any], fd: int, close: Callable[[int], None]) -> Any:
    """A socket object for a descriptor, which it closes; OSError if it is no socket's."""
    try:
        made = make(fileno=fd)
    except OSError:
        close(fd)
        raise
    made.setblocking(False)
    return made


class Host:
    """The real kernel, through Python's own modules."""

    def __init__(self) -> None:
        self.read, self.write, self.pread, self.lseek = os.read, os.write, os.pread, os.lseek
        self.close, self.dup, self.fcntl, self.ioctl = os.close, os.dup, fcntl.fcntl, fcntl.ioctl
        self.pipe2, self.eventfd, self.select = os.pipe2, os.eventfd, select.select
        self.open, self.mkfifo, self.unlink, self.fstat = os.open, os.mkfifo, os.unlink, os.fstat
        self._before = os.getcwd()
        self._folder = tempfile.TemporaryDirectory()
        os.chdir(self._folder.name)

    def sock(self, fd: int) -> Any:
        return _socket(socket.socket, os.dup(fd), os.close)

    def socket(self, kind: int) -> int:
        return socket.socket(socket.AF_UNIX, kind | socket.SOCK_NONBLOCK).detach()

    def socketpair(self, kind: int) -> list[int]:
        return [each.detach() for each in socket.socketpair(socket.AF_UNIX, kind | socket.SOCK_NONBLOCK)]

    def epoll(self) -> int:
        with select.epoll() as epoll:
            return os.dup(epoll.fileno())

    def watcher(self, fd: int) -> Any:
        return select.epoll.fromfd(os.dup(fd))

    def poll(self, pairs: list[tuple[int, int]]) -> Any:
        poller = select.poll()
        for fd, events in pairs:
            poller.register(fd, events)
        return poller.poll(0)

    def done(self) -> None:
        os.chdir(self._before)
        self._folder.cleanup()


class Simulated:
    """The simulated kernel, through the blocking calls."""

    def __init__(self) -> None:
        self.machine = Machine(udev=False, unmodelled="raise")
        if os.path.exists(QUEUE):
            with open(QUEUE) as file:
                self.machine.kernel.unix.max_dgram_qlen = int(file.read())
        self.it = it = self.machine.blocking()
        self.read, self.write, self.pread, self.lseek = it.read, it.write, it.pread, it.lseek
        self.close, self.dup, self.fcntl, self.ioctl = it.close, it.dup, it.fcntl, it.ioctl
        self.pipe2, self.eventfd, self.select = it.pipe2, it.eventfd, it.select
        self.open, self.mkfifo, self.unlink, self.fstat = it.open, it.mkfifo, it.unlink, it.fstat
        it.chdir("/tmp")

    def sock(self, fd: int) -> Any:
        return _socket(self.it.socket, self.it.dup(fd), self.it.close)

    def socket(self, kind: int) -> int:
        return self.it.socket(socket.AF_UNIX, kind | socket.SOCK_NONBLOCK).detach()

    def socketpair(self, kind: int) -> list[int]:
        return [each.detach() for each in self.it.socketpair(socket.AF_UNIX, kind | socket.SOCK_NONBLOCK)]

    def epoll(self) -> int:
        with self.it.epoll() as epoll:
            return self.it.dup(epoll)

    def watcher(self, fd: int) -> Any:
        epoll = self.it.epoll()
        self.it.dup2(fd, epoll.fileno())
        return epoll

    def poll(self, pairs: list[tuple[int, int]]) -> Any:
        return self.it.poll(pairs, 0)

    def done(self) -> None:
        self.machine.close()


def _without_chance(result: Any) -> Any:
    """A result, in which an abstract name that a kernel chose is just that."""
    if isinstance(result, (list, tuple)):
        return [_without_chance(each) for each in result]
    if isinstance(result, bytes) and re.fullmatch(rb"\0[0-9a-f]{5}", result):
        return "a name"
    return result


class World:
    """Runs calls and notes what they come to.

    `run` tells the abstract names of one story from those of others: what travels in a circle keeps its
    name until a collector of garbage comes by.
    """

    def __init__(self, kernel: Any, run: int) -> None:
        self.kernel = kernel
        self.made = 0
        self.addresses = [b"\0simkernel-test-%d-%d-%d" % (os.getpid(), run, each) for each in range(3)]
        self.addresses += PATHS

    def fd(self, place: int) -> int:
        return BASE + place % max(self.made, 1)

    def keep(self, *fds: int) -> list[int]:
        kept = []
        for fd in fds:
            kept.append(self.kernel.fcntl(fd, fcntl.F_DUPFD, BASE + self.made))
            self.kernel.close(fd)
            self.made += 1
        return kept

    # -- the calls ------------------------------------------------------------------

    def pipe(self, flags: int) -> Any:
        return self.keep(*self.kernel.pipe2(flags | os.O_NONBLOCK))

    def eventfd(self, value: int, semaphore: bool) -> Any:
        return self.keep(self.kernel.eventfd(value, os.EFD_NONBLOCK | semaphore))

    def epoll(self) -> Any:
        return self.keep(self.kernel.epoll())

    def pair(self, kind: int) -> Any:
        return self.keep(*self.kernel.socketpair(kind))

    def socket(self, kind: int) -> Any:
        return self.keep(self.kernel.socket(kind))

    def fifo(self, name: int) -> Any:
        self.kernel.mkfifo(PIPES[name])

    def open(self, name: int, access: int) -> Any:
        return self.keep(self.kernel.open(PIPES[name], access | os.O_NONBLOCK))

    def unlink(self, name: str) -> Any:
        self.kernel.unlink(name)

    def mode(self, place: int) -> Any:
        return oct(self.kernel.fstat(self.fd(place)).st_mode)

    def close(self, place: int) -> Any:
        self.kernel.close(self.fd(place))

    def dup(self, place: int) -> Any:
        return self.keep(self.kernel.dup(self.fd(place)))

    def read(self, place: int, size: int) -> Any:
        return self.kernel.read(self.fd(place), size)

    def write(self, place: int, data: bytes, times: int) -> Any:
        return self.kernel.write(self.fd(place), data * times)

    def pread(self, place: int) -> Any:
        return self.kernel.pread(self.fd(place), 8, 0)

    def lseek(self, place: int) -> Any:
        return self.kernel.lseek(self.fd(place), 3, 0)

    def flags(self, place: int) -> Any:
        return self.kernel.fcntl(self.fd(place), fcntl.F_GETFL) & ~0o100000

    def pipe_size(self, place: int, size: int) -> Any:
        return [
            self.kernel.fcntl(self.fd(place), F_SETPIPE_SZ, size),
            self.kernel.fcntl(self.fd(place), F_GETPIPE_SZ),
        ]

    def queued(self, place: int, request: int) -> Any:
        buffer = bytearray(4)
        return [self.kernel.ioctl(self.fd(place), request, buffer), bytes(buffer)]

    def poll(self, places: list[int], events: int) -> Any:
        return self.kernel.poll([(fd, events) for fd in sorted({self.fd(place) for place in places})])

    def select(self, places: list[int]) -> Any:
        fds = sorted({self.fd(place) for place in places})
        return self.kernel.select(fds, fds, fds, 0)

    def watch(self, place: int, other: int, events: int) -> Any:
        return self._watcher(place, lambda epoll: epoll.register(self.fd(other), events))

    def change(self, place: int, other: int, events: int) -> Any:
        return self._watcher(place, lambda epoll: epoll.modify(self.fd(other), events))

    def forget(self, place: int, other: int) -> Any:
        return self._watcher(place, lambda epoll: epoll.unregister(self.fd(other)))

    def harvest(self, place: int, room: int) -> Any:
        return self._watcher(place, lambda epoll: epoll.poll(0, room))

    def _watcher(self, place: int, act: Callable[[Any], Any]) -> Any:
        fd = self.fd(place)
        self.kernel.close(self.kernel.dup(fd))  # EBADF here already
        epoll = self.kernel.watcher(fd)
        try:
            return act(epoll)
        finally:
            epoll.close()

    # -- sockets --------------------------------------------------------------------

    def _sock(self, place: int, act: Callable[[Any], Any]) -> Any:
        sock = self.kernel.sock(self.fd(place))
        try:
            return act(sock)
        finally:
            sock.close()

    def bind(self, place: int, name: int) -> Any:
        return self._sock(place, lambda sock: sock.bind(self.addresses[name]))

    def connect(self, place: int, name: int) -> Any:
        return self._sock(place, lambda sock: sock.connect(self.addresses[name]))

    def listen(self, place: int, backlog: int) -> Any:
        return self._sock(place, lambda sock: sock.listen(backlog))

    def accept(self, place: int) -> Any:
        def act(sock: Any) -> Any:
            made, address = sock.accept()
            made.setblocking(False)
            return [self.keep(made.detach()), address]

        return self._sock(place, act)

    def shutdown(self, place: int, how: int) -> Any:
        return self._sock(place, lambda sock: sock.shutdown(how))

    def names(self, place: int) -> Any:
        return self._sock(place, lambda sock: [sock.getsockname(), sock.getpeername()])

    def option(self, place: int, option: int, size: int) -> Any:
        def act(sock: Any) -> Any:
            value = sock.getsockopt(socket.SOL_SOCKET, option, size)
            return value if option != socket.SO_PEERCRED else bool(value[:4] == bytes(4))

        return self._sock(place, act)

    def set_option(self, place: int, option: int, value: int) -> Any:
        return self._sock(place, lambda sock: sock.setsockopt(socket.SOL_SOCKET, option, value))

    def send(self, place: int, data: bytes, times: int, flags: int) -> Any:
        return self._sock(place, lambda sock: sock.send(data * times, flags))

    def send_to(self, place: int, data: bytes, times: int, name: int) -> Any:
        return self._sock(place, lambda sock: sock.sendto(data * times, self.addresses[name]))

    def send_file(self, place: int, other: int, data: bytes) -> Any:
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [self.fd(other)]))]
        return self._sock(place, lambda sock: sock.sendmsg([data], control))

    def receive(self, place: int, size: int, flags: int) -> Any:
        def act(sock: Any) -> Any:
            data, address = sock.recvfrom(size, flags)
            return [data[:size], len(data), address]  # what lies behind with MSG_TRUNC is anything

        return self._sock(place, act)

    def receive_file(self, place: int, size: int, room: int, flags: int) -> Any:
        def act(sock: Any) -> Any:
            data, control, told, address = sock.recvmsg(size, room, flags)
            seen = []
            for level, kind, payload in control:
                if kind == socket.SCM_RIGHTS:
                    seen.append([level, kind, self.keep(*array.array("i", payload))])
                else:
                    seen.append([level, kind, len(payload)])
            return [data, seen, told, address]

        return self._sock(place, act)

    def run(self, calls: list[tuple[Any, ...]]) -> list[Any]:
        results: list[Any] = []
        try:
            for name, *rest in calls:
                try:
                    result = getattr(self, name)(*rest)
                    results.append(_without_chance(result))
                except OSError as error:
                    results.append(error_name(error.errno or 0))
            return results
        finally:
            for fd in range(BASE, BASE + self.made):
                try:
                    self.kernel.close(fd)
                except OSError as error:
                    if error.errno != errno.EBADF:
                        raise
            self.kernel.done()
