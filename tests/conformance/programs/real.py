"""Programs on the host: processes in separate namespaces that a case controls through sockets.

A program is blocked in its call if /proc/PID/stat shows that it sleeps and it has sent no reply. A wakeup
changes this state before the system call that causes it returns.
"""

from __future__ import annotations

import mmap
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from tests.conformance.programs.child import COUNTER, COUNTERS, Channel, init
from tests.conformance.programs.interface import BlockedForever, Program, named

PAUSE: Final = 1
"""Milliseconds between two checks of the processes' states."""
PATIENCE: Final = 5.0
"""Maximum seconds to wait for the result of a call, or until all programs are idle or blocked."""
BUFFER: Final = 8 << 20
SO_SNDBUFFORCE: Final = 32
ROOT: Final = Path(__file__).resolve().parents[3]


class RealPending:
    """A call that a host process makes."""

    def __init__(self, program: RealProgram) -> None:
        self._program = program
        self._outcome: tuple[int, Any] | None = None

    @property
    def finished(self) -> bool:
        """True if the outcome has arrived."""
        return self._outcome is not None

    def finish(self, outcome: tuple[int, Any]) -> None:
        """Store the outcome of the call."""
        self._outcome = outcome

    def done(self) -> bool:
        """Return True if the call or its program has ended."""
        self._program.programs.settle()
        return self._outcome is not None or self._program.ended

    def result(self) -> Any:
        """Wait for the outcome. Return the result or raise the error."""
        program = self._program
        deadline = time.monotonic() + PATIENCE
        while self._outcome is None and not program.ended:
            if not program.wait_for_answer(0.05) and time.monotonic() > deadline:
                raise BlockedForever(f"the call of program {program.name} has not ended after {PATIENCE:g} s")
        if self._outcome is None:
            raise ProcessLookupError(3, f"program {program.name} has ended")
        number, value = self._outcome
        if number:
            raise OSError(number, os.strerror(number))
        return named(value, program.programs.names)


class RealProgram(Program):
    """A process of the host that makes calls for a case."""

    def __init__(self, programs: RealPrograms, name: str, pid: int, place: int, channel: Channel) -> None:
        self.programs = programs
        self.name = name
        self.pid = pid
        self.ended = False
        self._zombie = False
        self._place = place
        self._channel = channel
        self._pending: list[RealPending] = []
        self._state = os.open(f"{programs.proc}/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)

    # -- requests and replies -----------------------------------------------------

    def ask(self, batch: Sequence[tuple[str, Sequence[Any]]], fd: int | None = None) -> list[RealPending]:
        """Send a batch of calls, which the program makes one after the other. Return their pending
        results.
        """
        assert not self._pending, f"program {self.name} is in a call"
        self._pending = [RealPending(self) for _ in batch]
        pending = list(self._pending)
        COUNTER.pack_into(self.programs.counters, self._place * COUNTER.size, 0)
        with suppress(BrokenPipeError, ConnectionResetError):
            self._channel.send(batch, fd)
        return pending

    @property
    def counted(self) -> int:
        """Number of calls in the program's current batch that have ended."""
        number: int = COUNTER.unpack_from(self.programs.counters, self._place * COUNTER.size)[0]
        return number

    def fileno(self) -> int:
        """Return the descriptor of the program's channel, for poll()."""
        return self._channel.sock.fileno()

    @property
    def in_call(self) -> bool:
        """True while a call of the program is pending."""
        return bool(self._pending)

    def wait_for_answer(self, seconds: float) -> bool:
        """Wait for a reply or the end of the program. Return False after a timeout."""
        self._channel.sock.settimeout(seconds)
        try:
            return self._take(0)
        finally:
            self._channel.sock.settimeout(None)

    def drain(self) -> bool:
        """Receive one reply of the program without blocking. Return True if a reply or the end of the program
        was received.
        """
        return not self.ended and self._take(socket.MSG_DONTWAIT)

    def _take(self, flags: int) -> bool:
        try:
            outcomes, _ = self._channel.receive(flags)
        except (BlockingIOError, TimeoutError):
            return False
        except (EOFError, ConnectionResetError):
            self.ended = True
            return True
        for pending, outcome in zip(self._pending, outcomes, strict=True):
            pending.finish(outcome)
        self._pending = []
        return True

    def sleeps(self) -> bool:
        """Return True if the process sleeps, is a zombie, or was reaped.

        A process that exits first closes its descriptors. It keeps its pid until process 1 reaps it.
        """
        if self._zombie:
            return True
        try:
            fields = os.pread(self._state, 256, 0).rpartition(b")")[2].split()
        except ProcessLookupError:
            self.programs.wait_for_end_of(self.pid)
            self._zombie = True
            return True
        self._zombie = fields[0] == b"Z" and fields[1] != b"1"
        return self._zombie or (fields[0] == b"S" and not self.ended)

    def forget(self) -> None:
        """Close the case's descriptors for the process: the socket to the process, and its /proc/PID/stat."""
        self._channel.sock.close()
        os.close(self._state)

    # -- Program --------------------------------------------------------------------

    def begin(self, call: str, *arguments: Any) -> RealPending:
        """Start a call that can block. Return when it has ended or blocks."""
        (pending,) = self.ask([(call, arguments)])
        self.programs.settle()
        return pending

    def fork(self) -> RealProgram:
        """Fork a child process, which inherits the descriptors."""
        ours, theirs = self.programs.pair()
        place = self.programs.new_place()
        (pending,) = self.ask([("fork", (place,))], theirs.fileno())
        theirs.close()
        return self.programs.add(pending.result(), place, ours)

    def end(self, status: int = 0) -> None:
        """End the process."""
        self.ask([("end", (status,))])
        self.programs.settle()

    def alive(self) -> bool:
        """Return True if the process has not ended."""
        self.programs.settle()
        return not self.ended

    def caught(self) -> list[int]:
        """Return the recorded signals and clear the record."""
        self.programs.settle()
        found: list[int] = self.begin("caught").result()
        return found


class RealPrograms:
    """The programs of a case on the host."""

    def __init__(self, *, small: bool = False) -> None:
        """Create namespaces. If `small` is True, a separate Python process starts the programs, because a
        process with little memory forks faster.
        """
        shared = os.memfd_create("counters")
        os.ftruncate(shared, COUNTERS)
        self.counters = mmap.mmap(shared, COUNTERS)
        self.names: dict[int, str] = {1: "init"}
        self.all: list[RealProgram] = []
        self._places = 0
        ours, theirs = self.pair()
        fds = theirs.fileno(), shared
        if small:
            command = [sys.executable, "-m", "tests.conformance.programs.child", *map(str, fds)]
            self._keeper = subprocess.Popen(command, cwd=ROOT, pass_fds=fds).pid
        elif not (keeper := os.fork()):
            try:
                ours.close()
                init(*fds)
            finally:
                os._exit(0)
        else:
            self._keeper = keeper
        theirs.close()
        os.close(shared)
        self._channel = Channel(ours)
        try:
            pid, _ = self._channel.receive()
        except EOFError:
            raise PermissionError("programs need root, because each case creates namespaces") from None
        self.proc = f"/proc/{pid}/root/proc"

    @staticmethod
    def pair() -> tuple[socket.socket, socket.socket]:
        """Return a pair of connected sockets with large send buffers."""
        one, other = socket.socketpair()
        for sock in (one, other):
            sock.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, BUFFER)
        return one, other

    def new_place(self) -> int:
        """Return a free index in the array of counters that all programs share, for a new program."""
        self._places += 1
        return self._places

    def add(self, pid: int, place: int, sock: socket.socket) -> RealProgram:
        """Create and register a `RealProgram` for a new process of the host. Return the `RealProgram`."""
        name = chr(ord("a") + len(self.all))
        self.names[pid] = name
        program = RealProgram(self, name, pid, place, Channel(sock))
        self.all.append(program)
        return program

    def _ask(self, what: str, *arguments: Any, fd: int | None = None) -> Any:
        self._channel.send((what, arguments), fd)
        (number, value), _ = self._channel.receive()
        if number:
            raise OSError(number, value)
        return value

    def start(self, uid: int = 0, gid: int = 0, groups: Sequence[int] = (), root: str = "/") -> RealProgram:
        """Start a process for a user. Return a `RealProgram`, through which the case controls the process."""
        ours, theirs = self.pair()
        place = self.new_place()
        pid = self._ask("start", place, uid, gid, list(groups), root, fd=theirs.fileno())
        theirs.close()
        return self.add(pid, place, ours)

    def wait_for_end_of(self, pid: int) -> None:
        """Wait until the pid of a reaped process is free."""
        self._ask("wait_for_end_of", pid)

    def settle(self) -> None:
        """Wait until two successive checks find each program idle or blocked in its call."""
        deadline = time.monotonic() + PATIENCE
        quiet = 0
        while quiet < 2:
            moved = False
            for program in self.all:
                asleep = program.sleeps()
                moved |= program.drain() or not asleep
            quiet = 0 if moved else quiet + 1
            if moved:
                self._pause()
            if moved and time.monotonic() > deadline:
                busy = [program.name for program in self.all if not program.sleeps()]
                raise BlockedForever(f"programs {busy} neither reply nor block within {PATIENCE:g} s")

    def _pause(self) -> None:
        """Sleep until a process replies, for at most PAUSE milliseconds, so that the processes get the
        CPU.
        """
        poller = select.poll()
        for program in self.all:
            if program.in_call and not program.ended:
                poller.register(program.fileno(), select.POLLIN)
        poller.poll(PAUSE)

    def reset(self) -> None:
        """End all programs and empty their directory, so that the next case can use the namespaces."""
        for program in self.all:
            program.forget()
        self.all.clear()
        self.names = {1: "init"}
        self._places = 0
        self._ask("reset")

    def close(self) -> None:
        """End the programs and their namespaces."""
        for program in self.all:
            program.forget()
        self._channel.sock.close()
        os.waitpid(self._keeper, 0)
