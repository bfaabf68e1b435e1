"""Neighbour tables and the handlers of their messages (net/core/neighbour.c, net/ipv4/arp.c,
net/ipv6/ndisc.c).

simkernel models no packets, so only programs create neighbours. A reachable neighbour stays reachable, and
no address is resolved.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import attrs

from simkernel.kernel.net.device import Event, NetDevice
from simkernel.kernel.net.devices import NetDevices
from simkernel.kernel.net.namespace import Net, PernetSlot
from simkernel.kernel.netlink.dump import DumpCallback
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.policy import LIBERAL
from simkernel.kernel.netlink.route.inet import CENTISECOND, in_device, inet6_device
from simkernel.kernel.netlink.route.neighbour_requests import (
    ADDRESS_SIZES,
    CACHEINFO,
    NEIGHBOUR_POLICY,
    STALE_AGE,
    device_of,
    header,
    key_of,
    parse_dump,
    parse_get,
    passes_filter,
)
from simkernel.kernel.netlink.route.notify import notify, wanted
from simkernel.kernel.netlink.route.parse import (
    attributes,
    has_header,
    number,
    refuse,
)
from simkernel.kernel.netlink.writer import MessageWriter
from simkernel.uapi import if_link as il
from simkernel.uapi import neighbour as nb
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.errno import (
    EAFNOSUPPORT,
    EEXIST,
    EINVAL,
    ENOBUFS,
    ENODEV,
    ENOENT,
    EOPNOTSUPP,
    os_error,
)
from simkernel.uapi.neighbour import NdMsg
from simkernel.uapi.netlink import (
    NLA_TYPE_MASK,
    NLM_F_CREATE,
    NLM_F_DUMP_FILTERED,
    NLM_F_EXCL,
    NLM_F_MULTI,
    NLM_F_REPLACE,
    NLMSG_HDRLEN,
    attribute,
    locate_attributes,
    message,
)
from simkernel.uapi.socket import AF_INET, AF_INET6
from simkernel.uapi.structure import U8, U32


@attrs.define(eq=False)
class Neighbour:
    """An entry in a neighbour table (`struct neighbour`). Times are in ns."""

    family: int
    device: NetDevice
    key: bytes
    type: int
    state: int = 0
    flags: int = 0
    lladdr: bytes = b""
    protocol: int = 0
    used: int = 0
    updated: int = 0
    confirmed: int = 0


@attrs.define(eq=False)
class Proxy:
    """An address for which the machine answers neighbour requests. It answers on `device`, or on every device
    if `device` is None (`struct pneigh_entry`).
    """

    family: int
    device: NetDevice | None
    key: bytes
    flags: int = 0
    protocol: int = 0
    permanent: bool = False


GIVEN_FLAGS: Final = nb.NTF_EXT_LEARNED | nb.NTF_EXT_VALIDATED
"""Flags that each change of a neighbour overwrites (`neigh_update_flags()`)."""
NDISC_PRIORITY: Final = -5
"""Priority of the IPv6 neighbour table in the notifier chain (`ndisc_netdev_notifier`)."""
NEIGHBOURS: Final[PernetSlot[dict[tuple[int, NetDevice, bytes], Neighbour]]] = PernetSlot(dict)
PROXIES: Final[PernetSlot[dict[tuple[int, NetDevice | None, bytes], Proxy]]] = PernetSlot(dict)


class NeighbourTables:
    """The tables arp_tbl and nd_tbl of a machine, and the handlers of requests.

    `address_type` returns the type of an IPv4 address in a routing table.
    """

    def __init__(
        self,
        devices: NetDevices,
        address_type: Callable[[Net, int, int], int],
        unmodelled: Callable[[str, int], Exception],
    ) -> None:
        self._now = devices.engine.time
        self._address_type = address_type
        self._unmodelled = unmodelled
        devices.subscribe(partial(self._on_event, AF_INET))
        devices.subscribe(partial(self._on_event, AF_INET6), NDISC_PRIORITY)

    # -- devices --------------------------------------------------------------------

    def _on_event(self, family: int, event: Event, device: NetDevice, info: object) -> None:
        """Delete neighbours after a device event (`arp_netdev_event()`, `ndisc_netdev_event()`)."""
        if event is Event.CHANGEADDR:
            self.flush(device, family, proxies=False)
        elif event is Event.CHANGE:
            if isinstance(info, int) and info & il.IFF_NOARP:
                self.flush(device, family, proxies=False)
            if not device.carrier:
                self.flush(device, family, permanent=False)

    def flush(self, device: NetDevice, family: int, *, permanent: bool = True, proxies: bool = True) -> None:
        """Delete the neighbours of a device, and its proxies if `proxies` is True. If `permanent` is False,
        keep permanent entries and entries with NTF_EXT_VALIDATED (`neigh_flush_dev()`,
        `pneigh_ifdown_and_unlock()`).
        """
        entries, others = NEIGHBOURS.of(device.net), PROXIES.of(device.net)
        gone = [each for each in entries.values() if each.device is device and each.family == family]
        for entry in reversed(gone):  # `neigh_get_dev_table()` lists the newest entry first
            if permanent or not (entry.state & nb.NUD_PERMANENT or entry.flags & nb.NTF_EXT_VALIDATED):
                del entries[family, device, entry.key]
                self._notify(entry, rt.RTM_DELNEIGH)
        for proxy in tuple(others.values()) if proxies else ():
            gone_too = proxy.device is device and proxy.family == family
            if gone_too and (permanent or not proxy.permanent):
                del others[proxy.family, device, proxy.key]

    # -- messages -------------------------------------------------------------------

    def _fill(self, entry: Neighbour | Proxy, *, users: int = 0) -> bytes:
        """Return header and attributes of a neighbour or proxy (`neigh_fill_info()`, `pneigh_fill_info()`).

        `users` is the number of references in addition to that of the table.
        """
        index = 0 if entry.device is None else entry.device.index
        head = NdMsg(entry.family, index=index, flags=entry.flags & 0xFF, type=rt.RTN_UNICAST)
        parts = [attribute(nb.NDA_DST, entry.key)]
        if isinstance(entry, Neighbour):
            head = attrs.evolve(head, state=entry.state, type=entry.type)
            if entry.state & nb.NUD_VALID:
                parts.append(attribute(nb.NDA_LLADDR, entry.lladdr))
            ages = [self._now() - each for each in (entry.confirmed, entry.used, entry.updated)]
            users += bool(entry.state & nb.NUD_IN_TIMER)
            cache = CACHEINFO.pack(*(age // CENTISECOND for age in ages), users)
            parts += [attribute(nb.NDA_PROBES, U32.pack(0)), attribute(nb.NDA_CACHEINFO, cache)]
        else:
            head = attrs.evolve(head, flags=head.flags | nb.NTF_PROXY)
        if entry.protocol:
            parts.append(attribute(nb.NDA_PROTOCOL, U8.pack(entry.protocol)))
        if entry.flags >> nb.NTF_EXT_SHIFT:
            parts.append(attribute(nb.NDA_FLAGS_EXT, U32.pack(entry.flags >> nb.NTF_EXT_SHIFT)))
        return head.pack() + b"".join(parts)

    def _notify(self, entry: Neighbour, type: int, *, users: int = 0, portid: int = 0) -> None:
        """Send a message about a new, changed or deleted neighbour to RTNLGRP_NEIGH (`__neigh_notify()`).

        If a timer of the neighbour is pending, it holds a reference. RTM_DELNEIGH does not count this
        reference.
        """
        net = entry.device.net
        if type == rt.RTM_DELNEIGH:
            users -= bool(entry.state & nb.NUD_IN_TIMER)
        if wanted(net, rt.RTNLGRP_NEIGH):
            notify(net, rt.RTNLGRP_NEIGH, message(type, self._fill(entry, users=users), pid=portid))

    # -- queries ------------------------------------------------------------------

    def dump(self, writer: MessageWriter, callback: DumpCallback) -> bool:
        """Dump all neighbours, or all proxies (`neigh_dump_info()`).

        The entries are ordered by family, then by creation. On Linux the order is that of a hash table.
        """
        request = callback.request
        found = parse_dump(request, callback.strict)
        index, master = number(request, found, nb.NDA_IFINDEX), number(request, found, nb.NDA_MASTER)
        complete = has_header(request, NdMsg)
        family = request.data[request.start + NLMSG_HDRLEN]
        proxies = complete and header(request).flags == nb.NTF_PROXY
        entries = [*(PROXIES.of(request.net) if proxies else NEIGHBOURS.of(request.net)).values()]
        entries = [
            each for each in sorted(entries, key=lambda each: each.family) if family in (0, each.family)
        ]
        flags = NLM_F_MULTI | (NLM_F_DUMP_FILTERED if index or master else 0)
        for place in range(callback.context or 0, len(entries)):
            entry = entries[place]
            if passes_filter(entry.device, index, master):
                body = self._fill(entry)
                writer.append(
                    message(rt.RTM_NEWNEIGH, body, flags=flags, seq=request.seq, pid=request.portid)
                )
            callback.context = place + 1
        return False

    def get(self, request: Request) -> None:
        """Answer a request with one neighbour or proxy (`neigh_get()`). Strict checks apply even if the
        socket has not enabled them.
        """
        found = parse_get(request)
        head = header(request)
        size = ADDRESS_SIZES.get(head.family)
        if size is None:
            raise refuse(request, EAFNOSUPPORT, "Unsupported family in header for neighbor get request")
        first, last = found[nb.NDA_DST]
        if last - first != size:
            raise refuse(request, EINVAL, "Invalid network address in neighbor get request")
        device = request.net.devices.get(head.index)
        if head.index and device is None:
            raise refuse(request, ENODEV, "Unknown device ifindex")
        key = bytes(request.data[first:last])
        if head.flags & nb.NTF_PROXY:
            entry: Neighbour | Proxy | None = self._proxy(request.net, head.family, device, key)
        else:
            assert device is not None
            entry = NEIGHBOURS.of(request.net).get((head.family, device, key))
        if entry is None:
            kind = "Proxy neighbour" if head.flags & nb.NTF_PROXY else "Neighbour"
            raise refuse(request, ENOENT, f"{kind} entry not found")
        data = message(rt.RTM_NEWNEIGH, self._fill(entry, users=1), seq=request.seq, pid=request.portid)
        request.sock.send(data, request.portid)

    @staticmethod
    def _proxy(net: Net, family: int, device: NetDevice | None, key: bytes) -> Proxy | None:
        """Return the newest proxy for an address, or None (`__pneigh_lookup_1()`). A proxy for all devices is
        also valid for `device`.
        """
        for proxy in reversed(PROXIES.of(net).values()):
            if (proxy.family, proxy.key) == (family, key) and proxy.device in (device, None):
                return proxy
        return None

    # -- changes --------------------------------------------------------------------

    def delete(self, request: Request) -> None:
        """Delete a neighbour or proxy (`neigh_delete()`). Only NDA_DST is used, and the attributes are not
        validated.
        """
        if not has_header(request, NdMsg):
            raise os_error(EINVAL)
        start = request.start + NLMSG_HDRLEN + NdMsg.SIZE
        located, _ = locate_attributes(request.data, start, request.end)
        places = [(first, last) for type, first, last in located if type & NLA_TYPE_MASK == nb.NDA_DST]
        if not places:
            raise refuse(request, EINVAL, "Network address not specified")
        head = header(request)
        device = device_of(request, head.index)
        key = key_of(request, head.family, *places[0])
        if head.flags & nb.NTF_PROXY:
            if PROXIES.of(request.net).pop((head.family, device, key), None) is None:
                raise os_error(ENOENT)
            return
        if device is None:
            raise os_error(EINVAL)
        entry = NEIGHBOURS.of(request.net).get((head.family, device, key))
        if entry is None:
            raise os_error(ENOENT)
        self._update(request, entry, None, nb.NUD_FAILED, 0, override=True)
        del NEIGHBOURS.of(request.net)[head.family, device, key]
        self._notify(entry, rt.RTM_DELNEIGH)

    def new(self, request: Request) -> None:
        """Add or change a neighbour or proxy (`neigh_add()`)."""
        found = attributes(request, NdMsg.SIZE, NEIGHBOUR_POLICY, LIBERAL)
        if nb.NDA_DST not in found:
            raise refuse(request, EINVAL, "Network address not specified")
        head = header(request)
        flags = head.flags | number(request, found, nb.NDA_FLAGS_EXT) << nb.NTF_EXT_SHIFT
        device = device_of(request, head.index)
        lladdr = None
        if nb.NDA_LLADDR in found:
            lladdr = bytes(request.data[slice(*found[nb.NDA_LLADDR])])
            if device is not None and len(lladdr) < len(device.address):
                raise refuse(request, EINVAL, "Invalid link address")
        key = key_of(request, head.family, *found[nb.NDA_DST])
        protocol = request.data[found[nb.NDA_PROTOCOL][0]] if nb.NDA_PROTOCOL in found else 0
        if flags & nb.NTF_PROXY:
            self._new_proxy(request, head, device, key, flags, protocol)
            return
        if device is None:
            raise refuse(request, EINVAL, "Device not specified")
        if head.family == AF_INET6 and inet6_device(device) is None:
            raise refuse(request, EINVAL, "IPv6 is disabled on this device")
        entry = NEIGHBOURS.of(request.net).get((head.family, device, key))
        override = True
        if entry is None:
            if not request.flags & NLM_F_CREATE:
                raise os_error(ENOENT)
            if head.state & nb.NUD_PERMANENT and flags & nb.NTF_MANAGED:
                raise refuse(request, EINVAL, "Invalid NTF_* flag for permanent entry")
            _check_validated(request, "create externally validated neighbor", head.state, 0, flags)
            self._check_modelled(head.state, flags)
            entry = self._create(head.family, device, key, flags)
        else:
            if request.flags & NLM_F_EXCL:
                raise os_error(EEXIST)
            kept = entry.state & ~nb.NUD_PERMANENT
            _check_validated(request, "mark neighbor as externally validated", head.state, kept, flags)
            self._check_modelled(head.state, flags)
            override = bool(request.flags & NLM_F_REPLACE)
        if protocol:
            entry.protocol = protocol
        size = len(device.address)
        self._update(
            request, entry, None if lladdr is None else lladdr[:size], head.state & 0xFF, flags, override
        )

    def _check_modelled(self, state: int, flags: int) -> None:
        if state & (nb.NUD_INCOMPLETE | nb.NUD_DELAY | nb.NUD_PROBE) or flags & (nb.NTF_USE | nb.NTF_MANAGED):
            raise self._unmodelled("resolving the address of a neighbour is not modelled", EOPNOTSUPP)

    def _new_proxy(
        self, request: Request, head: NdMsg, device: NetDevice | None, key: bytes, flags: int, protocol: int
    ) -> None:
        """Add or change a proxy (`pneigh_create()`)."""
        if flags & (nb.NTF_MANAGED | nb.NTF_EXT_VALIDATED):
            raise refuse(request, EINVAL, "Invalid NTF_* flag combination")
        proxy = self._proxy(request.net, head.family, device, key)
        if proxy is None:
            if head.family == AF_INET6 and (device is None or inet6_device(device) is None):
                raise os_error(ENOBUFS)
            proxy = PROXIES.of(request.net)[head.family, device, key] = Proxy(head.family, device, key)
        proxy.flags, proxy.permanent = flags, bool(head.state & nb.NUD_PERMANENT)
        proxy.protocol = protocol or proxy.protocol

    def _create(self, family: int, device: NetDevice, key: bytes, flags: int) -> Neighbour:
        """Create a neighbour with its initial state (`___neigh_create()`).

        Sources of the family's part: `arp_constructor()`, `ndisc_constructor()`.
        """
        if family == AF_INET and device.is_loopback:
            key = bytes(len(key))
        table = NEIGHBOURS.of(device.net)
        if (family, device, key) in table:
            return table[family, device, key]
        now = self._now()
        type = rt.RTN_MULTICAST if key[0] == 0xFF else rt.RTN_UNICAST
        if family == AF_INET:
            if in_device(device) is None:
                raise os_error(EINVAL)
            number = int.from_bytes(key, "big")
            type = self._address_type(device.net, number, rt.RT_TABLE_LOCAL)
        entry = Neighbour(family, device, key, type, lladdr=bytes(len(device.address)))
        entry.used = entry.updated = now
        entry.confirmed = now - STALE_AGE
        entry.flags = flags & GIVEN_FLAGS
        if entry.type == rt.RTN_MULTICAST:
            entry.lladdr = _multicast(device, key)
        elif device.flags & (il.IFF_NOARP | il.IFF_LOOPBACK):
            entry.lladdr = device.address
            entry.type = rt.RTN_LOCAL if family == AF_INET6 and device.is_loopback else entry.type
        elif entry.type == rt.RTN_BROADCAST:
            entry.lladdr = device.broadcast
        else:
            table[family, device, key] = entry
            return entry
        entry.state = nb.NUD_NOARP
        table[family, device, key] = entry
        return entry

    def _update(
        self, request: Request, entry: Neighbour, lladdr: bytes | None, new: int, flags: int, override: bool
    ) -> None:
        """Change the state, address and flags of a neighbour (`__neigh_update()` with
        NEIGH_UPDATE_F_ADMIN).
        """
        old, now, before = entry.state, self._now(), entry.flags
        entry.flags = before & ~GIVEN_FLAGS | flags & GIVEN_FLAGS
        changed = entry.flags != before
        if not new & nb.NUD_VALID:
            entry.state = new
            changed = bool(old & nb.NUD_VALID)
        else:
            if lladdr is None:
                if not old & nb.NUD_VALID:
                    if changed:
                        self._notify(entry, rt.RTM_NEWNEIGH, users=1, portid=request.portid)
                    raise refuse(request, EINVAL, "No link layer address given")
                lladdr = entry.lladdr
            same = bool(old & nb.NUD_VALID) and lladdr == entry.lladdr
            if new & nb.NUD_CONNECTED:
                entry.confirmed = now
            if old & nb.NUD_VALID and not same and not override:
                new = old
            else:
                if new != old or not same:
                    entry.updated = now
                changed |= new != old or not same
                entry.state = new
                if not same:
                    entry.lladdr = lladdr
                    if not new & nb.NUD_CONNECTED:
                        entry.confirmed = now - STALE_AGE
                if override:
                    router = entry.flags & ~nb.NTF_ROUTER | flags & nb.NTF_ROUTER
                    changed |= router != entry.flags
                    entry.flags = router
        if changed:
            self._notify(entry, rt.RTM_NEWNEIGH, users=1, portid=request.portid)


def _check_validated(request: Request, what: str, state: int, kept: int, flags: int) -> None:
    """Raise EINVAL if a request sets NTF_EXT_VALIDATED and the neighbour would not have a valid state
    afterwards.

    If the kernel is to resolve the address, the state does not change and is `kept`.
    """
    result = kept if flags & (nb.NTF_USE | nb.NTF_MANAGED) else state
    if flags & nb.NTF_EXT_VALIDATED and not result & nb.NUD_VALID:
        raise refuse(request, EINVAL, f"Cannot {what} with an invalid state")


def _multicast(device: NetDevice, key: bytes) -> bytes:
    """Return the hardware address of a multicast group (`arp_mc_map()`, `ndisc_mc_map()`)."""
    if device.type != il.ARPHRD_ETHER:
        return device.broadcast
    return b"\x33\x33" + key[-4:] if len(key) > 4 else b"\x01\x00\x5e" + bytes([key[1] & 0x7F]) + key[2:]
