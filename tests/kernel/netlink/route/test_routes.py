"""Messages about routes (RTM_*ROUTE): random routes, expiry and age, and attributes that are not modelled."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkernel import Machine, NotModelled
from simkernel.uapi import netlink as nl
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.errno import ENETUNREACH
from simkernel.uapi.netlink import NETLINK_ROUTE, attribute, iterate_attributes, iterate_messages, message
from simkernel.uapi.rtnetlink import IfInfoMsg, RtaCacheinfo, RtMsg, RtNextHop
from simkernel.uapi.socket import AF_INET, AF_INET6, AF_NETLINK, MSG_DONTWAIT, SOCK_RAW, SOL_NETLINK
from simkernel.uapi.structure import S32, U16, U32
from tests.examples import examples

LO = 1
CREATE = nl.NLM_F_REQUEST | nl.NLM_F_ACK | nl.NLM_F_CREATE | nl.NLM_F_EXCL
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Host:
    """A machine with lo up, and a rtnetlink socket in it."""

    def __init__(self, machine: Machine) -> None:
        self.process = machine.blocking(uid=0)
        self.sock = self.process.socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)
        up = IfInfoMsg(index=LO, flags=1, change=1).pack()
        assert self.ask(rt.RTM_NEWLINK, up, nl.NLM_F_REQUEST | nl.NLM_F_ACK) == 0

    def ask(self, type: int, body: bytes, flags: int = CREATE) -> int | bytes:
        """Send a request; return the errno, or the payload of the reply."""
        self.sock.send(message(type, body, flags=flags))
        header, payload = next(iter(iterate_messages(self.sock.recv(65536))))
        return -S32.unpack_from(payload)[0] if header.type == nl.NLMSG_ERROR else bytes(payload)

    def add(self, network: Network, *attributes: bytes, type: int = rt.RTN_UNICAST) -> int | bytes:
        """Add a route over lo."""
        head = RtMsg(
            AF_INET if network.version == 4 else AF_INET6,
            network.prefixlen,
            table=rt.RT_TABLE_MAIN,
            scope=rt.RT_SCOPE_LINK,
            type=type,
        )
        to = attribute(rt.RTA_DST, network.network_address.packed)
        over = attribute(rt.RTA_OIF, U32.pack(LO))
        return self.ask(rt.RTM_NEWROUTE, head.pack() + to + (b"".join(attributes) or over))

    def get(self, address: str, flags: int = 0, *attributes: bytes) -> int | dict[int, bytes]:
        """Look up an address. Return the errno, or the route's attributes by type. The key 0 holds the prefix
        length.
        """
        packed = ipaddress.ip_address(address).packed
        family = AF_INET if len(packed) == 4 else AF_INET6
        head = RtMsg(family, 8 * len(packed), flags=flags).pack()
        body = head + attribute(rt.RTA_DST, packed) + b"".join(attributes)
        answer = self.ask(rt.RTM_GETROUTE, body, nl.NLM_F_REQUEST)
        if isinstance(answer, int):
            return answer
        return {0: bytes([answer[1]]), **dict(iterate_attributes(answer, RtMsg.SIZE))}


@pytest.fixture
def host() -> Iterator[Host]:
    with Machine(udev=False, unmodelled="raise") as machine:
        yield Host(machine)


def networks(version: int) -> st.SearchStrategy[Network]:
    """Return a strategy for prefixes that often overlap, because they lie in one range of 16 addresses."""
    base, bits = ((0x0A000000, 32), (0x20010DB8 << 96, 128))[version == 6]
    low = bits - 4

    def make(value: int, length: int) -> Network:
        address = (ipaddress.IPv4Address, ipaddress.IPv6Address)[version == 6](base + value)
        return ipaddress.ip_network((address, length), strict=False)

    return st.builds(make, st.integers(0, 15), st.integers(low, bits))


@pytest.mark.parametrize("version", [4, 6])
@settings(max_examples=examples(25), deadline=None)
@given(data=st.data())
def test_the_longest_prefix_wins_in_any_order_of_routes(version: int, data: st.DataObject) -> None:
    chosen = data.draw(st.lists(networks(version), unique=True, max_size=8))
    base = (0x0A000000, 0x20010DB8 << 96)[version == 6]
    address = ipaddress.ip_address(base + data.draw(st.integers(0, 15)))
    with Machine(udev=False, unmodelled="raise") as machine:
        host = Host(machine)
        for network in chosen:
            assert host.add(network, type=rt.RTN_LOCAL if version == 6 else rt.RTN_UNICAST) == 0
        found = host.get(str(address), rt.RTM_F_FIB_MATCH)
    covering = [network.prefixlen for network in chosen if address in network]
    assert (ENETUNREACH if isinstance(found, int) else found[0][0]) == max(covering, default=ENETUNREACH)


def test_an_expired_route_is_not_used_and_is_deleted_at_the_next_collection(host: Host) -> None:
    listener = host.process.socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)
    listener.bind((0, 0))
    listener.setsockopt(SOL_NETLINK, nl.NETLINK_ADD_MEMBERSHIP, rt.RTNLGRP_IPV6_ROUTE)
    expires = attribute(rt.RTA_EXPIRES, U32.pack(5))
    network = ipaddress.ip_network("2001:db8::/32")
    assert host.add(network, expires, attribute(rt.RTA_OIF, U32.pack(LO)), type=rt.RTN_LOCAL) == 0
    for flags, lifetime in ((rt.RTM_F_FIB_MATCH, 500), (0, 0)):
        found = host.get("2001:db8::1", flags)
        assert isinstance(found, dict)
        assert RtaCacheinfo.unpack(found[rt.RTA_CACHEINFO]).expires == lifetime
    listener.recv(65536)
    host.process.sleep(6)
    assert host.get("2001:db8::1") == ENETUNREACH
    with pytest.raises(BlockingIOError):
        listener.recv(65536, MSG_DONTWAIT)
    host.process.sleep(25)
    assert U16.unpack_from(listener.recv(65536, MSG_DONTWAIT), 4) == (rt.RTM_DELROUTE,)


@pytest.mark.parametrize(
    ("seconds", "shown"), [(5, 500), (21474836, 2147483600), (21474837, 2**31 - 1), (2**32 - 2, 2**31 - 1)]
)
def test_a_lifetime_is_shown_up_to_int_max(host: Host, seconds: int, shown: int) -> None:
    """RTA_CACHEINFO contains the lifetime in hundredths of a second (`rtnl_put_cacheinfo()`)."""
    expires = attribute(rt.RTA_EXPIRES, U32.pack(seconds))
    over = attribute(rt.RTA_OIF, U32.pack(LO))
    assert host.add(ipaddress.ip_network("2001:db8::/32"), expires, over, type=rt.RTN_LOCAL) == 0
    found = host.get("2001:db8::1", rt.RTM_F_FIB_MATCH)
    assert isinstance(found, dict)
    assert RtaCacheinfo.unpack(found[rt.RTA_CACHEINFO]).expires == shown


def test_the_age_of_a_lookup_is_counted_until_a_route_changes(host: Host) -> None:
    def age() -> int:
        found = host.get("127.0.0.1")
        assert isinstance(found, dict)
        return RtaCacheinfo.unpack(found[rt.RTA_CACHEINFO]).lastuse

    assert age() == 0
    host.process.sleep(1)
    assert age() == 100
    host.add(ipaddress.ip_network("10.0.0.0/8"))
    assert age() == 0


def test_ipv6_routes_requested_without_nlm_f_create_are_logged() -> None:
    """The log lines are those of `fib6_add_1()`, `fib6_add_rt2node()` and `ip6_route_info_create()`."""
    no_table = "NLM_F_CREATE should be specified when creating new route"
    no_flags = "RTM_NEWROUTE with no NLM_F_CREATE or NLM_F_REPLACE"
    no_create = "NLM_F_CREATE should be set when creating new route"
    to = attribute(rt.RTA_DST, ipaddress.ip_address("2001:db8::").packed)
    source = attribute(rt.RTA_SRC, ipaddress.ip_address("2001:db8::").packed)
    metric, over = attribute(rt.RTA_PRIORITY, U32.pack(5)), attribute(rt.RTA_OIF, U32.pack(LO))
    with Machine(udev=False, unmodelled="raise") as machine:
        host = Host(machine)
        for flags, bits, source_bits, attributes, texts in (
            (0, 48, 0, b"", [no_table, no_flags, no_create, no_create]),
            (0, 48, 0, b"", [no_flags]),
            (0, 48, 32, source, [no_flags, no_create, no_create]),
            (nl.NLM_F_REPLACE, 48, 0, metric, ["NLM_F_REPLACE set, but no existing node found!"]),
            (nl.NLM_F_REPLACE, 47, 0, b"", ["Can't replace route, no match found"]),
            (nl.NLM_F_CREATE, 47, 0, b"", []),
        ):
            before = len(machine.log.records)
            head = RtMsg(AF_INET6, bits, source_bits, table=77, type=rt.RTN_LOCAL).pack()
            host.ask(rt.RTM_NEWROUTE, head + to + over + attributes, nl.NLM_F_REQUEST | nl.NLM_F_ACK | flags)
            logged = [record.text for record in machine.log.records[before:]]
            assert logged == [f"IPv6: {text}" for text in texts]


def test_a_route_that_depends_on_a_packet_is_not_modelled(host: Host) -> None:
    hop = RtNextHop(RtNextHop.SIZE, index=LO).pack()
    assert host.add(ipaddress.ip_network("10.0.0.0/8"), attribute(rt.RTA_MULTIPATH, 2 * hop)) == 0
    with pytest.raises(NotModelled, match="choice among the next hops"):
        host.get("10.0.0.1")
    with pytest.raises(NotModelled, match="incoming"):
        host.get("127.0.0.1", 0, attribute(rt.RTA_IIF, struct.pack("<I", LO)))


def test_a_route_into_a_tunnel_is_not_modelled(host: Host) -> None:
    tunnel = attribute(rt.RTA_ENCAP_TYPE, U16.pack(1)), nl.nested(rt.RTA_ENCAP)
    with pytest.raises(NotModelled, match="RTA_ENCAP"):
        host.add(ipaddress.ip_network("10.0.0.0/8"), *tunnel)
