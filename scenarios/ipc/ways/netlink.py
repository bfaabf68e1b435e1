"""Generic netlink: messages of attributes, to the kernel and from it."""

from __future__ import annotations

from itertools import count
from typing import Any, Final

from simkernel.uapi.errno import os_error
from simkernel.uapi.genetlink import GENL_HDRLEN
from simkernel.uapi.ipc_demo import IpcDemoEvent
from simkernel.uapi.netlink import (
    NETLINK_GENERIC,
    NLM_F_REQUEST,
    NLMSG_ERROR,
    iterate_attributes,
    iterate_messages,
    locate_messages,
    message,
)
from simkernel.uapi.socket import AF_NETLINK, SO_RCVBUF, SOCK_RAW, SOL_SOCKET
from simkernel.uapi.structure import S32

from .child import ORDINARY, child
from .driver import Driver, DriverWay
from .way import WORKS, Exchange, Limit, Listener, Numbers

FAMILY: Final = "ipc_demo"
ROOM: Final = 1 << 18
LONGEST_ATTRIBUTE: Final = 65531
KERNEL: Final = (0, 0)
NUMBER_ATTRIBUTE: Final = 1
"""`number` of an event, in ipc_demo.yaml."""


async def open_socket(app: Any) -> Any:
    """A bound socket."""
    sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC)
    await sock.bind((0, 0))
    return sock


class NetlinkExchange(Exchange):
    """A socket, and the family as nlctrl tells of it."""

    def __init__(self, client: Any, sock: Any) -> None:
        self.client = client
        self.sock = sock
        self.sequence = count(1)

    async def _do(self, operation: str, **values: Any) -> Any:
        """One request, which has a reply: two calls."""
        family = self.client.family
        payload = family.encode(operation, "do", values)
        await self.sock.sendto(
            message(family.id, payload, flags=NLM_F_REQUEST, seq=next(self.sequence)), KERNEL
        )
        data = await self.sock.recv(ROOM)
        header, body = next(iterate_messages(memoryview(data)))
        if header.type == NLMSG_ERROR:
            raise os_error(-S32.unpack_from(body)[0])
        return family.decode(operation, "do", bytes(body))

    async def ask(self, question: bytes) -> bytes:
        """In one attribute, or in several."""
        starts = range(0, len(question), LONGEST_ATTRIBUTE)
        parts = [question[start : start + LONGEST_ATTRIBUTE] for start in starts]
        return b"".join((await self._do("ask", question=parts))["answer"])

    async def take(self, size: int) -> bytes:
        """By a dump, in parts."""
        await self._do("take", size=size)
        return b"".join([part["data"] for part in await self.client.dump("read")])

    async def close(self) -> None:
        """Close both sockets."""
        await self.sock.close()
        await self.client.close()


class NetlinkListener(Listener):
    """A member of the group."""

    room = ROOM

    def __init__(self, app: Any, client: Any) -> None:
        self.app = app
        self.client = client
        self.sock = client.event_socket
        self.fd = self.sock.fileno()
        self.losses = []

    async def receive(self, room: int) -> bytes:
        """One datagram."""
        data: bytes = await self.sock.recv(room)
        return data

    def parse(self, data: bytes) -> tuple[Numbers, int]:
        """The number is an attribute."""
        located, left = locate_messages(data)
        events = [self.client.family.decode_event(data, start, end) for _, start, end in located]
        return [attributes["number"] for _, attributes in events], left

    async def read_as_once(self) -> list[int]:
        """Attributes that the program has never heard of are passed over."""
        numbers = []
        for _ in range(2):
            _, body = next(iterate_messages(await self.sock.recv(ROOM)))
            attributes = dict(iterate_attributes(body, GENL_HDRLEN))
            numbers.append(int.from_bytes(attributes[NUMBER_ATTRIBUTE], "little"))
        return numbers


class Netlink(DriverWay):
    """The family `ipc_demo`."""

    name = "netlink"
    about = "a generic netlink family and its group"
    limit = Limit(
        "A request costs two calls, and what the kernel sends is copied twice: into a message, and out "
        "of it. For what is large, or asked all day, that is the wrong way. And who is told without having "
        "asked may be too slow: his queue is bounded, what finds it full is lost for him alone, and ENOBUFS "
        "says so.",
        "--set job=event --set ways=netlink --set rcvbuf=4608",
    )

    async def opened(self, app: Any) -> NetlinkExchange:
        """Find the family, and open a socket."""
        return NetlinkExchange(await app.genetlink(FAMILY), await open_socket(app))

    async def listener(self, app: Any, source: Driver, place: int) -> NetlinkListener:
        """Join the group."""
        client = await app.genetlink(FAMILY)
        await client.join("events")
        if self.settings.rcvbuf:
            await client.event_socket.setsockopt(SOL_SOCKET, SO_RCVBUF, self.settings.rcvbuf // 2)
        return NetlinkListener(app, client)

    async def between(self, app: Any) -> str:
        """An ordinary user writes to another's port; NETLINK_USERSOCK is there for that."""
        other = await open_socket(app)
        got: str = await child(app, _write, await other.getsockname(), uid=ORDINARY)
        return got

    async def forbidden(self, app: Any) -> str:
        """An ordinary user sends to the group, which wants CAP_NET_ADMIN; and listens, which he may."""
        client = await app.genetlink(FAMILY)
        group = client.family.group("events")
        got = await child(app, _write, (0, 1 << (group - 1)), uid=ORDINARY)
        return f"capability: {got}"


async def _write(app: Any, address: tuple[int, int]) -> str:
    sock = await open_socket(app)
    await sock.sendto(IpcDemoEvent(0, 0).pack(), address)
    return WORKS
