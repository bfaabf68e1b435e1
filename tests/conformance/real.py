"""The real kernel as a world: a new network namespace for each case.  Wants Linux and root.

It changes the calling process for good (its network namespace and, when not `privileged`, its user and
capabilities), so the runner forks first.
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
    """Leave the network namespace for a new one; a descriptor that stands for it."""
    libc_call("unshare", CLONE_NEWNET)
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class RealWorld:
    """The kernel this process runs on, in the network namespace behind a descriptor."""

    _entered = -1

    def __init__(self, privileged: bool, namespace: int) -> None:
        self.privileged = privileged
        self._namespace = namespace
        RealWorld._entered = namespace

    @property
    def namespace_fd(self) -> int:
        """The descriptor that stands for the namespace."""
        return self._namespace

    def _enter(self) -> None:
        if RealWorld._entered != self._namespace:
            libc_call("setns", self._namespace, CLONE_NEWNET)
            RealWorld._entered = self._namespace

    def socket(self, family: int = AF_NETLINK, type: int = SOCK_RAW, proto: int = 0) -> Any:
        """As `socket.socket(family, type, proto)`."""
        self._enter()
        return socket.socket(family, type, proto)

    def poll(self, sock: Any, mask: int) -> int:
        """The events of poll(2) pending on `sock` now, without waiting."""
        poller = select.poll()
        poller.register(sock.fileno(), mask)
        return next((events for _, events in poller.poll(0)), 0)

    def raw_call(self, sock: Any, call: str, sockaddr: bytes) -> None:
        """Call "bind" or "connect" with these very bytes as the sockaddr, its length being theirs."""
        libc_call(call, sock.fileno(), sockaddr, len(sockaddr))

    def attach_filter(self, sock: Any, program: Sequence[Instruction]) -> None:
        """setsockopt(SOL_SOCKET, SO_ATTACH_FILTER) with this program."""
        code = ctypes.create_string_buffer(b"".join(SockFilter.LAYOUT.pack(*each) for each in program))
        fprog = struct.pack("@HP", len(program), ctypes.addressof(code))
        sock.setsockopt(SOL_SOCKET, SO_ATTACH_FILTER, fprog)

    def dup(self, sock: Any) -> Any:
        """As `socket.socket.dup`."""
        return sock.dup()

    def process(self, *, privileged: bool) -> Process:
        """Another process in the same namespace, with every capability or none."""
        self._enter()
        return start(lambda: self._in_child(privileged))

    def _in_child(self, privileged: bool) -> RealWorld:
        if not privileged:
            become_nobody()
        return RealWorld(privileged, self._namespace)

    def namespace(self) -> RealWorld:
        """The same process in another network namespace."""
        return RealWorld(self.privileged, enter_new_namespace())

    def set_nsid(self, other: RealWorld, nsid: int) -> None:
        """Let `nsid` be what the namespace of `other` is called in this one."""
        attributes = attribute(NETNSA_NSID, S32.pack(nsid)) + attribute(NETNSA_FD, U32.pack(other._namespace))
        request = message(RTM_NEWNSID, bytes(4) + attributes, flags=NLM_F_REQUEST | NLM_F_ACK)
        with self.socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) as sock:
            sock.send(request)
            (number,) = S32.unpack_from(sock.recv(4096), 16)
        if number:
            raise OSError(-number, os.strerror(-number))

    def become(self, *, privileged: bool) -> None:
        """Give up every capability, or have them again."""
        if privileged != self.privileged:
            (return_to_root if privileged else pretend_nobody)()
            self.privileged = privileged

    def uevent(self) -> None:
        """Have the kernel tell of a device: /dev/null, which has not changed."""
        UEVENT.write_text("change")

    def wait(self, seconds: float) -> None:
        """Sleep."""
        time.sleep(seconds)

    def read_file(self, path: str) -> bytes:
        """All that a file says, to a process in this namespace."""
        self._enter()
        return Path(path).read_bytes()

    def write_file(self, path: str, data: bytes) -> None:
        """Write a file, such as a setting of this namespace."""
        self._enter()
        Path(path).write_bytes(data)

    def listdir(self, path: str) -> list[str]:
        """As `os.listdir`, in this namespace."""
        self._enter()
        return os.listdir(path)

    def programs(self) -> RealPrograms:
        """Processes in namespaces of their own."""
        return RealPrograms()

    def ioctl(self, sock: Any, request: int, argument: bytes | int) -> Any:
        """As `fcntl.ioctl`."""
        return fcntl.ioctl(sock, request, argument)


@contextlib.contextmanager
def real(*, privileged: bool = True) -> Iterator[RealWorld]:
    """The real kernel, in a new network namespace owned by the initial user namespace."""
    try:
        namespace = enter_new_namespace()
    except OSError as error:
        raise PermissionError(
            "the real world needs root: it makes a network namespace for each case"
        ) from error
    if not privileged:
        become_nobody()
    yield RealWorld(privileged, namespace)
