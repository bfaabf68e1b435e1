"""Code of the host processes that run the programs of a case: process 1 of their namespaces, and the main
loop of each program.

A program reads requests, `[(call, arguments)]`, from a socket with a high descriptor number, which no case
uses. It makes the calls, counts them in memory that it shares with the case, and sends back their
outcomes.
"""

from __future__ import annotations

import array
import fcntl
import gc
import mmap
import os
import pickle
import signal
import socket
import stat
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from simkernel.uapi.capability import CAP_SYS_RESOURCE
from simkernel.uapi.resource import RLIMIT_NOFILE
from simkernel.uapi.sched import CLONE_NEWNET
from tests.conformance.privilege import drop_capability, libc_call
from tests.conformance.programs.calls import CALLS, Request, run
from tests.conformance.programs.host import HOST
from tests.conformance.programs.interface import COMM, DEVICES, FOLDER, LIMITS, MNT, PROC, RECORD

CHANNEL: Final = 500
"""Descriptor number of the socket through which a program receives its calls and returns the results."""
CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWPID = 0x20000, 0x8000000, 0x20000000
MS_REC_PRIVATE: Final = 0x44000
PR_SET_DUMPABLE: Final = 4
MNT_DETACH: Final = 2
MOUNT_SETATTR, AT_RECURSIVE = 442, 0x8000
READ_ONLY: Final = struct.pack("=QQQQ", 1, 0, 0, 0)
"""A struct mount_attr that sets MOUNT_ATTR_RDONLY."""
SIZE: Final = struct.Struct("=I")
COUNTER: Final = struct.Struct("=I")
COUNTERS: Final = 4096
"""Size in bytes of an array of counters that all programs share. Each program stores in its counter how many
calls of its current batch have ended.
"""
PATIENCE: Final = 0.05
"""Maximum time in seconds to wait until the kernel has freed the pid of an exited process."""


def perform(request: Request) -> Any:
    """Execute a system call on the host."""
    return HOST[request.name](*request.arguments)


class Channel:
    """Message transport over a socket. A message can carry one file descriptor."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._data = b""

    def send(self, message: object, fd: int | None = None) -> None:
        """Send a message, optionally with a file descriptor."""
        data = pickle.dumps(message)
        data = SIZE.pack(len(data)) + data
        control = [] if fd is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
        self.sock.sendmsg([data[:1]], control)
        self.sock.sendall(data[1:])

    def receive(self, flags: int = 0) -> tuple[Any, int | None]:
        """Receive a message. Return the message and its descriptor. The descriptor is None if the message
        carries none.

        Raise EOFError at the end of the stream, and BlockingIOError with MSG_DONTWAIT if the message is
        incomplete.
        """
        fd: int | None = None
        while len(self._data) < SIZE.size or len(self._data) < SIZE.size + SIZE.unpack_from(self._data)[0]:
            data, control, _, _ = self.sock.recvmsg(1 << 20, socket.CMSG_SPACE(4), flags)
            if not data:
                raise EOFError
            for _, _, payload in control:
                (fd,) = array.array("i", payload)
            self._data += data
        end = SIZE.size + SIZE.unpack_from(self._data)[0]
        message, self._data = pickle.loads(self._data[SIZE.size : end]), self._data[end:]
        return message, fd


class Server:
    """Main loop of a program: it makes the calls that the case requests."""

    def __init__(self, channel: Channel, counters: Any, place: int) -> None:
        self._channel = channel
        self._counters = counters
        self._place = place
        self._caught: list[int] = []
        self._special: dict[str, Callable[..., Any]] = {
            "signal": self._signal,
            "caught": self._take_caught,
            "end": os._exit,
        }

    def _record(self, number: int, frame: Any) -> None:
        self._caught.append(number)

    def _signal(self, number: int, handler: int | str) -> int | str:
        try:
            old = signal.signal(number, self._record if handler == RECORD else signal.Handlers(handler))
        except ValueError:
            raise OSError(22, "no such signal") from None
        return RECORD if callable(old) and not isinstance(old, signal.Handlers) else int(old or 0)

    def _take_caught(self) -> list[int]:
        caught, self._caught = self._caught, []
        return caught

    def serve(self) -> None:
        """Make calls until the case ends."""
        while True:
            batch, fd = self._channel.receive()
            self._count(0)
            outcomes: list[tuple[int, Any]] = []
            for number, (name, arguments) in enumerate(batch, 1):
                try:
                    if name == "fork":
                        outcomes.append((0, self._fork(fd, *arguments)))
                    elif (special := self._special.get(name)) is not None:
                        outcomes.append((0, special(*arguments)))
                    else:
                        outcomes.append((0, run(CALLS[name](*arguments), perform)))
                except OSError as error:
                    outcomes.append((error.errno or 0, None))
                self._count(number)
            self._channel.send(outcomes)

    def _count(self, number: int) -> None:
        COUNTER.pack_into(self._counters, self._place * COUNTER.size, number)

    def _fork(self, fd: int | None, place: int) -> int:
        assert fd is not None
        if pid := os.fork():
            os.close(fd)
            return pid
        self._channel.sock.close()
        self._channel, self._place = Channel(_at_channel(fd)), place
        self._caught.clear()
        self.serve()
        return 0


def _at_channel(fd: int) -> socket.socket:
    """Move a socket's descriptor to number CHANNEL. Return a socket object for it."""
    if fd != CHANNEL:
        os.dup2(fd, CHANNEL, inheritable=False)
        os.close(fd)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, CHANNEL)
    sock.setblocking(True)
    return sock


def _begin(
    fd: int, null: int, counters: Any, place: int, uid: int, gid: int, groups: list[int], root: str
) -> None:
    """Set up a new process as a program: descriptors, signals, limits and user. Then make the calls that the
    case requests.
    """
    sock = _at_channel(fd)
    for standard in range(3):
        os.dup2(null, standard)
    os.closerange(3, CHANNEL)
    os.closerange(CHANNEL + 1, 2 * CHANNEL)
    for number in (signal.SIGCHLD, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    HOST["prlimit"](RLIMIT_NOFILE, LIMITS)
    os.umask(0o022)
    os.chdir(FOLDER)
    os.chroot(root)
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if not uid:
        drop_capability(CAP_SYS_RESOURCE)
    libc_call("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0)
    HOST["prctl_comm"](COMM)
    Server(Channel(sock), counters, place).serve()


class Init:
    """Process 1 of the namespaces. It starts programs. It ignores SIGCHLD, so that the kernel reaps them."""

    def __init__(self, channel: Channel, counters: Any) -> None:
        self._channel = channel
        self._counters = counters
        self._null = -1
        self._owned = os.open("/dev/null", os.O_RDONLY)
        self._mount()

    def _mount(self) -> None:
        """Mount the programs' tmpfs, and open its null device, which becomes the programs' standard input,
        output and error.
        """
        mount_folder()
        self._null = os.open(f"{MNT}/null", os.O_RDWR)

    def serve(self) -> None:
        """Serve the requests of the case until it ends."""
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        with suppress(EOFError):
            self._serve()

    def _serve(self) -> None:
        while True:
            (what, arguments), fd = self._channel.receive()
            try:
                self._channel.send((0, getattr(self, what)(fd, *arguments)))
            except OSError as error:
                self._channel.send((error.errno or 0, str(error)))

    def start(self, fd: int, *arguments: Any) -> int:
        """Start a program and return its pid."""
        if not (pid := os.fork()):
            try:
                self._channel.sock.close()
                _begin(fd, self._null, self._counters, *arguments)
            finally:
                os._exit(0)
        os.close(fd)
        return pid

    def wait_for_end_of(self, fd: None, pid: int) -> None:
        """Wait until a pid is free. The kernel frees a pid only after it has removed the entry in /proc
        (release_task()).

        A pid stays allocated while its session or process group has members.
        """
        deadline = time.monotonic() + PATIENCE
        with suppress(ProcessLookupError):
            while time.monotonic() < deadline:
                fcntl.fcntl(self._owned, fcntl.F_SETOWN, pid)
                time.sleep(0.0001)

    def reset(self, fd: None) -> None:
        """Kill all programs, and replace their tmpfs with a new one whose working directory is empty."""
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(-1, 0)  # waitpid() returns after all children have exited, because SIGCHLD is ignored.
        os.close(self._null)
        libc_call("umount2", MNT.encode(), MNT_DETACH)
        self._mount()


def mount_folder() -> None:
    """Mount a tmpfs that contains the programs' directory, and the files that programs need if the tmpfs is
    their root.
    """
    libc_call("mount", b"tmpfs", MNT.encode(), b"tmpfs", 0, b"mode=0755")
    os.mkdir(FOLDER)
    os.chmod(FOLDER, 0o777)
    os.mkdir(PROC)
    libc_call("mount", b"proc", PROC.encode(), b"proc", 0, None)
    for name, minor in DEVICES.items():
        os.mknod(f"{MNT}/{name}", stat.S_IFCHR | 0o666, os.makedev(1, minor))
        os.chmod(f"{MNT}/{name}", 0o666)


def init(fd: int, shared: int) -> None:
    """Create namespaces and a child that is their process 1. The child serves requests until the socket `fd`
    is closed.
    """
    channel = Channel(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fd))
    counters = mmap.mmap(shared, COUNTERS)
    libc_call("unshare", CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC)
    if pid := os.fork():
        channel.send(pid)
        channel.sock.close()
        os.waitpid(pid, 0)
        return
    libc_call("mount", b"none", b"/", None, MS_REC_PRIVATE, None)
    # A program that runs as root must not change files of the host.
    libc_call("syscall", MOUNT_SETATTR, -1, b"/", AT_RECURSIVE, READ_ONLY, len(READ_ONLY))
    libc_call("mount", b"proc", b"/proc", b"proc", 0, None)
    os.chdir("/")
    os.umask(0)
    gc.freeze()
    Init(channel, counters).serve()


if __name__ == "__main__":
    init(*map(int, sys.argv[1:]))
