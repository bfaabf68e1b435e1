"""A world that runs conformance cases on the host's kernel. Each case gets a new network namespace. Needs
Linux and root.

A world changes the calling process for good: its network namespace and, without `privileged`, its user and
capabilities. Therefore the runner forks first.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import select
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from simkernel.uapi.filter import SockFilter
from simkernel.uapi.netlink import NETLINK_ROUTE, NLM_F_ACK, NLM_F_REQUEST, attribute, message
from simkernel.uapi.rtnetlink import RTM_NEWNSID
from simkernel.uapi.sched import CLONE_NEWNET
from simkernel.uapi.socket import AF_NETLINK, SO_ATTACH_FILTER, SOCK_RAW, SOL_SOCKET
from simkernel.uapi.structure import S32, U32
from tests.conformance.privilege import become_nobody, libc_call, pretend_nobody, return_to_root
from tests.conformance.programs.real import RealPrograms
from tests.conformance.real_process import start
from tests.conformance.world import Instruction, Process

NETNSA_NSID, NETNSA_FD = 1, 3
UEVENT = Path("/sys/devices/virtual/mem/null/uevent")


def enter_new_namespace() -> int:
    """Move this process to a new network namespace and return a file descriptor of it."""
    libc_call("unshare", CLONE_NEWNET)
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class RealWorld:
    """The host's kernel, with a network namespace given by a file descriptor."""

    _entered = -1

    def __init__(self, privileged: bool, namespace: int) -> None:
        self.privileged = privileged
        self._namespace = namespace
        RealWorld._entered = namespace

    @property
    def namespace_fd(self) -> int:
        """File descriptor of the network namespace."""
        return self._namespace

    def _enter(self) -> None:
        if RealWorld._entered != self._namespace:
            libc_call("setns", self._namespace, CLONE_NEWNET)
            RealWorld._entered = self._namespace

    def socket(self, family: int = AF_NETLINK, type: int = SOCK_RAW, proto: int = 0) -> Any:
        """Create a socket in the namespace, like `socket.socket(family, type, proto)`."""
        self._enter()
        return socket.socket(family, type, proto)

    def poll(self, sock: Any, mask: int) -> int:
        """Return the pending events of poll(2) on `sock`, without blocking."""
        poller = select.poll()
        poller.register(sock.fileno(), mask)
        return next((events for _, events in poller.poll(0)), 0)

    def raw_call(self, sock: Any, call: str, sockaddr: bytes) -> None:
        """Call "bind" or "connect" with raw bytes as the socket address, without checks by Python."""
        libc_call(call, sock.fileno(), sockaddr, len(sockaddr))

    def attach_filter(self, sock: Any, program: Sequence[Instruction]) -> None:
        """Attach a classic BPF program to the socket (SO_ATTACH_FILTER)."""
        code = ctypes.create_string_buffer(b"".join(SockFilter.LAYOUT.pack(*each) for each in program))
        fprog = struct.pack("@HP", len(program), ctypes.addressof(code))
        sock.setsockopt(SOL_SOCKET, SO_ATTACH_FILTER, fprog)

    def dup(self, sock: Any) -> Any:
        """Duplicate the socket's descriptor, like `socket.socket.dup`."""
        return sock.dup()

    def process(self, *, privileged: bool) -> Process:
        """Start another process in the same namespace, with every capability or none."""
        self._enter()
        return start(lambda: self._in_child(privileged))

    def _in_child(self, privileged: bool) -> RealWorld:
        if not privileged:
            become_nobody()
        return RealWorld(privileged, self._namespace)

    def namespace(self) -> RealWorld:
        """Move this process to another new network namespace and return a world for it."""
        return RealWorld(self.privileged, enter_new_namespace())

    def set_nsid(self, other: RealWorld, nsid: int) -> None:
        """Assign the id `nsid` to the namespace of `other`. This world's namespace stores the id
        (RTM_NEWNSID).
        """
        attributes = attribute(NETNSA_NSID, S32.pack(nsid)) + attribute(NETNSA_FD, U32.pack(other._namespace))
        request = message(RTM_NEWNSID, bytes(4) + attributes, flags=NLM_F_REQUEST | NLM_F_ACK)
        with self.socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) as sock:
            sock.send(request)
            (number,) = S32.unpack_from(sock.recv(4096), 16)
        if number:
            raise OSError(-number, os.strerror(-number))

    def become(self, *, privileged: bool) -> None:
        """Give up every capability, or regain all of them."""
        if privileged != self.privileged:
            (return_to_root if privileged else pretend_nobody)()
            self.privileged = privileged

    def uevent(self) -> None:
        """Make the kernel emit a `change` uevent for /dev/null."""
        UEVENT.write_text("change")

    def wait(self, seconds: float) -> None:
        """Sleep for some seconds."""
        time.sleep(seconds)

    def read_file(self, path: str) -> bytes:
        """Return the contents of a file, as a process in this namespace reads it."""
        self._enter()
        return Path(path).read_bytes()

    def write_file(self, path: str, data: bytes) -> None:
        """Write a file, such as a sysctl of this namespace."""
        self._enter()
        Path(path).write_bytes(data)

    def listdir(self, path: str) -> list[str]:
        """List a directory in this namespace, like `os.listdir`."""
        self._enter()
        return os.listdir(path)

    def programs(self) -> RealPrograms:
        """Return the programs of the world: processes in separate namespaces of the host."""
        return RealPrograms()

    def ioctl(self, sock: Any, request: int, argument: bytes | int) -> Any:
        """Make an ioctl request, like `fcntl.ioctl`."""
        return fcntl.ioctl(sock, request, argument)


@contextlib.contextmanager
def real(*, privileged: bool = True) -> Iterator[RealWorld]:
    """Yield a world for the host's kernel. It has a new network namespace, which belongs to this process's
    user namespace.
    """
    try:
        namespace = enter_new_namespace()
    except OSError as error:
        raise PermissionError(
            "cases on the host's kernel need root, because each case gets a new network namespace"
        ) from error
    if not privileged:
        become_nobody()
    yield RealWorld(privileged, namespace)
