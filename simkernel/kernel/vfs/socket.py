"""What a socket is to the system calls: an object with non-blocking operations.

A send that cannot go on raises `WouldBlock`, and one that a driver answers only after sleeping returns
an awaitable; a receive that finds nothing returns None.  An address is (port id, groups mask), or the
bytes of a whole sockaddr.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol

from simkernel.kernel.sched.wait import WaitQueue
from simkernel.kernel.vfs.file import FileObject

if TYPE_CHECKING:
    from simkernel.kernel.vfs.file import OpenFile
    from simkernel.kernel.vfs.task import Task

Address = tuple[int, int] | bytes
Control = Sequence[tuple[int, int, bytes]]
NO_CONTROL: Control = ()


Received = tuple[bytes, int, Control, int, Address]
"""What recvmsg(2) gives: data, the call's result, control messages, MSG_ flags, and who sent it.

The result is the data's length, with MSG_TRUNC that of the whole datagram.  A plain tuple, since one with
names takes five to nine times as long to make.
"""


class SocketObject(FileObject, Protocol):
    """A socket: non-blocking operations and what to wait on."""

    family: ClassVar[int]

    rcvtimeo: int | None
    sndtimeo: int | None

    @property
    def title(self) -> str: ...
    @property
    def readers(self) -> WaitQueue: ...
    @property
    def receivers(self) -> WaitQueue: ...
    def bind(self, task: Task, address: Address) -> None: ...
    def connect(self, task: Task, address: Address) -> None: ...
    def getsockname(self) -> Address: ...
    def getpeername(self) -> Address: ...
    def sendmsg(
        self, task: Task, data: bytes, address: Address | None, control: Control, flags: int
    ) -> int | Awaitable[int]: ...
    def recvmsg(self, task: Task, size: int, control_size: int, flags: int) -> Received | None: ...
    def setsockopt(self, task: Task, level: int, option: int, value: bytes) -> None: ...
    def getsockopt(self, task: Task, level: int, option: int, length: int) -> bytes: ...
    def opened(self, file: OpenFile) -> None: ...
    def listen(self, task: Task, backlog: int) -> None: ...
    def accept(self, task: Task) -> SocketObject | None: ...
    def shutdown(self, task: Task, how: int) -> None: ...
