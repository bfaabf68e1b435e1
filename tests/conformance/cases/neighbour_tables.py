"""NETLINK_ROUTE: many combinations of requests that change neighbours and neighbour proxies."""

from __future__ import annotations

from itertools import product
from typing import Final

from simkernel.uapi import neighbour as nb
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.socket import AF_INET, AF_INET6
from tests.conformance.case import case
from tests.conformance.cases.fib_lab import LO, PEER, ROUTE, VETH, packed
from tests.conformance.cases.link_tables import ABSENT, BRIDGE, MAC, NEIGHBOURS, REPLACE, add_bridge, info
from tests.conformance.cases.tabled import CREATE, Tabled, ifaddr
from tests.conformance.log import Log
from tests.conformance.wire import DUMP, attr, u32
from tests.conformance.world import World


def neighbour(
    text: str,
    index: int = VETH,
    *attributes: bytes,
    family: int = 0,
    state: int = 0,
    flags: int = 0,
    mac: bytes | None = None,
) -> bytes:
    """Return an ndmsg with a network address, attributes, and a hardware address if one is given."""
    data = packed(text)
    family = family or (AF_INET if len(data) == 4 else AF_INET6)
    head = nb.NdMsg(family, index=index, state=state, flags=flags).pack() + attr(nb.NDA_DST, data)
    return head + (b"" if mac is None else attr(nb.NDA_LLADDR, mac)) + b"".join(attributes)


def unicast(lines: list[str]) -> list[str]:
    """Return the sorted lines of a neighbour dump, without multicast addresses and without IPv4 proxies that
    have no link. Linux does not delete such a proxy when its namespace ends, so the dump of another namespace
    can contain it.
    """
    others = "000100ff02", "000100e0", "28 02(9)"
    return sorted(each for each in lines if not any(other in each for other in others))


STATES: Final = (0, nb.NUD_REACHABLE, nb.NUD_STALE, nb.NUD_FAILED, nb.NUD_NOARP, nb.NUD_PERMANENT)
OF_NEIGHBOURS: Final = (
    *("10.0.0.9", "10.0.0.255", "224.0.0.5", "255.255.255.255", "10.0.0.1", "239.129.2.3", "0.0.0.0"),
    *("2001:db8::9", "ff02::5", "ff0e::1:2:3", "2001:db8::1", "::", "fe80::9"),
)


@case(privileged=True, marks=ROUTE)
def states_of_neighbours(world: World, log: Log) -> None:
    """State, hardware address and flags of a neighbour, for each pair of neighbour states, after requests
    that change the neighbour from the first state to the second.
    """
    lab = Tabled(world, log, veth=True, groups=NEIGHBOURS)
    lab.up()
    new, old = 0x600, REPLACE
    other = bytes((2, 0, 0, 0, 0, 0x78))
    for first, second in product(STATES, STATES):
        lab.step(f"{first:#x}", rt.RTM_NEWNEIGH, neighbour("10.0.0.9", state=first, mac=MAC), new)
        label = f"{first:#x} {second:#x}"
        for what, mac, flags in (
            ("same", MAC, 0),
            ("other", other, 0),
            ("none", None, 0),
            ("replaced", other, old),
        ):
            lab.step(f"{label} {what}", rt.RTM_NEWNEIGH, neighbour("10.0.0.9", state=second, mac=mac), flags)
        lab.step(
            f"{label} router",
            rt.RTM_NEWNEIGH,
            neighbour("10.0.0.9", state=second, flags=nb.NTF_ROUTER, mac=MAC),
            old,
        )
        protocol = attr(nb.NDA_PROTOCOL, b"\5")
        lab.step(
            f"{label} protocol",
            rt.RTM_NEWNEIGH,
            neighbour("10.0.0.9", VETH, protocol, state=second, mac=MAC),
            0,
        )
        lab.step(f"{label} delete", rt.RTM_DELNEIGH, neighbour("10.0.0.9"))
        lab.step(f"{label} without address", rt.RTM_NEWNEIGH, neighbour("10.0.0.9", state=second), new)
        lab.step(f"{label} delete", rt.RTM_DELNEIGH, neighbour("10.0.0.9"))


@case(privileged=True, marks=ROUTE)
def kinds_of_neighbours(world: World, log: Log) -> None:
    """The kernel derives the type and the first hardware address of a neighbour from its network address and
    its link.
    """
    lab = Tabled(world, log, veth=True, groups=NEIGHBOURS)
    lab.up()
    add_bridge(lab)
    lab.step("address", rt.RTM_NEWADDR, ifaddr("10.0.0.1/24"), CREATE)
    lab.step("address", rt.RTM_NEWADDR, ifaddr("2001:db8::1/64"), CREATE)
    lab.settle()
    for text, index in product(OF_NEIGHBOURS, (LO, VETH, BRIDGE)):
        for state in (nb.NUD_STALE, nb.NUD_NOARP):
            lab.step(
                f"{text} {index} {state:#x}",
                rt.RTM_NEWNEIGH,
                neighbour(text, index, state=state, mac=MAC),
                CREATE,
            )
        lab.step(
            f"{text} {index} bare", rt.RTM_NEWNEIGH, neighbour(text, index, state=nb.NUD_PERMANENT), 0x400
        )
        lab.log("get", lab.answers(rt.RTM_GETNEIGH, neighbour(text, index), 0))
        lab.step(f"{text} {index} delete", rt.RTM_DELNEIGH, neighbour(text, index))
    for index in (LO, VETH, PEER, BRIDGE):
        lab.step(
            f"stale {index}",
            rt.RTM_NEWNEIGH,
            neighbour("10.0.0.7", index, state=nb.NUD_STALE, mac=MAC),
            CREATE,
        )
        proxy = neighbour("10.0.0.8", index, flags=nb.NTF_PROXY)
        lab.step(f"proxy {index}", rt.RTM_NEWNEIGH, proxy, CREATE)
    lab.step("proxy of all", rt.RTM_NEWNEIGH, neighbour("10.0.0.8", 0, flags=nb.NTF_PROXY), CREATE)
    lab.step("IPv6 proxy of all", rt.RTM_NEWNEIGH, neighbour("2001:db8::8", 0, flags=nb.NTF_PROXY), CREATE)
    lab.step("IPv6 proxy", rt.RTM_NEWNEIGH, neighbour("2001:db8::8", VETH, flags=nb.NTF_PROXY), CREATE)
    protocol = attr(nb.NDA_PROTOCOL, b"\7")
    for flags in (0, nb.NTF_ROUTER, nb.NTF_SELF, nb.NTF_MASTER):
        body = neighbour("10.0.0.5", VETH, protocol, flags=nb.NTF_PROXY | flags, state=nb.NUD_PERMANENT)
        lab.step(f"proxy with {flags}", rt.RTM_NEWNEIGH, body, CREATE)
        lab.log("get", lab.answers(rt.RTM_GETNEIGH, neighbour("10.0.0.5", VETH, flags=nb.NTF_PROXY), 0))
    for bit in range(4):
        extended = attr(nb.NDA_FLAGS_EXT, u32(1 << bit))
        if bit:
            for flags in (0, nb.NTF_PROXY):
                for state in (nb.NUD_PERMANENT, nb.NUD_STALE, 0):
                    if bit == 1 or flags:
                        body = neighbour("10.0.0.6", VETH, extended, flags=flags, state=state, mac=MAC)
                        lab.step(f"extended {bit} {flags} {state}", rt.RTM_NEWNEIGH, body, CREATE)
    for text, index in (("10.0.0.8", 0), ("10.0.0.8", VETH), ("10.0.0.8", PEER), ("10.0.0.9", 0)):
        lab.log(
            f"proxy {text} {index}",
            lab.answers(rt.RTM_GETNEIGH, neighbour(text, index, flags=nb.NTF_PROXY), 0),
        )
    for strict in (False, True):
        if strict:
            lab.strict()
        for flags, family in product((0, nb.NTF_PROXY), (AF_INET, AF_INET6)):
            for more in (
                b"",
                *(
                    attr(type, u32(value))
                    for type in (nb.NDA_IFINDEX, nb.NDA_MASTER)
                    for value in (VETH, BRIDGE, ABSENT, 2**32 - 1)
                ),
            ):
                body = nb.NdMsg(family, flags=flags).pack() + more
                lines = lab.answers(rt.RTM_GETNEIGH, body, DUMP)
                lab.log(f"all {strict} {family} {flags} {more.hex()}", unicast(lines))
    lab.step("delete proxy", rt.RTM_DELNEIGH, neighbour("10.0.0.8", 0, flags=nb.NTF_PROXY))
    lab.link(PEER, False, log=False)
    log("peer down", unicast(lab.events()))
    lab.quietly(rt.RTM_DELLINK, info(VETH))
    log("link deleted", unicast(lab.events()))
    for flags in (0, nb.NTF_PROXY):
        lab.log("left", unicast(lab.answers(rt.RTM_GETNEIGH, nb.NdMsg(AF_INET, flags=flags).pack(), DUMP)))


@case(privileged=True, marks=ROUTE)
def one_neighbour_of_many(world: World, log: Log) -> None:
    """Errors of RTM_GETNEIGH, RTM_NEWNEIGH and RTM_DELNEIGH for each field and attribute of the request."""
    lab = Tabled(world, log, veth=True, groups=NEIGHBOURS)
    lab.up()
    lab.step("new", rt.RTM_NEWNEIGH, neighbour("10.0.0.9", state=nb.NUD_STALE, mac=MAC), CREATE)
    ten = attr(nb.NDA_DST, packed("10.0.0.9"))
    for label, head in {
        "plain": nb.NdMsg(AF_INET, index=VETH),
        "padding": nb.NdMsg(AF_INET, pad1=1, index=VETH),
        "more padding": nb.NdMsg(AF_INET, pad2=1, index=VETH),
        "state": nb.NdMsg(AF_INET, index=VETH, state=2),
        "type": nb.NdMsg(AF_INET, index=VETH, type=1),
        "other link": nb.NdMsg(AF_INET, index=PEER),
        "no link": nb.NdMsg(AF_INET, index=ABSENT),
        "nothing": nb.NdMsg(AF_INET),
        "family": nb.NdMsg(17, index=VETH),
        "IPv6": nb.NdMsg(AF_INET6, index=VETH),
        **{f"flag {1 << bit}": nb.NdMsg(AF_INET, index=VETH, flags=1 << bit) for bit in range(8)},
    }.items():
        lab.log(f"get {label}", lab.answers(rt.RTM_GETNEIGH, head.pack() + ten, 0))
        lab.step(f"del {label}", rt.RTM_DELNEIGH, head.pack() + attr(nb.NDA_DST, packed("10.0.0.8")))
        lab.step(f"change {label}", rt.RTM_NEWNEIGH, head.pack() + attr(nb.NDA_DST, packed("10.0.0.8")))
    plain = nb.NdMsg(AF_INET, index=VETH).pack()
    for type, size in product(range(1, nb.NDA_MAX + 2), (0, 1, 2, 4, 8, 16, 32, 33)):
        more = attr(type, bytes(size))
        lab.log(f"get with {type} of {size}", lab.answers(rt.RTM_GETNEIGH, plain + ten + more, 0))
        lab.log(f"get only {type} of {size}", lab.answers(rt.RTM_GETNEIGH, plain + more, 0))
    lab.log("short", lab.answers(rt.RTM_GETNEIGH, plain[:11], 0))
    lab.step("short", rt.RTM_DELNEIGH, plain[:11])
