"""The log of a case: its observations, in a form that can be compared with `==`.

An observation is a [label, value] pair, and the value consists of JSON types. An error is recorded as
`errno:EPERM`, bytes as `hex:...`. The log omits nothing. Port ids that the kernel chose are shown as
`<portid:A>`, `<portid:B>` ... in the order of the calls of `Log.auto`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simkernel.uapi import errno
from simkernel.uapi.socket import MSG_DONTWAIT
from simkernel.uapi.structure import S32
from tests.conformance import wire
from tests.conformance.world import Address, Socket

BUFFER_SIZE = 65536
"""Size of a receive buffer that is larger than every message of the suite."""


def error_name(error: OSError) -> str:
    """Return `errno:NAME`, or `timeout` for a TimeoutError that Python raised without an errno."""
    if error.errno is None:
        return "timeout" if isinstance(error, TimeoutError) else f"OSError without errno: {error}"
    return "errno:" + errno.error_name(error.errno)


class Log:
    """The observations of one run of a case."""

    def __init__(self) -> None:
        self.observations: list[list[Any]] = []
        self._portids: dict[int, str] = {}
        self.mask: Callable[[bytes], bytes] = lambda data: data
        """Function that sets to 0 the fields of a datagram that the kernel can choose freely. The log calls
        it before it records a datagram.
        """

    def __call__(self, label: str, value: Any) -> None:
        """Record one observation."""
        self.observations.append([label, self._plain(value)])

    def _plain(self, value: Any) -> Any:
        match value:
            case None | bool() | str():
                return value
            case int():
                return int(value)  # int() also converts IntEnum and IntFlag.
            case bytes() | bytearray() | memoryview():
                return "hex:" + bytes(value).hex()
            case OSError():
                return error_name(value)
            case list() | tuple():
                return [self._plain(item) for item in value]
        raise TypeError(f"a case can log JSON values, bytes and OSErrors, not {type(value).__name__}")

    # -- port ids -----------------------------------------------------------

    def auto(self, sock: Socket) -> int:
        """Return the port id of `sock`, which the kernel chose. From now on, the log shows a symbol in place
        of this number.
        """
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
        """Record an address. A port id that the kernel chose is shown as a symbol."""
        self(label, self._address(address))

    # -- calls --------------------------------------------------------------

    def call(self, label: str, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function and record its result or its OSError. Return the result, or None after an error."""
        try:
            result = function(*args)
        except OSError as error:
            self(label, error)
            return None
        self(label, "ok" if result is None else result)
        return result

    def name(self, label: str, sock: Socket) -> None:
        """Record the result of getsockname()."""
        self.address(label, sock.getsockname())

    def peer(self, label: str, sock: Socket) -> None:
        """Record the result of getpeername(), or its error."""
        try:
            self.address(label, sock.getpeername())
        except OSError as error:
            self(label, error)

    # -- receiving ----------------------------------------------------------

    def recv(
        self, label: str, sock: Socket, size: int = BUFFER_SIZE, flags: int = MSG_DONTWAIT
    ) -> bytes | None:
        """Call recv() and record the bytes."""
        data: bytes | None = self.call(label, sock.recv, size, flags)
        return data

    def recvfrom(
        self, label: str, sock: Socket, size: int = BUFFER_SIZE, flags: int = MSG_DONTWAIT
    ) -> bytes | None:
        """Call recvfrom() and record the bytes and the sender."""
        try:
            data, sender = sock.recvfrom(size, flags)
        except OSError as error:
            self(label, error)
            return None
        self(label, [data, self._address(sender)])
        return data

    def recvmsg(
        self, label: str, sock: Socket, size: int = BUFFER_SIZE, anc: int = 0, flags: int = MSG_DONTWAIT
    ) -> bytes | None:
        """Call recvmsg() and record the bytes, the control messages, msg_flags and the sender."""
        try:
            data, ancillary, msg_flags, sender = sock.recvmsg(size, anc, flags)
        except OSError as error:
            self(label, error)
            return None
        cmsgs = [f"level={level} type={type} data={value.hex()}" for level, type, value in ancillary]
        self(label, [data, cmsgs, f"flags={int(msg_flags):#x}", self._address(sender)])
        return data

    def messages(self, data: bytes) -> list[str]:
        """Return one line for each netlink message of a datagram, with all its contents. Port ids that the
        kernel chose are shown as symbols.
        """
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

    def reply(self, label: str, sock: Socket, size: int = BUFFER_SIZE) -> bytes | None:
        """Receive one datagram and record its netlink messages and its sender."""
        try:
            data, sender = sock.recvfrom(size, MSG_DONTWAIT)
        except OSError as error:
            self(label, error)
            return None
        self(label, [*self.messages(data), self._address(sender)])
        return data

    def replies(self, label: str, sock: Socket, size: int = BUFFER_SIZE, limit: int = 64) -> list[bytes]:
        """Receive datagrams until an error, and record their netlink messages and the error."""
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
        """Send a request to the kernel and record the result and all replies."""
        self.call(label, sock.sendto, request, (0, 0))
        self.auto(sock)
        return self.replies(label + " ->", sock)
