"""What a socket is to the system calls: an object with non-blocking operations.

A send that cannot go on raises `WouldBlock`, and one that a driver answers only after sleeping returns
an awaitable; a receive that finds nothing returns None.  An address is (port id, groups mask), or the
bytes of a whole sockaddr.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Protocol

from simkernel.kernel.file.file import FileObject
from simkernel.kernel.task.wait import WaitQueue

if TYPE_CHECKING:
    from simkernel.kernel.task.task import Task

Address = tuple[int, int] | bytes
Control = Sequence[tuple[int, int, bytes]]
NO_CONTROL: Control = ()


class Received(Protocol):
    """What recvmsg gives: data, control messages, MSG_ flags, the sender, and the real length."""

    @property
    def data(self) -> bytes: ...
    @property
    def length(self) -> int: ...
    @property
    def control(self) -> Control: ...
    @property
    def flags(self) -> int: ...
    @property
    def address(self) -> tuple[int, int]: ...


class SocketObject(FileObject, Protocol):
    """A socket: non-blocking operations and what to wait on."""

    @property
    def rcvtimeo(self) -> int | None: ...
    @property
    def sndtimeo(self) -> int | None: ...
    @property
    def readers(self) -> WaitQueue: ...
    def bind(self, task: Task, address: Address) -> None: ...
    def connect(self, task: Task, address: Address) -> None: ...
    def getsockname(self) -> tuple[int, int]: ...
    def getpeername(self) -> tuple[int, int]: ...
    def sendmsg(
        self, task: Task, data: bytes, address: Address | None, control: Control, flags: int
    ) -> int | Awaitable[int]: ...
    def recvmsg(self, task: Task, size: int, control_size: int, flags: int) -> Received | None: ...
    def setsockopt(self, task: Task, level: int, option: int, value: bytes) -> None: ...
    def getsockopt(self, task: Task, level: int, option: int, length: int) -> bytes: ...
