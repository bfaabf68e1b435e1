"""Notifications of NETLINK_ROUTE (`rtnl_notify()`), in particular of links (`rtmsg_ifinfo()`)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from simkernel.kernel.net.device import Event, NetDevice
from simkernel.kernel.net.namespace import Net
from simkernel.kernel.netlink.kernel_socket import KERNEL_SOCKETS
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.route.link_fill import fill, fill_link_netnsid
from simkernel.kernel.netlink.route.nsid import peer_id
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.netlink import NETLINK_ROUTE, NLM_F_ECHO

EVENTS = frozenset(
    {
        Event.CHANGEMTU,
        Event.CHANGEADDR,
        Event.CHANGENAME,
        Event.FEAT_CHANGE,
        Event.CHANGEUPPER,
        Event.CHANGEINFODATA,
        Event.CHANGE_TX_QUEUE_LEN,
    }
)
"""Device events after which the kernel sends a message to RTNLGRP_LINK (`rtnetlink_event()`)."""
IFLA_EVENT_VALUES = {Event.FEAT_CHANGE: 2}
"""Value of IFLA_EVENT by device event (`rtnl_get_event()`)."""


def wanted(net: Net, group: int, request: Request | None = None) -> bool:
    """Return True if a notification would reach a socket. Otherwise, the caller can skip building the
    notification.
    """
    sock = KERNEL_SOCKETS.of(net)[NETLINK_ROUTE]
    return sock.has_listeners(group) or (request is not None and bool(request.flags & NLM_F_ECHO))


def notify(net: Net, group: int, data: bytes, request: Request | None = None, allotted: int = 0) -> None:
    """Send a message to a group. If `request` has NLM_F_ECHO, also send the message to the program that sent
    `request`.

    A socket with a full receive queue loses the message and gets the error ENOBUFS. A sender in another
    namespace does not receive the message.
    """
    sock = KERNEL_SOCKETS.of(net)[NETLINK_ROUTE]
    report = request is not None and bool(request.flags & NLM_F_ECHO)
    portid = 0 if request is None else request.portid
    # rtnl_notify() is a void function, so a failed notification is not an error of the request
    with suppress(OSError):
        sock.notify(sock.skb(data, allotted), portid, group, report=report)


class LinkNotifier:
    """Sender of RTM_NEWLINK and RTM_DELLINK to RTNLGRP_LINK. `NetDevices` uses it through the interface
    `LinkMessages`.
    """

    def prepare(
        self,
        type: int,
        device: NetDevice,
        change: int,
        *,
        request: Request | None = None,
        event: int = 0,
        new_net: Net | None = None,
        new_index: int = 0,
    ) -> Callable[[], None]:
        """Build a message from the device's current state, and return a function that sends it.

        Namespaces that the message mentions get ids, even if no socket receives the message.
        """
        net = device.net
        new_nsid = None if new_net is None else peer_id(net, new_net)
        if not wanted(net, rt.RTNLGRP_LINK, request):
            fill_link_netnsid(device, net)
            return lambda: None
        echo = request if request is not None and request.flags & NLM_F_ECHO else None
        data = fill(
            device,
            net,
            type=type,
            change=change,
            seq=0 if echo is None else echo.seq,
            portid=0 if echo is None else echo.portid,
            event=event,
            new_nsid=new_nsid,
            new_index=new_index,
        )
        return lambda: notify(net, rt.RTNLGRP_LINK, data, request)

    def changed(self, device: NetDevice, change: int = 0, request: Request | None = None) -> None:
        """Send RTM_NEWLINK if the device is registered."""
        if device.registered:
            self.prepare(rt.RTM_NEWLINK, device, change, request=request)()

    def on_event(self, event: Event, device: NetDevice, info: object) -> None:
        """Send RTM_NEWLINK after a device event that `EVENTS` lists."""
        if event in EVENTS and device.registered:
            self.prepare(rt.RTM_NEWLINK, device, 0, event=IFLA_EVENT_VALUES.get(event, 0))()
