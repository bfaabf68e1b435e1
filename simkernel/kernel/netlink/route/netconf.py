"""RTM_NEWNETCONF and RTM_GETNETCONF: IPv4 and IPv6 settings per device (devinet.c, addrconf.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from simkernel.kernel.net.device import NetDevice
from simkernel.kernel.netlink.dump import DumpCallback
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.policy import DEPRECATED_STRICT, LIBERAL
from simkernel.kernel.netlink.route import parse
from simkernel.kernel.netlink.route.inet import InDevice, Inet6Device, in_device, inet6_device
from simkernel.kernel.netlink.route.notify import notify, wanted
from simkernel.kernel.netlink.writer import MessageWriter
from simkernel.uapi import netconf as nc
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.errno import EINVAL, ENODEV, os_error
from simkernel.uapi.netlink import NLM_F_MULTI, NLMSG_HDRLEN, attribute, message
from simkernel.uapi.socket import AF_INET, AF_INET6
from simkernel.uapi.structure import S32
from simkernel.ynl.policy import AttributePolicy, PolicyTable

HEADER_SIZE: Final = 4
"""Size of struct netconfmsg in bytes: the family and padding."""
PSEUDO_INDEXES: Final = (nc.NETCONFA_IFINDEX_ALL, nc.NETCONFA_IFINDEX_DEFAULT)
"""Device indexes in messages about the settings in the directories `all` and `default` of
/proc/sys/net/ipv4/conf and /proc/sys/net/ipv6/conf. Each of these settings is 0, because simkernel lacks the
files that change the settings.
"""
Settings = dict[int, int]


@attrs.frozen(eq=False)
class NetConf:
    """Handlers of requests about the settings of IPv4 or of IPv6. The dict `places` contains the index of a
    setting for each attribute type.
    """

    name: str
    family: int
    group: int
    error: int
    """Errno if the device does not exist or the protocol is disabled on the device."""
    find: Callable[[NetDevice], InDevice | Inet6Device | None]
    places: dict[int, int]

    def pack(
        self, index: int, conf: Settings | None, request: Request | None = None, flags: int = 0
    ) -> bytes:
        """Return RTM_NEWNETCONF, or RTM_DELNETCONF if `conf` is None (`inet_netconf_fill_devconf()`)."""
        type = rt.RTM_DELNETCONF if conf is None else rt.RTM_NEWNETCONF
        values = [(nc.NETCONFA_IFINDEX, index)]
        if conf is not None:
            values += [(each, conf.get(place, 0)) for each, place in self.places.items()]
        body = bytes((self.family, 0, 0, 0)) + b"".join(
            attribute(each, S32.pack(value)) for each, value in values
        )
        seq, portid = (0, 0) if request is None else (request.seq, request.portid)
        return message(type, body, flags=flags, seq=seq, pid=portid)

    def announce(self, device: NetDevice, conf: Settings | None) -> None:
        """Send a message about a device's settings to the protocol's multicast group
        (`inet_netconf_notify_devconf()`).
        """
        if wanted(device.net, self.group):
            notify(device.net, self.group, self.pack(device.index, conf))

    def renamed(self, device: NetDevice, conf: Settings) -> None:
        """Send RTM_DELNETCONF and RTM_NEWNETCONF for a renamed device."""
        self.announce(device, None)
        self.announce(device, conf)

    def get(self, request: Request) -> None:
        """Answer a request with the settings of one device (`inet_netconf_get_devconf()`).

        Raise EINVAL or ERANGE if the request is invalid, and `error` if the device has no settings.
        """
        policy = parse.at_least(S32.size)
        known = {nc.NETCONFA_IFINDEX, *self.places} - {nc.NETCONFA_MC_FORWARDING, nc.NETCONFA_BC_FORWARDING}
        table = PolicyTable(
            "netconf",
            tuple(policy if each in known else AttributePolicy() for each in range(nc.NETCONFA_MAX + 1)),
        )
        found = parse.attributes(request, 1, table, DEPRECATED_STRICT if request.strict else LIBERAL)
        if request.strict and not found.keys() <= {nc.NETCONFA_IFINDEX}:
            raise self._refuse(request, "Unsupported attribute in netconf get request")
        if nc.NETCONFA_IFINDEX not in found:
            raise os_error(EINVAL)
        index = parse.signed(request, found, nc.NETCONFA_IFINDEX)
        device = request.net.devices.get(index)
        data = None if device is None else self.find(device)
        if data is None and index not in PSEUDO_INDEXES:
            raise os_error(self.error)
        request.sock.send(self.pack(index, {} if data is None else data.conf, request), request.portid)

    def dump(self, writer: MessageWriter, callback: DumpCallback) -> bool:
        """Dump the settings of all devices, then `all` and `default` (`inet_netconf_dump_devconf()`)."""
        request = callback.request
        if callback.strict and request.length != NLMSG_HDRLEN + HEADER_SIZE:
            raise self._refuse(request, "Invalid data after header in netconf dump request")
        rows = [(index, self.find(device)) for index, device in sorted(request.net.devices.items())]
        confs = [(index, data.conf) for index, data in rows if data is not None]
        confs += [(index, {}) for index in PSEUDO_INDEXES]
        done: set[int] = callback.context or set()
        callback.context = done
        for index, conf in confs:
            if index not in done:
                writer.append(self.pack(index, conf, request, NLM_F_MULTI))
                done.add(index)
        return False

    def _refuse(self, request: Request, text: str) -> OSError:
        return parse.refuse(request, EINVAL, f"{self.name}: {text}")


IPV4: Final = NetConf(
    "ipv4",
    AF_INET,
    rt.RTNLGRP_IPV4_NETCONF,
    ENODEV,
    in_device,
    {
        nc.NETCONFA_FORWARDING: 0,
        nc.NETCONFA_RP_FILTER: 7,
        nc.NETCONFA_MC_FORWARDING: 1,
        nc.NETCONFA_BC_FORWARDING: 31,
        nc.NETCONFA_PROXY_NEIGH: 2,
        nc.NETCONFA_IGNORE_ROUTES_WITH_LINKDOWN: 28,
    },
)
IPV6: Final = NetConf(
    "ipv6",
    AF_INET6,
    rt.RTNLGRP_IPV6_NETCONF,
    EINVAL,
    inet6_device,
    {
        nc.NETCONFA_FORWARDING: 0,
        nc.NETCONFA_MC_FORWARDING: 25,
        nc.NETCONFA_PROXY_NEIGH: 22,
        nc.NETCONFA_IGNORE_ROUTES_WITH_LINKDOWN: 39,
    },
)
