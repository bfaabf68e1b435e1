"""Uevents in User-mode Linux of modules and of network devices that come, move and go, in their order."""

from __future__ import annotations

import re
from collections.abc import Callable

from simkernel.uapi import if_link as il
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.netlink import NLM_F_CREATE as CREATE
from simkernel.uapi.netlink import NLM_F_EXCL as EXCL
from simkernel.uapi.socket import MSG_DONTWAIT
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.cases.modules import MODULES, UML
from tests.conformance.log import Log
from tests.conformance.wire import ACK, NESTED, REQUEST, attr, nlmsg, u32
from tests.conformance.world import Process, Socket, World

DEVICES = (*MODULES, "namespaces", "time")
RX_QUEUE = b"/queues/rx-"
"""User-mode Linux has no CONFIG_RPS, and so no devices for the queues that receive.  6.18 has them."""
A, B = 0x52000001, 0x52000002
MAC = bytes.fromhex("02000000000a")


def listener(process: Process, portid: int = A) -> Socket:
    return netlink(process, wire.UEVENT, bind=(portid, 1))


def heard(
    world: World,
    log: Log,
    label: str,
    sock: Socket,
    keep: Callable[[bytes], bool] = lambda data: RX_QUEUE not in data,
    masked: str = "SEQNUM",
) -> None:
    """Record the uevents that are there and those that follow in a while, each as its lines."""
    world.wait(0.1)
    events = []
    while True:
        try:
            data = sock.recv(65536, MSG_DONTWAIT)
        except BlockingIOError:
            break
        if keep(data):
            text = re.sub(rf"({masked})=\d+", r"\1=", data.decode())
            events.append(text.rstrip("\0").split("\0"))
    log(label, events)


def change(log: Log, sock: Socket, label: str, type: int, index: int, attrs: bytes, flags: int = 0) -> None:
    """Send an RTM_..LINK request; record the errno of its acknowledgement."""
    log.ask(label, sock, nlmsg(type, REQUEST | ACK | flags, rt.IfInfoMsg(index=index).pack() + attrs, seq=1))


def create(
    log: Log, sock: Socket, name: str, kind: str, index: int, data: bytes = b"", more: bytes = b""
) -> None:
    """Create a link."""
    info = attr(il.IFLA_INFO_KIND, kind.encode())
    if data:
        info += attr(il.IFLA_INFO_DATA | NESTED, data)
    attrs = attr(il.IFLA_IFNAME, name.encode() + b"\0") + attr(il.IFLA_ADDRESS, MAC)
    attrs += more + attr(il.IFLA_LINKINFO | NESTED, info)
    change(log, sock, f"create {name}", rt.RTM_NEWLINK, index, attrs, CREATE | EXCL)


@case(privileged=True, marks=(*MODULES, "time"), oracle=UML)
def modules(world: World, log: Log) -> None:
    """`add` when a module has started, `remove` when it has gone; nothing of one that does not load."""
    sock = listener(world)
    for name in ("llc", "stp", "garp_closed"):
        log.call(f"insmod {name}", world.insmod, name)
        heard(world, log, f"insmod {name}", sock)
    log.call("parameter", world.insmod, "tcp_bic", "beta=x")
    heard(world, log, "parameter", sock)
    for name in ("llc", "stp", "llc"):
        log.call(f"rmmod {name}", world.rmmod, name)
        heard(world, log, f"rmmod {name}", sock)


@case(privileged=True, marks=DEVICES, oracle=UML)
def modules_in_every_namespace(world: World, log: Log) -> None:
    """A module belongs to no namespace: listeners in all namespaces receive its uevents."""
    here, there = listener(world), listener(world.namespace(), B)
    world.insmod("llc")
    heard(world, log, "here", here)
    heard(world, log, "there", there)


@case(privileged=True, marks=(*MODULES, "time"), oracle=UML)
def a_class_and_its_device(world: World, log: Log) -> None:
    """A module that registers a class and a device: these come before the module, and go before it."""
    sock = listener(world)
    world.insmod("slhc")
    heard(world, log, "insmod slhc", sock)
    world.insmod("ppp_generic")
    heard(world, log, "insmod ppp_generic", sock)
    world.rmmod("ppp_generic")
    heard(world, log, "rmmod ppp_generic", sock)


@case(privileged=True, marks=(*DEVICES, "initial_namespace"), oracle=UML)
def devices_of_init(world: World, log: Log) -> None:
    """The devices that a module's init registers come before the module, in the initial namespace alone."""
    numbers = "SEQNUM|IFINDEX"  # another case may have had devices there
    initial, other = listener(world.initial_namespace()), listener(world.namespace(), B)
    log.call("insmod", world.insmod, "dummy", "numdummies=2")
    heard(world, log, "initial namespace", initial, masked=numbers)
    heard(world, log, "another", other)
    log.call("rmmod", world.rmmod, "dummy")
    heard(world, log, "initial namespace", initial, masked=numbers)
    heard(world, log, "another", other)


@case(privileged=True, marks=DEVICES, oracle=UML)
def numbers_of_devices(world: World, log: Log) -> None:
    """`numdummies` below 1 makes no device."""
    for number in ("0", "-1", "-2147483648"):
        log.call(number, world.insmod, "dummy", f"numdummies={number}")
        log.call("rmmod", world.rmmod, "dummy")


@case(privileged=True, marks=DEVICES, oracle=UML)
def a_link(world: World, log: Log) -> None:
    """A link comes with its queues, moves with its name, and goes; no other change has a uevent."""
    world.insmod("dummy", "numdummies=0")
    here = world.namespace()
    sock, route = listener(here), netlink(here, wire.ROUTE)
    create(log, route, "d0", "dummy", 10)
    heard(here, log, "created", sock)
    for label, attrs in (
        ("mtu", attr(il.IFLA_MTU, u32(1400))),
        ("alias", attr(il.IFLA_IFALIAS, b"front")),
        ("name", attr(il.IFLA_IFNAME, b"d1\0")),
        ("same name", attr(il.IFLA_IFNAME, b"d1\0")),
        ("address", attr(il.IFLA_ADDRESS, MAC[:5] + b"\x0b")),
    ):
        change(log, route, label, rt.RTM_NEWLINK, 10, attrs)
        heard(here, log, label, sock)
    body = rt.IfInfoMsg(index=10, flags=il.IFF_UP, change=il.IFF_UP).pack()
    log.ask("up", route, nlmsg(rt.RTM_NEWLINK, REQUEST | ACK, body, seq=1))
    heard(here, log, "up", sock)
    change(log, route, "delete", rt.RTM_DELLINK, 10, b"")
    heard(here, log, "deleted", sock)


@case(privileged=True, marks=DEVICES, oracle=UML)
def a_link_that_goes_with_its_module(world: World, log: Log) -> None:
    """rmmod: the link goes before the module."""
    world.insmod("dummy", "numdummies=0")
    here = world.namespace()
    sock, route = listener(here), netlink(here, wire.ROUTE)
    create(log, route, "d0", "dummy", 10)
    heard(here, log, "created", sock)
    log.call("rmmod", world.rmmod, "dummy")
    heard(here, log, "rmmod", sock)


@case(privileged=True, marks=DEVICES, oracle=UML)
def loaded_for_a_link(world: World, log: Log) -> None:
    """The kernel loads the module of a kind: the module's uevent comes before the link's."""
    here = world.namespace()
    sock, route = listener(here), netlink(here, wire.ROUTE)
    create(log, route, "d0", "dummy", 10)
    heard(here, log, "created", sock)


@case(privileged=True, marks=DEVICES, oracle=UML)
def a_pair(world: World, log: Log) -> None:
    """The peer of a veth comes first; both go together."""
    world.insmod("veth")
    here = world.namespace()
    sock, route = listener(here), netlink(here, wire.ROUTE)
    peer = rt.IfInfoMsg(index=21).pack() + attr(il.IFLA_IFNAME, b"v1\0")
    create(log, route, "v0", "veth", 20, attr(il.VETH_INFO_PEER, peer))
    heard(here, log, "created", sock)
    change(log, route, "delete", rt.RTM_DELLINK, 21, b"")
    heard(here, log, "deleted", sock)


@case(privileged=True, marks=DEVICES, oracle=UML)
def another_namespace(world: World, log: Log) -> None:
    """A link that moves goes here and comes there."""
    world.insmod("dummy", "numdummies=0")
    here, there = world.namespace(), world.namespace()
    old, new, route = listener(here), listener(there, B), netlink(here, wire.ROUTE)
    here.set_nsid(there, 5)
    create(log, route, "d0", "dummy", 10)
    heard(here, log, "created", old)
    change(log, route, "move", rt.RTM_NEWLINK, 10, attr(il.IFLA_TARGET_NETNSID, u32(5)))
    change(log, route, "move to", rt.RTM_NEWLINK, 10, attr(il.IFLA_NEW_NETNSID, u32(5)))
    heard(here, log, "here", old)
    heard(here, log, "there", new)


@case(privileged=True, marks=DEVICES, oracle=UML)
def a_bridge_and_its_port(world: World, log: Log) -> None:
    """A bridge, and a port that comes and goes."""
    for name in ("llc", "stp", "bridge"):
        world.insmod(name)
    world.insmod("dummy", "numdummies=0")
    here = world.namespace()
    sock, route = listener(here), netlink(here, wire.ROUTE)
    create(log, route, "b0", "bridge", 30)
    heard(here, log, "bridge", sock)
    create(log, route, "d0", "dummy", 10)
    heard(here, log, "dummy", sock)
    for label, master in (("port", 30), ("no port", 0), ("port again", 30)):
        change(log, route, label, rt.RTM_NEWLINK, 10, attr(il.IFLA_MASTER, u32(master)))
        heard(here, log, label, sock)
    change(log, route, "delete", rt.RTM_DELLINK, 30, b"")
    heard(here, log, "deleted", sock)
