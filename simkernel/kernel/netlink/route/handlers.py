"""Handlers of NETLINK_ROUTE messages by family and message type (`rtnl_register()`)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import attrs

from simkernel.kernel.net.devices import NetDevices
from simkernel.kernel.netlink.dump import Dump, DumpCallback
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.route import bridge, fib, netconf, nsid
from simkernel.kernel.netlink.route.address4 import Ipv4Addresses
from simkernel.kernel.netlink.route.address6_requests import Ipv6Addresses
from simkernel.kernel.netlink.route.link_change import LinkChanges
from simkernel.kernel.netlink.route.link_get import LinkQueries, dump_ipv6
from simkernel.kernel.netlink.route.link_kinds import LinkKinds
from simkernel.kernel.netlink.route.neighbours import NeighbourTables
from simkernel.kernel.netlink.route.routing import DUMP4, DUMP6, Routing
from simkernel.kernel.netlink.route.statistics import Statistics
from simkernel.kernel.netlink.writer import MessageWriter
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.socket import AF_BRIDGE, AF_INET, AF_INET6, AF_UNSPEC


@attrs.frozen
class Handlers:
    """Handlers of one message type for one family (`struct rtnl_link`)."""

    do: Callable[[Request], object] | None = None
    dump: Dump | None = None
    split_done: bool = False
    """True if NLMSG_DONE is sent in a separate datagram (RTNL_FLAG_DUMP_SPLIT_NLM_DONE)."""
    bulk_delete: bool = False
    """True if a delete request can have NLM_F_BULK (RTNL_FLAG_BULK_DEL_SUPPORTED)."""


@attrs.frozen
class RouteParts:
    """Subsystems that the handlers of NETLINK_ROUTE messages use."""

    devices: NetDevices
    kinds: LinkKinds
    changes: LinkChanges
    ipv4: Ipv4Addresses
    ipv6: Ipv6Addresses
    routing: Routing
    neighbours: NeighbourTables
    unmodelled: Callable[[str, int], Exception]


Table = dict[tuple[int, int], Handlers]


def built_in(parts: RouteParts) -> Table:
    """Return the built-in handlers of NETLINK_ROUTE messages. If a family has no handler for a message type,
    the handler of AF_UNSPEC is used.
    """
    unmodelled, changes = parts.unmodelled, parts.changes
    links, statistics = LinkQueries(parts.kinds, parts.devices.watch.sync), Statistics(unmodelled)
    ids, routing = nsid.NamespaceIds(), parts.routing
    entries = bridge.ForwardingEntries(parts.devices, unmodelled)
    ipv4, ipv6 = parts.ipv4, parts.ipv6
    table: Table = {
        (AF_UNSPEC, rt.RTM_GETLINK): Handlers(links.get, links.dump),
        (AF_UNSPEC, rt.RTM_NEWLINK): Handlers(changes.new),
        (AF_UNSPEC, rt.RTM_SETLINK): Handlers(changes.set),
        (AF_UNSPEC, rt.RTM_DELLINK): Handlers(changes.delete),
        (AF_UNSPEC, rt.RTM_NEWLINKPROP): Handlers(changes.properties),
        (AF_UNSPEC, rt.RTM_DELLINKPROP): Handlers(changes.properties),
        (AF_INET6, rt.RTM_GETLINK): Handlers(dump=dump_ipv6),
        (AF_BRIDGE, rt.RTM_GETLINK): Handlers(dump=bridge.dump_links, split_done=True),
        (AF_BRIDGE, rt.RTM_SETLINK): Handlers(partial(bridge.change_link, unmodelled)),
        (AF_BRIDGE, rt.RTM_DELLINK): Handlers(partial(bridge.change_link, unmodelled)),
        (AF_INET, rt.RTM_NEWADDR): Handlers(ipv4.new),
        (AF_INET, rt.RTM_DELADDR): Handlers(ipv4.delete),
        (AF_INET, rt.RTM_GETADDR): Handlers(dump=ipv4.dump, split_done=True),
        (AF_INET6, rt.RTM_NEWADDR): Handlers(ipv6.new),
        (AF_INET6, rt.RTM_DELADDR): Handlers(ipv6.delete),
        (AF_INET6, rt.RTM_GETADDR): Handlers(ipv6.get, ipv6.dump),
        (AF_INET, rt.RTM_GETNETCONF): Handlers(netconf.IPV4.get, netconf.IPV4.dump),
        (AF_INET6, rt.RTM_GETNETCONF): Handlers(netconf.IPV6.get, netconf.IPV6.dump),
        (AF_INET, rt.RTM_NEWROUTE): Handlers(routing.fib4.new),
        (AF_INET, rt.RTM_DELROUTE): Handlers(routing.fib4.remove),
        (AF_INET, rt.RTM_GETROUTE): Handlers(routing.queries.ipv4, DUMP4),
        (AF_INET6, rt.RTM_NEWROUTE): Handlers(routing.requests6.new),
        (AF_INET6, rt.RTM_DELROUTE): Handlers(routing.requests6.delete),
        (AF_INET6, rt.RTM_GETROUTE): Handlers(routing.queries.ipv6, DUMP6),
        (rt.RTNL_FAMILY_IPMR, rt.RTM_GETROUTE): Handlers(dump=fib.IPMR),
        (rt.RTNL_FAMILY_IP6MR, rt.RTM_GETROUTE): Handlers(dump=fib.IP6MR),
        (AF_UNSPEC, rt.RTM_NEWRULE): Handlers(routing.rules.new),
        (AF_UNSPEC, rt.RTM_DELRULE): Handlers(routing.rules.delete),
        (AF_UNSPEC, rt.RTM_GETRULE): Handlers(dump=routing.rules.dump),
        (AF_UNSPEC, rt.RTM_NEWNEIGH): Handlers(parts.neighbours.new),
        (AF_UNSPEC, rt.RTM_DELNEIGH): Handlers(parts.neighbours.delete),
        (AF_UNSPEC, rt.RTM_GETNEIGH): Handlers(parts.neighbours.get, parts.neighbours.dump),
        (AF_BRIDGE, rt.RTM_NEWNEIGH): Handlers(entries.add),
        (AF_BRIDGE, rt.RTM_DELNEIGH): Handlers(entries.delete, bulk_delete=True),
        (AF_BRIDGE, rt.RTM_GETNEIGH): Handlers(entries.get, bridge.dump_fdb, split_done=True),
        (AF_UNSPEC, rt.RTM_NEWNSID): Handlers(ids.new),
        (AF_UNSPEC, rt.RTM_GETNSID): Handlers(ids.get, nsid.dump),
        (AF_UNSPEC, rt.RTM_GETSTATS): Handlers(statistics.get, statistics.dump),
        (AF_UNSPEC, rt.RTM_SETSTATS): Handlers(statistics.set),
    }
    every_family = Handlers(dump=partial(_dump_all, table))
    return table | {
        (AF_UNSPEC, type): every_family for type in (rt.RTM_GETADDR, rt.RTM_GETROUTE, rt.RTM_GETNETCONF)
    }


def _dump_all(table: Table, writer: MessageWriter, callback: DumpCallback) -> bool:
    """Dump all families in sequence (`rtnl_dump_all()`). An error is sent in a separate datagram."""
    first, context = callback.context or (1, None)
    for family in range(first, rt.RTNL_FAMILY_MAX + 1):
        handlers = table.get((family, callback.request.type))
        if handlers is not None and handlers.dump is not None:
            callback.context = context
            if family != first:
                callback.begin_sequence()
            try:
                handlers.dump(writer, callback)
            except OSError:
                if not writer.data:
                    raise
                return True
            finally:
                callback.context = (family, callback.context)
        context = None
    callback.context = (rt.RTNL_FAMILY_MAX + 1, None)
    return bool(writer.data)


def split_done(dump: Dump, writer: MessageWriter, callback: DumpCallback) -> bool:
    """Run a dump so that NLMSG_DONE is sent in a separate datagram (`rtnl_dumpit()`).

    The last call of `dump` writes no message. It parses the request again, so NLMSG_DONE has its extended
    ACK.
    """
    dump(writer, callback)
    return bool(writer.data)
