"""What requests about links have in common: header, attributes, and which link is meant."""

from __future__ import annotations

from simkernel.kernel.net.namespace import Net, NetDevice
from simkernel.kernel.netlink.extack import ExtendedAck
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.policy import LIBERAL, Found, validator
from simkernel.kernel.netlink.route.link_policy import LINK_POLICY, LINKINFO_POLICY
from simkernel.kernel.netlink.route.parse import attributes, namespace, number, signed
from simkernel.uapi import if_link as il
from simkernel.uapi.errno import EINVAL, ENODEV, os_error
from simkernel.uapi.netlink import NLMSG_HDRLEN
from simkernel.uapi.rtnetlink import IfInfoMsg
from simkernel.ynl.policy import PolicyTable


class LinkRequest:
    """A request with a `struct ifinfomsg`, or a shorter header, and attributes IFLA_*."""

    __slots__ = ("_found", "request")

    def __init__(self, request: Request) -> None:
        self.request = request
        self._found: Found = {}

    def __contains__(self, type: int) -> bool:
        return type in self._found

    @property
    def types(self) -> set[int]:
        """The types of the attributes that are there."""
        return set(self._found)

    @property
    def has_header(self) -> bool:
        """Whether there is a whole ifinfomsg."""
        return self.request.length >= NLMSG_HDRLEN + IfInfoMsg.SIZE

    @property
    def header(self) -> IfInfoMsg:
        """The ifinfomsg."""
        return IfInfoMsg.unpack(self.request.data, self.request.start + NLMSG_HDRLEN)

    @property
    def is_odd(self) -> bool:
        """Whether the header has fields set that a question has no use for."""
        header = self.header
        padding = self.request.data[self.request.start + NLMSG_HDRLEN + 1]
        return bool(padding or header.type or header.flags or header.change)

    def parse(self, validate: int, header_size: int = IfInfoMsg.SIZE) -> None:
        """Check the attributes (`nlmsg_parse_deprecated()` and its strict twin).  EINVAL, ERANGE."""
        self._found = attributes(self.request, header_size, LINK_POLICY, validate)

    def check_nest(self, type: int, table: PolicyTable) -> None:
        """Check what is in a nested attribute, if it is there.  What is wrong with it is not said."""
        place = self._found.get(type)
        if place is not None:
            request = self.request
            said, request.extack = request.extack, ExtendedAck()
            try:
                validator(table, LIBERAL).parse(request, *place, depth=1)
            finally:
                request.extack = said

    @property
    def kind(self) -> str | None:
        """What kind of link is meant, if IFLA_LINKINFO is there and in order (`linkinfo_to_kind_ops()`)."""
        place = self._found.get(il.IFLA_LINKINFO)
        if place is None:
            return None
        said, self.request.extack = self.request.extack, ExtendedAck()
        try:
            found = validator(LINKINFO_POLICY, LIBERAL).parse(self.request, *place, depth=1)
        except OSError:
            return None
        finally:
            self.request.extack = said
        place = found.get(il.IFLA_INFO_KIND)
        return None if place is None else self._text(place)

    def forget(self) -> None:
        """Go on as if there were no attributes."""
        self._found = {}

    def number(self, type: int) -> int:
        """The value of a 32-bit attribute, 0 if it is not there."""
        return number(self.request, self._found, type)

    def signed(self, type: int) -> int:
        """The value of a signed 32-bit attribute that is there."""
        return signed(self.request, self._found, type)

    def namespace(self) -> Net:
        """The namespace that is asked about (`rtnl_get_net_ns_capable()`).

        EINVAL for a number that stands for none, EACCES.
        """
        if il.IFLA_TARGET_NETNSID not in self:
            return self.request.net
        return namespace(self.request, self.signed(il.IFLA_TARGET_NETNSID))

    @property
    def is_named(self) -> bool:
        """Whether a name says which link is meant."""
        return il.IFLA_IFNAME in self or il.IFLA_ALT_IFNAME in self

    def device(self, net: Net) -> NetDevice:
        """The link of the index or the name.  EINVAL if neither is given, ENODEV if it is not there."""
        index = self.header.index
        if index > 0:
            device = net.devices.get(index)
        elif self.is_named:
            device = net.device_named(self._name())
        else:
            raise os_error(EINVAL)
        if device is None:
            raise os_error(ENODEV)
        return device

    @property
    def renames(self) -> bool:
        """Whether a link that is meant by its index gets another name (`do_setlink()`)."""
        device = self.request.net.devices.get(self.header.index)
        if device is None or il.IFLA_IFNAME not in self:
            return False
        return self._name() not in ("", device.name)

    def _name(self) -> str:
        """IFLA_IFNAME, else IFLA_ALT_IFNAME (`rtnl_dev_get()`)."""
        return self._text(self._found.get(il.IFLA_IFNAME) or self._found[il.IFLA_ALT_IFNAME])

    def _text(self, place: tuple[int, int]) -> str:
        """What is there, up to its NUL."""
        return self.request.data[place[0] : place[1]].split(b"\0", 1)[0].decode("latin-1")
