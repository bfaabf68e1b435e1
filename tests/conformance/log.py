"""What a case saw: its observations, made so that two runs can be compared with `==`.

An observation is a [label, value] pair; the value is made of what JSON has.  Errors are values: they
read `errno:EPERM`.  Bytes read `hex:...`.  Nothing is left out or rounded off, save that port ids which
the kernel chose are shown as `<portid:A>`, `<portid:B>` ... in the order in which the case announced
them with `Log.auto`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simkernel.uapi import errno
from simkernel.uapi.socket import MSG_DONTWAIT
from simkernel.uapi.structure import S32
from tests.conformance import wire
from tests.conformance.world import Address, Socket

PLENTY = 65536
"""A receive buffer that nothing in the suite fills."""


def error_name(error: OSError) -> str:
    """`errno:ENAME`; a timeout which Python itself made reads `timeout`."""
    if error.errno is None:
        return "timeout" if isinstance(error, TimeoutError) else f"OSError without errno: {error}"
    return "errno:" + errno.error_name(error.errno)


class Log:
    """The observations of one run of a case."""

    def __init__(self) -> None:
        self.observations: list[list[Any]] = []
        self._portids: dict[int, str] = {}
        self.mask: Callable[[bytes], bytes] = lambda data: data
        """Sets what a kernel chooses freely in a datagram to a fixed value, before it is recorded."""

    def __call__(self, label: str, value: Any) -> None:
        """Record one observation."""
        self.observations.append([label, self._plain(value)])

    def _plain(self, value: Any) -> Any:
        match value:
            case None | bool() | str():
                return value
            case int():
                return int(value)  # IntEnum and IntFlag too
            case bytes() | bytearray() | memoryview():
                return "hex:" + bytes(value).hex()
            case OSError():
                return error_name(value)
            case list() | tuple():
                return [self._plain(item) for item in value]
        raise TypeError(f"a case logged a {type(value).__name__}")

    # -- port ids -----------------------------------------------------------

    def auto(self, sock: Socket) -> int:
        """Say that the kernel chose the port id of `sock`; returns it."""
        portid = sock.getsockname()[0]
        if portid and portid not in self._portids:
            self._portids[portid] = f"<portid:{chr(ord('A') + len(self._portids))}>"
        return portid

    def _portid(self, portid: int) -> str:
        return self._portids.get(portid, str(portid))

    def _address(self, address: Any) -> Any:
        if isinstance(address, tuple) and len(address) == 2:
            return f"portid={self._portid(address[0])} groups={address[1]:#x}"
        return self._plain(address)

    def address(self, label: str, address: Address) -> None:
        """Record an address, its port id by symbol where the kernel chose it."""
        self(label, self._address(address))

    # -- calls --------------------------------------------------------------

    def call(self, label: str, function: Callable[..., Any], *args: Any) -> Any:
        """Call, and record the result or the error; returns the result, None after an error."""
        try:
            result = function(*args)
        except OSError as error:
            self(label, error)
            return None
        self(label, "ok" if result is None else result)
        return result

    def name(self, label: str, sock: Socket) -> None:
        """Record getsockname()."""
        self.address(label, sock.getsockname())

    def peer(self, label: str, sock: Socket) -> None:
        """Record getpeername()."""
        try:
            self.address(label, sock.getpeername())
        except OSError as error:
            self(label, error)

    # -- receiving ----------------------------------------------------------

    def recv(self, label: str, sock: Socket, size: int = PLENTY, flags: int = MSG_DONTWAIT) -> bytes | None:
        """recv(), bytes verbatim."""
        data: bytes | None = self.call(label, sock.recv, size, flags)
        return data

    def recvfrom(
        self, label: str, sock: Socket, size: int = PLENTY, flags: int = MSG_DONTWAIT
    ) -> bytes | None:
        """recvfrom(), bytes verbatim, and the sender."""
        try:
            data, sender = sock.recvfrom(size, flags)
        except OSError as error:
            self(label, error)
            return None
        self(label, [data, self._address(sender)])
        return data

    def recvmsg(
        self, label: str, sock: Socket, size: int = PLENTY, anc: int = 0, flags: int = MSG_DONTWAIT
    ) -> bytes | None:
        """recvmsg(): bytes verbatim, control messages, msg_flags and the sender."""
        try:
            data, ancillary, msg_flags, sender = sock.recvmsg(size, anc, flags)
        except OSError as error:
            self(label, error)
            return None
        cmsgs = [f"level={level} type={type} data={value.hex()}" for level, type, value in ancillary]
        self(label, [data, cmsgs, f"flags={int(msg_flags):#x}", self._address(sender)])
        return data

    def messages(self, data: bytes) -> list[str]:
        """One line per netlink message, the port id in its header by symbol; loses no byte."""
        return [self._line(header, payload) for header, payload in wire.split(self.mask(data))]

    def _line(self, header: wire.Header | None, payload: bytes) -> str:
        if header is None:
            return f"junk={payload.hex()}"
        length, type, flags, seq, pid = header
        what = ""
        if type in (wire.ERROR, wire.DONE) and len(payload) >= S32.size:
            (number,) = S32.unpack_from(payload)
            name = errno.error_name(-number) if number < 0 else str(number)
            what = f"({'ERROR' if type == wire.ERROR else 'DONE'} {name})"
        return (
            f"len={length} type={type}{what} flags={flags:#06x} seq={seq} pid={self._portid(pid)} "
            f"payload={payload.hex()}"
        )

    def reply(self, label: str, sock: Socket, size: int = PLENTY) -> bytes | None:
        """One datagram, shown as netlink messages, and its sender."""
        try:
            data, sender = sock.recvfrom(size, MSG_DONTWAIT)
        except OSError as error:
            self(label, error)
            return None
        self(label, [*self.messages(data), self._address(sender)])
        return data

    def replies(self, label: str, sock: Socket, size: int = PLENTY, limit: int = 64) -> list[bytes]:
        """Datagrams until an error (which is recorded too), each shown as netlink messages."""
        shown: list[Any] = []
        got: list[bytes] = []
        while len(got) < limit:
            try:
                data = sock.recv(size, MSG_DONTWAIT)
            except OSError as error:
                shown.append(error_name(error))
                break
            got.append(data)
            shown.append(self.messages(data))
        self(label, shown)
        return got

    def ask(self, label: str, sock: Socket, request: bytes) -> list[bytes]:
        """Send to the kernel; record the result and every reply."""
        self.call(label, sock.sendto, request, (0, 0))
        self.auto(sock)
        return self.replies(label + " ->", sock)
