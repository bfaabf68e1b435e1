"""A client of rtnetlink: links, addresses and routes.

    route = await app.rtnetlink()
    await route.join("rtnlgrp-link", "rtnlgrp-ipv4-ifaddr")
    await route.do("newlink", ifname="d0", linkinfo={"kind": "dummy"})
    link = await route.do("getlink", ifname="d0")
    await route.do("setlink", ifi_index=link["ifi-index"], ifi_flags=IFF_UP, ifi_change=IFF_UP)
    for address in await route.dump("getaddr", ifa_family=AF_INET): ...
    async for event in route.events("newlink", "dellink"): ...

Operations, fields of the header and attributes have the names of the kernel's specifications rt-link, rt-addr
and rt-route (Documentation/netlink/specs) of Linux 6.18.  Keyword arguments have `_` in place of `-`.  As in
iproute2, the socket has NETLINK_GET_STRICT_CHK, and "new" operations have NLM_F_CREATE and NLM_F_EXCL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address
from struct import Struct
from types import ModuleType
from typing import Any, Final

import attrs

from simkernel.application.caller import Caller
from simkernel.application.netlink_client import NetlinkClient, client_socket
from simkernel.engine import SimulationError
from simkernel.uapi import if_addr as ia
from simkernel.uapi import if_link as il
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.netlink import (
    NETLINK_GET_STRICT_CHK,
    NETLINK_ROUTE,
    NLA_HDRLEN,
    NLA_TYPE_MASK,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLMSG_HDRLEN,
    attribute,
    locate_attributes,
    message,
)
from simkernel.uapi.socket import SOL_NETLINK
from simkernel.uapi.structure import S32, U8, U32, Structure
from simkernel.ynl.model import ModeName

Codec = tuple[Callable[[Any], bytes], Callable[[bytes], Any]]
Attributes = Mapping[str, tuple[int, Codec]]


def _number(layout: Struct) -> Codec:
    return layout.pack, lambda data: layout.unpack(data)[0]


def _nest(attributes: Attributes) -> Codec:
    return lambda values: _encode(attributes, values), lambda data: _decode(attributes, data, 0, len(data))


def _attributes(header: ModuleType, prefix: str, names: Iterable[tuple[Codec, str]]) -> Attributes:
    """Return number and codec of attributes by name.  `header` has their numbers as `prefix` + NAME."""
    return {
        name: (getattr(header, prefix + name.replace("-", "_").upper()), codec)
        for codec, words in names
        for name in words.split()
    }


NUMBER8, NUMBER, SIGNED = map(_number, (U8, U32, S32))
TEXT: Final[Codec] = (lambda text: text.encode() + b"\0", lambda data: data.rstrip(b"\0").decode())
MAC: Final[Codec] = (lambda text: bytes.fromhex(text.replace(":", "")), lambda data: data.hex(":"))
INET: Final[Codec] = (lambda text: ip_address(text).packed, lambda data: str(ip_address(data)))
RAW: Final[Codec] = (bytes, bytes)


def _encode(attributes: Attributes, values: Mapping[str, Any]) -> bytes:
    found = [(_choose(attributes, name, "attribute"), value) for name, value in values.items()]
    return b"".join(attribute(type, pack(value)) for (type, (pack, _)), value in found)


def _decode(attributes: Attributes, data: bytes, start: int, end: int) -> dict[str, Any]:
    by_type = {type: (name, unpack) for name, (type, (_, unpack)) in attributes.items()}
    values = {}
    for type, first, last in locate_attributes(data, start, end)[0]:
        if (known := by_type.get(type & NLA_TYPE_MASK)) is not None:
            values[known[0]] = known[1](data[first:last])
    return values


def _choose(known: Mapping[str, Any], name: str, what: str) -> Any:
    if name not in known:
        raise SimulationError(f"rtnetlink: no {what} {name!r}; there are: {', '.join(known)}")
    return known[name]


@attrs.frozen
class Kind:
    """A kind of object: its first message type, the header of its messages and their attributes."""

    base: int
    prefix: str
    header: type[Structure]
    attributes: Attributes

    @property
    def fields(self) -> list[str]:
        """The names of the header's fields."""
        return [self.prefix + name.replace("_", "-") for name in self.header.__match_args__]

    def encode(self, values: dict[str, Any]) -> bytes:
        """Return a payload: the fields of the header, then the attributes in the order of `values`."""
        names = self.fields
        rest = {name: value for name, value in values.items() if name not in names}
        return self.header(*[values.get(name, 0) for name in names]).pack() + _encode(self.attributes, rest)

    def decode(self, data: bytes, start: int, end: int) -> dict[str, Any]:
        """Return the fields of a payload's header and its known attributes."""
        fields = zip(self.fields, self.header.LAYOUT.unpack_from(data, start), strict=True)
        return dict(fields) | _decode(self.attributes, data, start + self.header.SIZE, end)


LINKINFO: Final = _attributes(il, "IFLA_INFO_", [(TEXT, "kind slave-kind"), (RAW, "data slave-data")])
LINK: Final = [
    (TEXT, "ifname ifalias"),
    (MAC, "address broadcast"),
    (NUMBER, "mtu link master txqlen group net-ns-pid net-ns-fd ext-mask num-tx-queues num-rx-queues"),
    (NUMBER8, "operstate carrier"),
    (SIGNED, "link-netnsid new-netnsid new-ifindex target-netnsid"),
    (_nest(LINKINFO), "linkinfo"),
]
ADDR: Final = [(INET, "address local broadcast"), (TEXT, "label"), (NUMBER, "flags rt-priority")]
ROUTE: Final = [(INET, "dst src gateway prefsrc"), (NUMBER, "iif oif priority table")]
KINDS: Final = {
    "link": Kind(rt.RTM_NEWLINK, "ifi-", rt.IfInfoMsg, _attributes(il, "IFLA_", LINK)),
    "addr": Kind(rt.RTM_NEWADDR, "ifa-", rt.IfAddrMsg, _attributes(ia, "IFA_", ADDR)),
    "route": Kind(rt.RTM_NEWROUTE, "rtm-", rt.RtMsg, _attributes(rt, "RTA_", ROUTE)),
}
VERBS: Final = {"new": NLM_F_CREATE | NLM_F_EXCL, "del": 0, "get": 0, "set": 0}
"""The operations of a kind in the order of their message types, and the flags of their requests."""
OPERATIONS: Final = {
    verb + name: (kind.base + place, kind, flags)
    for name, kind in KINDS.items()
    for place, (verb, flags) in enumerate(VERBS.items())
    if verb != "set" or name == "link"
}
GROUPS: Final = {
    name.lower().replace("_", "-"): number
    for name, number in vars(rt).items()
    if name.startswith("RTNLGRP_") and name != "RTNLGRP_MAX"
}


class RouteMessages:
    """The groups and message formats of rtnetlink (`Messages`)."""

    name: Final = "rtnetlink"
    protocol: Final = NETLINK_ROUTE

    def group(self, name: str) -> int:
        """Return the number of a multicast group."""
        number: int = _choose(GROUPS, name, "group")
        return number

    def check_event(self, name: str) -> None:
        """Raise SimulationError for an unknown operation."""
        _choose(OPERATIONS, name, "event")

    def request(
        self, operation: str, mode: ModeName, values: dict[str, object], flags: int, seq: int
    ) -> bytes:
        """Return a request, with its header.  SimulationError for unknown names."""
        type, kind, more = _choose(OPERATIONS, operation, "operation")
        return message(type, kind.encode(values), flags=flags | more, seq=seq)

    def decode(
        self, operation: str, mode: ModeName, data: bytes, start: int = 0, end: int | None = None
    ) -> dict[str, Any]:
        """Return the fields and attributes of a reply whose payload is `data[start:end]`."""
        return OPERATIONS[operation][1].decode(data, start, len(data) if end is None else end)

    def decode_event(self, type: int, data: bytes, start: int, end: int) -> tuple[str, dict[str, Any]] | None:
        """Return the operation, the fields and the attributes of an event; None for another type."""
        for name, (number, kind, _) in OPERATIONS.items():
            if number == type:
                return name, kind.decode(data, start, end)
        return None

    def name_of(self, operation: str, number: int) -> str:
        """Return the name of an attribute of a request."""
        attributes = OPERATIONS[operation][1].attributes
        return next((name for name, (type, _) in attributes.items() if type == number), str(number))

    def name_at(self, operation: str, request: bytes, offset: int) -> str | None:
        """Return the name of the outermost attribute at an offset of a request."""
        located, _ = locate_attributes(
            request, NLMSG_HDRLEN + OPERATIONS[operation][1].header.SIZE, len(request)
        )
        types = [type for type, start, end in located if start - NLA_HDRLEN <= offset < end]
        return self.name_of(operation, types[0] & NLA_TYPE_MASK) if types else None


class RtnetlinkClient(NetlinkClient[RouteMessages]):
    """A client of rtnetlink for links, addresses and routes."""

    @classmethod
    async def open(cls, app: Caller) -> RtnetlinkClient:
        """Return a client in the network namespace of the caller."""
        sock = await client_socket(app, NETLINK_ROUTE)
        await sock.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
        return cls(app, sock, RouteMessages())
