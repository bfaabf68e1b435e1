"""Calls on descriptors, as plain data, on this host's kernel and on the simulated one.

Nothing ever waits: all files are O_NONBLOCK.  Each new file is moved to a descriptor of its own (`BASE`
and up), so that the numbers are the same in both worlds; a call names a file by when it was made.
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import select
import socket
from collections.abc import Callable
from typing import Any

from simkernel import Machine
from simkernel.uapi.errno import error_name

BASE = 300
FIONREAD, SIOCOUTQ = 0x541B, 0x5411
F_SETPIPE_SZ, F_GETPIPE_SZ = 1031, 1032
NAMES = [b"\0simkernel-test-%d-%d" % (os.getpid(), number) for number in range(3)]
QUEUE = "/proc/sys/net/unix/max_dgram_qlen"


class Host:
    """The real kernel, through Python's own modules."""

    def __init__(self) -> None:
        self.read, self.write, self.pread, self.lseek = os.read, os.write, os.pread, os.lseek
        self.close, self.dup, self.fcntl, self.ioctl = os.close, os.dup, fcntl.fcntl, fcntl.ioctl
        self.pipe2, self.eventfd, self.select = os.pipe2, os.eventfd, select.select

    def sock(self, fd: int) -> Any:
        made = socket.socket(fileno=os.dup(fd))
        made.setblocking(False)
        return made

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
        pass


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

    def sock(self, fd: int) -> Any:
        made = self.it.socket(fileno=self.it.dup(fd))
        made.setblocking(False)
        return made

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


class World:
    """Runs calls and notes what they come to."""

    def __init__(self, kernel: Any) -> None:
        self.kernel = kernel
        self.made = 0

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
        return self._sock(place, lambda sock: sock.bind(NAMES[name]))

    def connect(self, place: int, name: int) -> Any:
        return self._sock(place, lambda sock: sock.connect(NAMES[name]))

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
        return self._sock(place, lambda sock: sock.sendto(data * times, NAMES[name]))

    def send_file(self, place: int, other: int, data: bytes) -> Any:
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [self.fd(other)]))]
        return self._sock(place, lambda sock: sock.sendmsg([data], control))

    def receive(self, place: int, size: int, flags: int) -> Any:
        return self._sock(place, lambda sock: sock.recvfrom(size, flags))

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
                    results.append(list(result) if isinstance(result, tuple) else result)
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
