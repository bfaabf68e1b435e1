"""A client of rtnetlink: links, addresses and routes.

    route = await app.rtnetlink()
    await route.join("rtnlgrp-link", "rtnlgrp-ipv4-ifaddr")
    await route.do("newlink", ifname="d0", linkinfo={"kind": "dummy"})
    link = await route.do("getlink", ifname="d0")
    await route.do("setlink", ifi_index=link["ifi-index"], ifi_flags=IFF_UP, ifi_change=IFF_UP)
    for address in await route.dump("getaddr", ifa_family=AF_INET): ...
    async for event in route.events("newlink", "dellink"): ...

The names of operations, header fields and attributes are those of the specifications rt-link, rt-addr and
rt-route of Linux 6.18 (Documentation/netlink/specs).  Keyword arguments have `_` in place of `-`.  As in
iproute2, the socket has NETLINK_GET_STRICT_CHK, and "new" operations have NLM_F_CREATE and NLM_F_EXCL.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from ipaddress import ip_address
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
    locate_attributes,
    message,
)
from simkernel.uapi.socket import SOL_NETLINK
from simkernel.uapi.structure import Structure
from simkernel.ynl.coder import Coder
from simkernel.ynl.errors import choose
from simkernel.ynl.model import Attribute, ModeName
from simkernel.ynl.payloads import checked, plain_coder
from simkernel.ynl.space import BadValue, Space

TEXTS: Final[dict[str, tuple[str, Callable[[str], bytes], Callable[[bytes], str]]]] = {
    "mac": (
        "hexadecimal bytes with ':' between them",
        lambda text: bytes(int(part, 16) for part in text.split(":")),
        lambda data: data.hex(":"),
    ),
    "inet": (
        "an IPv4 or IPv6 address",
        lambda text: ip_address(str(text)).packed,  # str(), because ip_address() would accept an int
        lambda data: str(ip_address(data)),
    ),
}
"""Maps a payload type, such as "mac", to three items: a description of its values for error texts, the
encoder (str to bytes) and the decoder (bytes to str).
"""


def _coder(type: str, name: str, number: int) -> Coder:
    if type not in TEXTS:
        return plain_coder(Attribute(name, type, number))
    expected, to_bytes, to_text = TEXTS[type]

    def encode(value: Any) -> bytes:
        try:
            payload = to_bytes(value)
        except (ValueError, TypeError, AttributeError):
            raise ValueError(f"expected {expected}, found {value!r}") from None
        return checked(number, payload)

    return Coder(name, number, encode, lambda data, start, end: to_text(bytes(data[start:end])))


def _space(name: str, header: ModuleType, prefix: str, types: dict[str, str]) -> Space:
    """Return a `Space`, the codec of a set of attributes. A key of `types` is a payload type, such as "u32".
    Its value is a text with the names of the attributes that have this type. The numbers of the attributes
    are constants in the module `header`, such as IFLA_MTU.
    """
    space = Space(name)
    for type, names in types.items():
        for each in names.split():
            number = getattr(header, prefix + each.replace("-", "_").upper())
            space.add(_coder(type, each, number), silent=False)
    return space


def _fields(prefix: str, header: type[Structure]) -> Space:
    """Return a `Space` with one coder for each field of a message header. The coder checks the value of its
    field.
    """
    space = Space(header.__name__)
    types = {"B": "u8", "H": "u16", "I": "u32", "i": "s32"}
    formats = header.LAYOUT.format.lstrip("<").replace("x", "")
    for name, format in zip(header.__match_args__, formats, strict=True):
        space.add(_coder(types[format], prefix + name.replace("_", "-"), 0), silent=False)
    return space


def _check(known: Collection[str], name: str, what: str) -> None:
    """Raise SimulationError if `name` is not in `known`. The error text suggests similar names, or lists all
    known names.
    """
    if name not in list(known):  # a list, because a set lookup fails for an unhashable `name`
        raise SimulationError(f"rtnetlink: unknown {what} {name!r}; {choose(name, known, len(known))}")


@attrs.frozen
class ObjectKind:
    """A kind of rtnetlink object, such as links: its first message type, its header and its attributes."""

    base: int
    header: type[Structure]
    fields: Space
    attributes: Space

    def encode(self, values: dict[str, Any]) -> bytes:
        """Return a payload: the fields of the header, then the attributes in the order of `values`.

        Raise SimulationError for an unknown name, BadValue if a value is invalid for its field or
        attribute.
        """
        known = [*self.fields.by_name, *self.attributes.by_name]
        for name in values:
            _check(known, name, "field or attribute")
        fields = {name: values.get(name, 0) for name in self.fields.by_name}
        self.fields.encode(fields)
        rest = {name: value for name, value in values.items() if name not in fields}
        return self.header(*fields.values()).pack() + self.attributes.encode(rest)

    def decode(self, data: bytes, start: int, end: int) -> dict[str, Any]:
        """Decode the payload in `data[start:end]`: the header's fields and the known attributes, by name."""
        fields = zip(self.fields.by_name, self.header.LAYOUT.unpack_from(data, start), strict=True)
        return dict(fields) | self.attributes.decode(data, start + self.header.SIZE, end)


LINKINFO: Final = _space(
    "linkinfo", il, "IFLA_INFO_", {"string": "kind slave-kind", "binary": "data slave-data"}
)
LINK: Final = {
    "string": "ifname ifalias",
    "mac": "address broadcast",
    "u32": "mtu link master txqlen group net-ns-pid net-ns-fd ext-mask num-tx-queues num-rx-queues",
    "u8": "operstate carrier",
    "s32": "link-netnsid new-netnsid new-ifindex target-netnsid",
}
ADDR: Final = {"inet": "address local broadcast", "string": "label", "u32": "flags rt-priority"}
ROUTE: Final = {"inet": "dst src gateway prefsrc", "u32": "iif oif priority table"}
KINDS: Final = {
    name: ObjectKind(base, header, _fields(fields, header), _space(name, numbers, prefix, types))
    for name, base, fields, header, numbers, prefix, types in (
        ("link", rt.RTM_NEWLINK, "ifi-", rt.IfInfoMsg, il, "IFLA_", LINK),
        ("addr", rt.RTM_NEWADDR, "ifa-", rt.IfAddrMsg, ia, "IFA_", ADDR),
        ("route", rt.RTM_NEWROUTE, "rtm-", rt.RtMsg, rt, "RTA_", ROUTE),
    )
}


def _encode_linkinfo(values: Any) -> bytes:
    """Encode IFLA_LINKINFO without NLA_F_NESTED, as iproute2 does."""
    return checked(il.IFLA_LINKINFO, LINKINFO.encode(values))


KINDS["link"].attributes.add(
    Coder("linkinfo", il.IFLA_LINKINFO, _encode_linkinfo, LINKINFO.decode), silent=False
)
VERBS: Final = {"new": NLM_F_CREATE | NLM_F_EXCL, "del": 0, "get": 0, "set": 0}
"""Maps the verb of an operation, such as "new" in "newlink", to additional flags of the operation's requests.
The order of the verbs determines the message types: RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK.
"""
OPERATIONS: Final = {
    verb + name: (kind.base + place, kind, flags)
    for name, kind in KINDS.items()
    for place, (verb, flags) in enumerate(VERBS.items())
    if verb != "set" or name == "link"
}
EVENTS: Final = {number: name for name, (number, _, _) in OPERATIONS.items() if name[:3] in ("new", "del")}
DUMPS: Final = [name for name in OPERATIONS if name.startswith("get")]
GROUPS: Final[dict[str, int]] = {
    name.lower().replace("_", "-"): number
    for name, number in vars(rt).items()
    if name.startswith("RTNLGRP_") and name != "RTNLGRP_MAX"
}


class RouteMessages:
    """The multicast groups and message formats of rtnetlink.  It implements the protocol `Messages`."""

    name: Final = "rtnetlink"
    protocol: Final = NETLINK_ROUTE

    def group(self, name: str) -> int:
        """Return the number of a multicast group of rtnetlink, such as "rtnlgrp-link"."""
        _check(GROUPS, name, "group")
        return GROUPS[name]

    def check_event(self, name: str) -> None:
        """Raise SimulationError if `name` is not an event of rtnetlink, such as "newlink"."""
        _check(EVENTS.values(), name, "event")

    def request(
        self, operation: str, mode: ModeName, values: dict[str, object], flags: int, seq: int
    ) -> bytes:
        """Return an encoded request: the netlink header, the header of the object kind, and the attributes.

        Raise SimulationError for an unknown name or an invalid value.
        """
        if mode == "dump":
            _check(DUMPS, operation, "operation to dump")
        else:
            _check(OPERATIONS, operation, "operation")
        type, kind, more = OPERATIONS[operation]
        try:
            return message(type, kind.encode(values), flags=flags | more, seq=seq)
        except BadValue as error:
            raise SimulationError(f"rtnetlink {operation}: {error}") from None

    def decode(
        self, operation: str, mode: ModeName, data: bytes, start: int = 0, end: int | None = None
    ) -> dict[str, Any]:
        """Return the header fields and attributes of a reply whose payload is `data[start:end]`, by name."""
        return OPERATIONS[operation][1].decode(data, start, len(data) if end is None else end)

    def decode_event(self, type: int, data: bytes, start: int, end: int) -> tuple[str, dict[str, Any]] | None:
        """Return a pair: the name of an event, such as "newlink", and its header fields and attributes.
        Return None if the message type is not that of an event.
        """
        name = EVENTS.get(type)
        return None if name is None else (name, self.decode(name, "event", data, start, end))

    def name_of(self, operation: str, number: int) -> str:
        """Return the name of the attribute with this number in a request, or the number as text if no
        attribute has it.
        """
        coder = OPERATIONS[operation][1].attributes.by_number.get(number)
        return str(number) if coder is None else coder.name

    def name_at(self, operation: str, request: bytes, offset: int) -> str | None:
        """Return the name of the top-level attribute that contains the byte at `offset` of a request, or None
        if no attribute does.
        """
        located, _ = locate_attributes(
            request, NLMSG_HDRLEN + OPERATIONS[operation][1].header.SIZE, len(request)
        )
        types = [type for type, start, end in located if start - NLA_HDRLEN <= offset < end]
        return self.name_of(operation, types[0] & NLA_TYPE_MASK) if types else None


class RtnetlinkClient(NetlinkClient[RouteMessages]):
    """A client of rtnetlink for links, addresses and routes."""

    @classmethod
    async def open(cls, app: Caller) -> RtnetlinkClient:
        """Open a socket in the caller's network namespace, and return a client that uses the socket."""
        sock = await client_socket(app, NETLINK_ROUTE)
        await sock.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
        return cls(app, sock, RouteMessages())
