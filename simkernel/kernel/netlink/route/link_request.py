"""Parsed link request: its header, its attributes, and the link that it names."""

from __future__ import annotations

from simkernel.kernel.net.device import LinkOps, NetDevice
from simkernel.kernel.net.namespace import Net
from simkernel.kernel.netlink.extack import ExtendedAck
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.policy import LIBERAL, Found, validator
from simkernel.kernel.netlink.route.link_policy import LINK_POLICY, LINKINFO_POLICY
from simkernel.kernel.netlink.route.parse import attributes, namespace, refuse
from simkernel.uapi import if_link as il
from simkernel.uapi.errno import EINVAL, ENODEV, os_error
from simkernel.uapi.netlink import NLA_HDRLEN, NLA_TYPE_MASK, NLMSG_HDRLEN, locate_attributes
from simkernel.uapi.rtnetlink import IfInfoMsg
from simkernel.uapi.structure import S32, U32
from simkernel.ynl.policy import PolicyTable

Place = tuple[int, int]
"""Start and end offset of a payload in a request, in bytes."""


class LinkRequest:
    """A request about a link. Its header is a `struct ifinfomsg` or a shorter structure.

    `tb` holds the payloads of the attributes, by type.
    """

    __slots__ = ("_found", "request", "tb")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.tb: dict[int, bytes] = {}
        self._found: Found = {}

    def __contains__(self, type: int) -> bool:
        return type in self.tb

    @property
    def has_header(self) -> bool:
        """True if the request contains a complete ifinfomsg."""
        return self.request.length >= NLMSG_HDRLEN + IfInfoMsg.SIZE

    @property
    def header(self) -> IfInfoMsg:
        """The ifinfomsg header of the request."""
        return IfInfoMsg.unpack(self.request.data, self.request.start + NLMSG_HDRLEN)

    @property
    def has_odd_header(self) -> bool:
        """True if the header sets fields that must be 0 in a strict RTM_GETLINK."""
        header = self.header
        padding = self.request.data[self.request.start + NLMSG_HDRLEN + 1]
        return bool(padding or header.type or header.flags or header.change)

    def parse(self, validate: int, header_size: int = IfInfoMsg.SIZE) -> None:
        """Parse and validate the attributes (`nlmsg_parse()` and its variants). Raise EINVAL or ERANGE if the
        request is invalid.
        """
        self._found = attributes(self.request, header_size, LINK_POLICY, validate)
        self.tb = self.payloads(self._found)

    def nest(self, place: Place, table: PolicyTable, *, silent: bool = False) -> Found:
        """Validate the attributes inside a nested attribute and return their offsets
        (`nla_parse_nested_deprecated()`).

        If `silent`, an error does not set the extended ACK.
        """
        request = self.request
        saved = request.extack
        if silent:
            request.extack = ExtendedAck()
        try:
            return validator(table, LIBERAL).parse(request, *place, depth=1)
        finally:
            request.extack = saved

    def payloads(self, found: Found) -> dict[int, bytes]:
        """Return the payloads of attributes, by type."""
        return {type: self.request.data[first:last] for type, (first, last) in found.items()}

    def located(self, type: int) -> list[tuple[int, int, int]]:
        """Return the attributes that are nested in the attribute of type `type`. Each entry consists of a
        type, and the start and end offset of the payload.
        """
        if type not in self._found:
            return []
        located, _ = locate_attributes(self.request.data, *self._found[type])
        return [(inner & NLA_TYPE_MASK, first, last) for inner, first, last in located]

    def families(self) -> list[tuple[int, Place]]:
        """Return each family in IFLA_AF_SPEC, and the offsets of its settings."""
        return [(family, (first, last)) for family, first, last in self.located(il.IFLA_AF_SPEC)]

    def link_info(self) -> Found:
        """Validate the attributes in IFLA_LINKINFO and return their offsets (ifla_info_policy).

        Raises EINVAL, ERANGE.
        """
        if il.IFLA_LINKINFO not in self:
            return {}
        return self.nest(self._found[il.IFLA_LINKINFO], LINKINFO_POLICY, silent=True)

    def kind(self, kinds: dict[str, LinkOps]) -> LinkOps | None:
        """Return the registered kind of link that IFLA_LINKINFO names, or None (`linkinfo_to_kind_ops()`)."""
        try:
            return kinds.get(text(self.payloads(self.link_info()).get(il.IFLA_INFO_KIND, b"")))
        except OSError:
            return None

    def number(self, type: int) -> int:
        """Return the value of a 32-bit attribute, or 0 if the request lacks it."""
        value: int = U32.unpack_from(self.tb[type])[0] if type in self else 0
        return value

    def signed(self, type: int) -> int:
        """Return the value of a signed 32-bit attribute, which the request must contain."""
        value: int = S32.unpack_from(self.tb[type])[0]
        return value

    def namespace(self) -> Net:
        """Return the namespace that the request is about (`rtnl_get_net_ns_capable()`).

        Raises EINVAL for an unknown namespace id, EACCES if the sender lacks CAP_NET_ADMIN.
        """
        if il.IFLA_TARGET_NETNSID not in self:
            return self.request.net
        return namespace(self.request, self.signed(il.IFLA_TARGET_NETNSID))

    @property
    def name(self) -> str:
        """Value of IFLA_IFNAME, empty if the request lacks it."""
        return text(self.tb.get(il.IFLA_IFNAME, b""))

    @property
    def is_named(self) -> bool:
        """True if the request contains the link's name or an alternative name."""
        return il.IFLA_IFNAME in self or il.IFLA_ALT_IFNAME in self

    def device(self, net: Net) -> NetDevice:
        """Return the link whose index or name is in the request.

        Raises EINVAL if the request has neither, ENODEV if the link does not exist.
        """
        index = self.header.index
        if index > 0:
            device = net.devices.get(index)
        elif self.is_named:  # `rtnl_dev_get()`
            device = net.device_named(
                self.name if il.IFLA_IFNAME in self else text(self.tb[il.IFLA_ALT_IFNAME])
            )
        else:
            raise os_error(EINVAL)
        if device is None:
            raise os_error(ENODEV)
        return device


class PeerRequest(LinkRequest):
    """The description of a link's peer in a request: an attribute that contains an ifinfomsg and further
    attributes.
    """

    __slots__ = ("_header",)

    def __init__(self, request: Request, place: Place) -> None:
        super().__init__(request)
        first, last = place
        if last - first < IfInfoMsg.SIZE:
            raise refuse(request, EINVAL, "Invalid header length")
        self._header = IfInfoMsg.unpack(request.data, first)
        if self._header.index < 0:
            request.extack.bad_attribute = first - NLA_HDRLEN - request.start
            raise refuse(request, EINVAL, "ifindex can't be negative")
        self._found = self.nest((first + IfInfoMsg.SIZE, last), LINK_POLICY)
        self.tb = self.payloads(self._found)

    @property
    def header(self) -> IfInfoMsg:
        """The ifinfomsg header of the peer's description."""
        return self._header


def text(data: bytes) -> str:
    """Decode a string up to its first NUL."""
    return data.partition(b"\0")[0].decode("utf-8", "surrogateescape")
