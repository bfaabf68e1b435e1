"""The common part of IPv4 and IPv6 addresses: lifetimes, messages and dumps.

Sources: net/ipv4/devinet.c and net/ipv6/addrconf.c. Linux checks for expired addresses periodically. Here,
each address expires exactly at the end of its lifetime.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from struct import Struct
from typing import Any, Final, Generic, TypeVar

from simkernel.kernel.net.device import NetDevice
from simkernel.kernel.net.devices import NetDevices
from simkernel.kernel.net.namespace import Net, PernetSlot
from simkernel.kernel.netlink.dump import DumpCallback
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.policy import DEPRECATED_STRICT, LIBERAL
from simkernel.kernel.netlink.route import parse
from simkernel.kernel.netlink.route.inet import CENTISECOND, Address
from simkernel.kernel.netlink.route.notify import notify, wanted
from simkernel.kernel.netlink.writer import MessageWriter
from simkernel.kernel.workqueue import Work
from simkernel.uapi import errno
from simkernel.uapi import if_addr as ia
from simkernel.uapi import netlink as nl
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.if_addr import INFINITY_LIFE_TIME, IfaCacheinfo
from simkernel.uapi.structure import S32, U32
from simkernel.ynl.policy import AttributePolicy, PolicyTable

SECOND: Final = 100 * CENTISECOND
COMMON_POLICIES: Final = {
    ia.IFA_CACHEINFO: parse.at_least(IfaCacheinfo.SIZE),
    ia.IFA_TARGET_NETNSID: parse.S32_POLICY,
    ia.IFA_PROTO: parse.U8_POLICY,
}
Values = dict[int, bytes]
"""Payload of each attribute of a request, by type."""
A = TypeVar("A", bound=Address)


class _Generation:
    """Number of changes of a namespace's addresses (`dev_addr_genid`)."""

    value = 1


class AddressFamily(ABC, Generic[A]):
    """The part of address management that IPv4 and IPv6 share: requests, messages, lifetimes."""

    name: str
    family: int
    group: int
    no_device: str
    policies: PolicyTable
    max_prefixlen: int

    def __init__(self, devices: NetDevices) -> None:
        self.engine, self.queue = devices.engine, devices.work
        self._generations: PernetSlot[_Generation] = PernetSlot(_Generation)

    @abstractmethod
    def addresses(self, device: NetDevice) -> Sequence[A]:
        """Return the addresses of a device, in the order in which Linux dumps them."""

    @abstractmethod
    def pack(self, address: A) -> bytes:
        """Return the encoded attributes of an address, in the order in which Linux writes them."""

    @abstractmethod
    def remove(self, address: A) -> None:
        """Remove an address after the end of its valid lifetime."""

    # -- messages -----------------------------------------------------------------

    def refuse(self, request: Request, error: int, text: str) -> OSError:
        """Return an OSError for a request, and set the text of its extended ACK."""
        return parse.refuse(request, error, f"{self.name}: {text}")

    def message(
        self, address: A, type: int, request: Request | None, flags: int = 0, nsid: int | None = None
    ) -> bytes:
        """Return a message about an address, for example RTM_NEWADDR (`inet_fill_ifaddr()`,
        `inet6_fill_ifaddr()`).
        """
        flag_bits, index = address.flags & 0xFF, address.device.index
        head = rt.IfAddrMsg(self.family, address.prefixlen, flag_bits, address.scope, index).pack()
        target = b"" if nsid is None else nl.attribute(ia.IFA_TARGET_NETNSID, S32.pack(nsid))
        seq, portid = (0, 0) if request is None else (request.seq, request.portid)
        return nl.message(type, head + target + self.pack(address), flags=flags, seq=seq, pid=portid)

    def cacheinfo(self, address: A) -> bytes:
        """Return the attribute IFA_CACHEINFO with the remaining lifetimes of an address."""
        age = (self.engine.time() - address.updated) // SECOND
        lifetimes = (address.preferred, address.valid)
        left = [each if each == INFINITY_LIFE_TIME else max(each - age, 0) for each in lifetimes]
        left += [address.created // CENTISECOND, address.updated // CENTISECOND]
        return nl.attribute(ia.IFA_CACHEINFO, IfaCacheinfo.LAYOUT.pack(*left))

    def announce(self, type: int, address: A, request: Request | None = None) -> None:
        """Notify the protocol's multicast group of a new, changed or deleted address (`rtmsg_ifa()`,
        `inet6_ifa_notify()`).
        """
        net = address.device.net
        if wanted(net, self.group, request):
            notify(net, self.group, self.message(address, type, request), request)

    def count_change(self, net: Net) -> None:
        """Count a change of the addresses in `net`, so that a running dump sets NLM_F_DUMP_INTR."""
        self._generations.of(net).value += 1

    # -- lifetimes ----------------------------------------------------------------

    def set_lifetimes(self, address: A, preferred: int, valid: int) -> None:
        """Set the lifetimes of an address in seconds, and the address flags that depend on the lifetimes
        (`set_ifa_lifetime()`).
        """
        address.flags &= ~(ia.IFA_F_PERMANENT | ia.IFA_F_DEPRECATED)
        address.flags |= ia.IFA_F_PERMANENT if valid == INFINITY_LIFE_TIME else 0
        address.flags |= 0 if preferred else ia.IFA_F_DEPRECATED
        address.preferred, address.valid, address.updated = preferred, valid, self.engine.time()
        address.created = address.created or address.updated

    def watch(self, address: A) -> None:
        """Schedule the work item that runs when an address's preferred lifetime ends. If the address is
        deprecated, the work item runs when the valid lifetime ends.
        """
        self.unwatch(address)
        lifetime = address.valid if address.flags & ia.IFA_F_DEPRECATED else address.preferred
        if lifetime != INFINITY_LIFE_TIME:
            address.expiry = Work(None, f"{self.name}_lifetime", lambda work: self._expire(address))
            delay = address.updated + lifetime * SECOND - self.engine.time()
            self.queue.add_delayed(address.expiry, max(delay, 0))

    def unwatch(self, address: A) -> None:
        """Cancel the work item that `watch` scheduled."""
        if address.expiry is not None:
            self.queue.cancel(address.expiry)
            address.expiry = None

    def _expire(self, address: A) -> None:
        """Remove an address, or mark it deprecated, when a lifetime ends (`check_lifetime()`)."""
        address.expiry = None
        if address.updated + address.valid * SECOND <= self.engine.time():
            self.remove(address)
        else:
            address.flags |= ia.IFA_F_DEPRECATED
            self.announce(rt.RTM_NEWADDR, address)
            self.watch(address)

    # -- requests -----------------------------------------------------------------

    def parse(self, request: Request, validate: int = LIBERAL) -> Values:
        """Validate the attributes of a request and return their payloads."""
        found = parse.attributes(request, rt.IfAddrMsg.SIZE, self.policies, validate)
        return {type: request.data[slice(*place)] for type, place in found.items()}

    def device(self, request: Request) -> NetDevice:
        """Return the device whose index is in the header of a request. Raises ENODEV if the device does not
        exist.
        """
        device = request.net.devices.get(header(request).index)
        if device is None:
            raise self.refuse(request, errno.ENODEV, self.no_device)
        return device

    def fields(self, request: Request, values: Values) -> dict[str, Any]:
        """Return the device, prefix length, flags, protocol and priority in a request, as keyword arguments
        for Address4() or Address6().
        """
        head = header(request)
        flags = U32.unpack_from(values[ia.IFA_FLAGS])[0] if ia.IFA_FLAGS in values else head.flags
        return {
            "device": self.device(request),
            "prefixlen": head.prefixlen,
            "flags": flags,
            "proto": values.get(ia.IFA_PROTO, b"\0")[0],
            "priority": U32.unpack_from(values.get(ia.IFA_RT_PRIORITY, bytes(U32.size)))[0],
        }

    def lifetimes(self, request: Request, values: Values) -> tuple[int, int]:
        """Return the preferred and the valid lifetime in a request, in seconds. Raise EINVAL if the valid
        lifetime is 0 or shorter than the preferred lifetime.
        """
        data = values.get(ia.IFA_CACHEINFO)
        info = IfaCacheinfo() if data is None else IfaCacheinfo.unpack(data)
        if not info.valid or info.preferred > info.valid:
            raise self.refuse(request, errno.EINVAL, "address lifetime invalid")
        return info.preferred, info.valid

    def check_replaces(self, request: Request, text: str) -> None:
        """Raise EEXIST unless the request replaces an existing address (NLM_F_REPLACE)."""
        if request.flags & (nl.NLM_F_EXCL | nl.NLM_F_REPLACE) != nl.NLM_F_REPLACE:
            raise self.refuse(request, errno.EEXIST, text)

    def join(
        self, request: Request, joined: set[int | bytes], group: int | bytes, *, multicast: bool
    ) -> None:
        """Join the multicast group `group`, because a request adds the group's address with IFA_F_MCAUTOJOIN.

        Raises EINVAL if the address is not multicast, EADDRINUSE if the group is already joined.
        """
        if not multicast or group in joined:
            error = errno.EADDRINUSE if multicast else errno.EINVAL
            raise self.refuse(request, error, "Multicast auto join failed")
        joined.add(group)

    def dump(self, writer: MessageWriter, callback: DumpCallback) -> bool:
        """Dump all addresses (`inet_dump_ifaddr()`). A strict request can select one device."""
        request = callback.request
        net, nsid, index = self._check_dump(callback) if callback.strict else (request.net, None, 0)
        if not index:
            callback.generation = self._generations.of(net).value + net.dev_base_seq
        flags = nl.NLM_F_MULTI | (nl.NLM_F_DUMP_FILTERED if index else 0)
        callback.context = position = callback.context or [0, 0]
        for each in sorted(each for each in ([index] if index else net.devices) if each >= position[0]):
            position[0] = each
            for place, address in enumerate(self.addresses(net.devices[each])):
                if place >= position[1]:
                    position[1] = place
                    start = len(writer.data)
                    writer.append(self.message(address, rt.RTM_NEWADDR, request, flags, nsid))
                    callback.check_consistent(writer, start)
            position[:] = each + 1, 0
        return False

    def _check_dump(self, callback: DumpCallback) -> tuple[Net, int | None, int]:
        """Check a strict dump request (`inet_valid_dump_ifaddr_req()`). Return three values: the namespace to
        dump, the namespace id in the request (or None), and the index of the device to dump (or 0 for all
        devices).

        Raises EINVAL for an invalid request, ENODEV if the device does not exist.
        """
        request, nsid = callback.request, None
        net = request.net
        if not parse.has_header(request, rt.IfAddrMsg):
            raise self.refuse(request, errno.EINVAL, "Invalid header for address dump request")
        head = header(request)
        if head.prefixlen or head.flags or head.scope:
            raise self.refuse(request, errno.EINVAL, "Invalid values in header for address dump request")
        if head.index:
            callback.answer_flags |= nl.NLM_F_DUMP_FILTERED
        for type, value in sorted(self.parse(request, DEPRECATED_STRICT).items()):
            if type != ia.IFA_TARGET_NETNSID:
                raise self.refuse(request, errno.EINVAL, "Unsupported attribute in dump request")
            nsid = S32.unpack_from(value)[0]
            try:
                net = parse.namespace(request, nsid)
            except OSError as error:
                text = "Invalid target network namespace id"
                raise self.refuse(request, error.errno or errno.EINVAL, text) from None
        if head.index and head.index not in net.devices:
            raise errno.os_error(errno.ENODEV)
        return net, nsid, head.index


def table(name: str, policies: dict[int, AttributePolicy]) -> PolicyTable:
    """Return a policy table with `policies` and the attribute policies that IPv4 and IPv6 addresses share.
    Attributes of types without a policy are not checked.
    """
    merged = COMMON_POLICIES | policies
    return PolicyTable(name, tuple(merged.get(type, AttributePolicy()) for type in range(ia.IFA_MAX + 1)))


def header(request: Request) -> rt.IfAddrMsg:
    """Return the ifaddrmsg header of a request. The caller has checked that the request is long enough."""
    return rt.IfAddrMsg.unpack(request.data, request.start + nl.NLMSG_HDRLEN)


def put(type: int, value: int, layout: Struct = U32) -> bytes:
    """Return an attribute whose payload is the number `value`, or no bytes if `value` is 0."""
    return nl.attribute(type, layout.pack(value)) if value else b""
