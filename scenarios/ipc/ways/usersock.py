"""NETLINK_USERSOCK: netlink between programs, with no kernel at the other end."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any, Final

from simkernel.uapi.ipc_demo import IpcDemoEvent
from simkernel.uapi.netlink import (
    NETLINK_ADD_MEMBERSHIP,
    NETLINK_USERSOCK,
    attribute,
    iterate_attributes,
    iterate_messages,
    message,
)
from simkernel.uapi.socket import (
    AF_NETLINK,
    MSG_DONTWAIT,
    SO_RCVBUF,
    SOCK_RAW,
    SOL_NETLINK,
    SOL_SOCKET,
)

from .child import ORDINARY, child
from .program import MessageExchange, Program, ProgramWay, serve_messages
from .way import WORKS, Limit, Listener, Numbers, Settings

GROUP: Final = 3
TO_GROUP: Final = (0, 1 << (GROUP - 1))
TYPE: Final = 0x10
NUMBER, TIME = 1, 2
"""Attributes of a message that tells of an event."""
ROOM: Final = 1 << 17


async def open_socket(app: Any, settings: Settings) -> Any:
    """A bound socket; a process's first has its number."""
    sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
    await sock.bind((0, 0))
    if settings.rcvbuf:
        await sock.setsockopt(SOL_SOCKET, SO_RCVBUF, settings.rcvbuf // 2)
    return sock


async def _server(app: Any, parent: int, settings: Settings) -> None:
    sock = await open_socket(app, settings)
    await sock.connect((parent, 0))
    await sock.send(b"here I am")
    await serve_messages(sock.recv, sock.send)


class UsersockListener(Listener):
    """A member of the group."""

    room = ROOM

    def __init__(self, app: Any, sock: Any) -> None:
        self.app = app
        self.sock = sock
        self.fd = sock.fileno()
        self.losses = []

    async def receive(self, room: int) -> bytes:
        """One datagram."""
        data: bytes = await self.sock.recv(room)
        return data

    def parse(self, data: bytes) -> tuple[Numbers, int]:
        """The number is an attribute."""
        numbers: Numbers = []
        for _, body in iterate_messages(data):
            numbers.append(int.from_bytes(dict(iterate_attributes(body))[NUMBER], "little"))
        return numbers, 0

    async def read_as_once(self) -> list[int]:
        """Attributes that the program has never heard of are passed over."""
        read = [self.parse(await self.sock.recv(ROOM))[0] for _ in range(2)]
        return [number for numbers in read for number in numbers if number is not None]


class UsersockSource(Program):
    """Sends to the group."""

    def __init__(self, app: Any, sock: Any, listeners: int, settings: Settings) -> None:
        super().__init__(app, listeners, settings)
        self.sock = sock

    async def tell(self, record: bytes, wait: bool) -> int:
        """One call for all.  It goes to the kernel as well, and there nobody listens: ECONNREFUSED."""
        event = IpcDemoEvent.unpack(record)
        attributes = attribute(NUMBER, event.number.to_bytes(8, "little"))
        attributes += attribute(TIME, event.time.to_bytes(8, "little"))
        with suppress(ConnectionRefusedError):
            await self.sock.sendto(message(TYPE, attributes), 0 if wait else MSG_DONTWAIT, TO_GROUP)
        return 1


class Usersock(ProgramWay):
    """Netlink with a protocol that is nobody's."""

    name = "usersock"
    about = "netlink, NETLINK_USERSOCK"
    limit = Limit(
        "The one way between programs with groups: one call for all who listen. To one port nothing is lost, "
        "as the sender waits; to a group, who is too slow loses, and learns of it. Root alone may join a "
        "group, and a whole machine shares 32 of them. Messages are no longer than the send buffer.",
        "--set job=event --set ways=usersock --set asleep=1000",
    )

    async def opened(self, app: Any) -> MessageExchange:
        """A socket, and a program with another."""
        sock = await open_socket(app, self.settings)
        pid = await app.spawn(_server, (await sock.getsockname())[0], self.settings, name="server")
        _, server = await sock.recvfrom(ROOM)
        await sock.connect(server)

        async def end() -> None:
            await app.kill(pid, 9)  # there is no end of file
            await app.waitpid(pid)
            await sock.close()

        return MessageExchange(sock.recv, sock.send, end)

    async def source(self, app: Any, listeners: int) -> UsersockSource:
        """A socket."""
        sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        return UsersockSource(app, sock, listeners, self.settings)

    async def listener(self, app: Any, source: UsersockSource, place: int) -> UsersockListener:
        """Join the group."""
        sock = await open_socket(app, self.settings)
        await sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, GROUP)
        return UsersockListener(app, sock)

    async def forbidden(self, app: Any) -> str:
        """An ordinary user joins the group; and sends to root's port, which he may."""
        return f"capability: {await child(app, partial(_join, self.settings), uid=ORDINARY)}"


async def _join(settings: Settings, app: Any) -> str:
    sock = await open_socket(app, settings)
    await sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, GROUP)
    return WORKS
