"""A look-alike of `socket.socket` for ordinary code."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from simkernel.application.socket import Address, Ancillary, Buffer, Socket
from simkernel.kernel.file.table import FileTable
from simkernel.testing.descriptor import RealDescriptor

T = TypeVar("T")


class BlockingSocket:
    """A look-alike of `socket.socket`: the same methods, arguments, results and exceptions."""

    def __init__(self, run: Callable[[Awaitable[Any]], Any], files: FileTable, sock: Socket) -> None:
        self._drive = run
        self._files = files
        self._sock = sock
        self._real: RealDescriptor | None = None

    def __repr__(self) -> str:
        return repr(self._sock)

    def __enter__(self) -> BlockingSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def family(self) -> int:
        """AF_ number."""
        return self._sock.family

    @property
    def type(self) -> int:
        """SOCK_ number."""
        return self._sock.type

    @property
    def proto(self) -> int:
        """NETLINK_ number."""
        return self._sock.proto

    @property
    def descriptor(self) -> int:
        """The descriptor inside the machine; -1 once closed."""
        return self._sock.fileno()

    def fileno(self) -> int:
        """A real descriptor for real clients to poll, made when it is first asked for; -1 once closed."""
        if self._real is None:
            if self.descriptor < 0:
                return -1
            self._real = RealDescriptor(self._files.get(self.descriptor).object)
        return self._real.fileno()

    def _run(self, awaitable: Awaitable[T]) -> T:
        try:
            return self._drive(awaitable)  # type: ignore[no-any-return]
        finally:
            if self._real is not None:
                self._real.update()

    def bind(self, address: Address, /) -> None:
        """As `socket.bind`."""
        self._run(self._sock.bind(address))

    def connect(self, address: Address, /) -> None:
        """As `socket.connect`."""
        self._run(self._sock.connect(address))

    def getsockname(self) -> Address:
        """As `socket.getsockname`."""
        return self._run(self._sock.getsockname())

    def getpeername(self) -> Address:
        """As `socket.getpeername`."""
        return self._run(self._sock.getpeername())

    def send(self, data: Buffer, flags: int = 0, /) -> int:
        """As `socket.send`."""
        return self._run(self._sock.send(data, flags))

    def sendto(self, data: Buffer, /, *args: Any) -> int:
        """As `socket.sendto`."""
        return self._run(self._sock.sendto(data, *args))

    def sendmsg(
        self,
        buffers: Iterable[Buffer],
        ancdata: Iterable[tuple[int, int, Buffer]] = (),
        flags: int = 0,
        address: Address | None = None,
        /,
    ) -> int:
        """As `socket.sendmsg`."""
        return self._run(self._sock.sendmsg(buffers, ancdata, flags, address))

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """As `socket.recv`."""
        return self._run(self._sock.recv(bufsize, flags))

    def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Address]:
        """As `socket.recvfrom`."""
        return self._run(self._sock.recvfrom(bufsize, flags))

    def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[bytes, list[Ancillary], int, Address]:
        """As `socket.recvmsg`."""
        return self._run(self._sock.recvmsg(bufsize, ancbufsize, flags))

    def recv_into(self, buffer: bytearray | memoryview, nbytes: int = 0, flags: int = 0, /) -> int:
        """As `socket.recv_into`."""
        return self.recvfrom_into(buffer, nbytes, flags)[0]

    def recvfrom_into(
        self, buffer: bytearray | memoryview, nbytes: int = 0, flags: int = 0, /
    ) -> tuple[int, Address]:
        """As `socket.recvfrom_into`."""
        view = memoryview(buffer).cast("B")
        data, sender = self.recvfrom(nbytes or len(view), flags)
        view[: len(data)] = data
        return len(data), sender

    def setsockopt(self, level: int, option: int, value: int | Buffer, /) -> None:
        """As `socket.setsockopt`."""
        self._run(self._sock.setsockopt(level, option, value))

    def getsockopt(self, level: int, option: int, buflen: int = 0, /) -> Any:
        """As `socket.getsockopt`."""
        return self._run(self._sock.getsockopt(level, option, buflen))

    def setblocking(self, flag: bool, /) -> None:
        """As `socket.setblocking`."""
        self._run(self._sock.setblocking(flag))

    def settimeout(self, seconds: float | None, /) -> None:
        """As `socket.settimeout`, in simulated seconds."""
        self._run(self._sock.settimeout(seconds))

    def gettimeout(self) -> float | None:
        """As `socket.gettimeout`."""
        return self._sock.gettimeout()

    def getblocking(self) -> bool:
        """As `socket.getblocking`."""
        return self._sock.getblocking()

    def close(self) -> None:
        """As `socket.close`: harmless when it is closed."""
        real, self._real = self._real, None
        if real is not None:
            real.close()
        self._run(self._sock.close())

    def detach(self) -> int:
        """As `socket.detach`: the descriptor inside the machine."""
        real, self._real = self._real, None
        if real is not None:
            real.close()
        return self._sock.detach()
