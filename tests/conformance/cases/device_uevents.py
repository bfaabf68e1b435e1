"""Uevents of modules and network devices in User-mode Linux, and their order."""

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
"""Part of the device path of a receive queue. By default, record_uevents() omits the uevents of receive
queues, because User-mode Linux is built without CONFIG_RPS and has no such devices.
"""
A, B = 0x52000001, 0x52000002
MAC = bytes.fromhex("02000000000a")


def listener(process: Process, portid: int = A) -> Socket:
    return netlink(process, wire.UEVENT, bind=(portid, 1))


def record_uevents(
    world: World,
    log: Log,
    label: str,
    sock: Socket,
    keep: Callable[[bytes], bool] = lambda data: RX_QUEUE not in data,
    masked: str = "SEQNUM",
) -> None:
    """Record the queued uevents and those of the next 0.1 s, each as a list of lines."""
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
    """Send a request for a link, and record its acknowledgement."""
    log.ask(label, sock, nlmsg(type, REQUEST | ACK | flags, rt.IfInfoMsg(index=index).pack() + attrs, seq=1))


def create(
    log: Log, sock: Socket, name: str, kind: str, index: int, data: bytes = b"", more: bytes = b""
) -> None:
    info = attr(il.IFLA_INFO_KIND, kind.encode())
    if data:
        info += attr(il.IFLA_INFO_DATA | NESTED, data)
    attrs = attr(il.IFLA_IFNAME, name.encode() + b"\0") + attr(il.IFLA_ADDRESS, MAC)
    attrs += more + attr(il.IFLA_LINKINFO | NESTED, info)
    change(log, sock, f"create {name}", rt.RTM_NEWLINK, index, attrs, CREATE | EXCL)


@case(privileged=True, marks=(*MODULES, "time"), oracle=UML)
def modules(world: World, log: Log) -> None:
    """A loaded module emits `add`, an unloaded one `remove`. A module that fails to load emits nothing."""
    sock = listener(world)
    for name in ("llc", "stp", "garp_closed"):
        log.call(f"insmod {name}", world.insmod, name)
        record_uevents(world, log, f"insmod {name}", sock)
    log.call("parameter", world.insmod, "tcp_bic", "beta=x")
    record_uevents(world, log, "parameter", sock)
    for name in ("llc", "stp", "llc"):
        log.call(f"rmmod {name}", world.rmmod, name)
        record_uevents(world, log, f"rmmod {name}", sock)


@case(privileged=True, marks=DEVICES, oracle=UML)
def modules_in_every_namespace(world: World, log: Log) -> None:
    """A module belongs to no namespace: listeners in all namespaces receive its uevents."""
    here, there = listener(world), listener(world.namespace(), B)
    world.insmod("llc")
    record_uevents(world, log, "here", here)
    record_uevents(world, log, "there", there)


@case(privileged=True, marks=(*MODULES, "time"), oracle=UML)
def a_class_and_its_device(world: World, log: Log) -> None:
    """A class and a device of a module emit their `add` uevents before the module emits its own. The order of
    the `remove` uevents is the same.
    """
    sock = listener(world)
    world.insmod("slhc")
    record_uevents(world, log, "insmod slhc", sock)
    world.insmod("ppp_generic")
    record_uevents(world, log, "insmod ppp_generic", sock)
    world.rmmod("ppp_generic")
    record_uevents(world, log, "rmmod ppp_generic", sock)


@case(privileged=True, marks=(*DEVICES, "initial_namespace"), oracle=UML)
def devices_of_init(world: World, log: Log) -> None:
    """If a module's init function registers devices, they emit uevents before the module does, and only in
    the initial namespace.
    """
    numbers = "SEQNUM|IFINDEX"  # An earlier case may have created devices in the initial namespace.
    initial, other = listener(world.initial_namespace()), listener(world.namespace(), B)
    log.call("insmod", world.insmod, "dummy", "numdummies=2")
    record_uevents(world, log, "initial namespace", initial, masked=numbers)
    record_uevents(world, log, "another", other)
    log.call("rmmod", world.rmmod, "dummy")
    record_uevents(world, log, "initial namespace", initial, masked=numbers)
    record_uevents(world, log, "another", other)


@case(privileged=True, marks=DEVICES, oracle=UML)
def numbers_of_devices(world: World, log: Log) -> None:
    """The module `dummy` creates no device if `numdummies` is below 1."""
    for number in ("0", "-1", "-2147483648"):
        log.call(number, world.insmod, "dummy", f"numdummies={number}")
        log.call("rmmod", world.rmmod, "dummy")


@case(privileged=True, marks=DEVICES, oracle=UML)
def a_link(world: World, log: Log) -> None:
    """A link and its queues emit uevents when the link is created, renamed or deleted. Other changes emit no
    uevent.
    """
    world.insmod("dummy", "numdummies=0")
    here = world.namespace()
    sock, route = listener(here), netlink(here, wire.ROUTE)
    create(log, route, "d0", "dummy", 10)
    record_uevents(here, log, "created", sock)
    for label, attrs in (
        ("mtu", attr(il.IFLA_MTU, u32(1400))),
        ("alias", attr(il.IFLA_IFALIAS, b"front")),
        ("name", attr(il.IFLA_IFNAME, b"d1\0")),
        ("same name", attr(il.IFLA_IFNAME, b"d1\0")),
        ("address", attr(il.IFLA_ADDRESS, MAC[:5] + b"\x0b")),
    ):
        change(log, route, label, rt.RTM_NEWLINK, 10, attrs)
        record_uevents(here, log, label, sock)
    body = rt.IfInfoMsg(index=10, flags=il.IFF_UP, change=il.IFF_UP).pack()
    log.ask("up", route, nlmsg(rt.RTM_NEWLINK, REQUEST | ACK, body, seq=1))
    record_uevents(here, log, "up", sock)
    change(log, route, "delete", rt.RTM_DELLINK, 10, b"")
    record_uevents(here, log, "deleted", sock)


@case(privileged=True, marks=DEVICES, oracle=UML)
def a_link_that_goes_with_its_module(world: World, log: Log) -> None:
    """If rmmod deletes the links of a module, their `remove` uevents come before the `remove` uevent of the
    module.
    """
    world.insmod("dummy", "numdummies=0")
    here = world.namespace()
    sock, route = listener(here), netlink(here, wire.ROUTE)
    create(log, route, "d0", "dummy", 10)
    record_uevents(here, log, "created", sock)
    log.call("rmmod", world.rmmod, "dummy")
    record_uevents(here, log, "rmmod", sock)


@case(privileged=True, marks=DEVICES, oracle=UML)
def loaded_for_a_link(world: World, log: Log) -> None:
    """If the kernel loads a module to create a link, the module's uevent comes before the link's."""
    here = world.namespace()
    sock, route = listener(here), netlink(here, wire.ROUTE)
    create(log, route, "d0", "dummy", 10)
    record_uevents(here, log, "created", sock)


@case(privileged=True, marks=DEVICES, oracle=UML)
def a_pair(world: World, log: Log) -> None:
    """If a veth pair is created, the peer emits its `add` uevent first. If one end is deleted, both ends emit
    `remove`.
    """
    world.insmod("veth")
    here = world.namespace()
    sock, route = listener(here), netlink(here, wire.ROUTE)
    peer = rt.IfInfoMsg(index=21).pack() + attr(il.IFLA_IFNAME, b"v1\0")
    create(log, route, "v0", "veth", 20, attr(il.VETH_INFO_PEER, peer))
    record_uevents(here, log, "created", sock)
    change(log, route, "delete", rt.RTM_DELLINK, 21, b"")
    record_uevents(here, log, "deleted", sock)


@case(privileged=True, marks=DEVICES, oracle=UML)
def another_namespace(world: World, log: Log) -> None:
    """A link that moves to another namespace emits `remove` in the old one and `add` in the new one."""
    world.insmod("dummy", "numdummies=0")
    here, there = world.namespace(), world.namespace()
    old, new, route = listener(here), listener(there, B), netlink(here, wire.ROUTE)
    here.set_nsid(there, 5)
    create(log, route, "d0", "dummy", 10)
    record_uevents(here, log, "created", old)
    change(log, route, "move", rt.RTM_NEWLINK, 10, attr(il.IFLA_TARGET_NETNSID, u32(5)))
    change(log, route, "move to", rt.RTM_NEWLINK, 10, attr(il.IFLA_NEW_NETNSID, u32(5)))
    record_uevents(here, log, "here", old)
    record_uevents(here, log, "there", new)


@case(privileged=True, marks=DEVICES, oracle=UML)
def a_bridge_and_its_port(world: World, log: Log) -> None:
    """Uevents of a bridge, and of a port that is added and removed."""
    for name in ("llc", "stp", "bridge"):
        world.insmod(name)
    world.insmod("dummy", "numdummies=0")
    here = world.namespace()
    sock, route = listener(here), netlink(here, wire.ROUTE)
    create(log, route, "b0", "bridge", 30)
    record_uevents(here, log, "bridge", sock)
    create(log, route, "d0", "dummy", 10)
    record_uevents(here, log, "dummy", sock)
    for label, master in (("port", 30), ("no port", 0), ("port again", 30)):
        change(log, route, label, rt.RTM_NEWLINK, 10, attr(il.IFLA_MASTER, u32(master)))
        record_uevents(here, log, label, sock)
    change(log, route, "delete", rt.RTM_DELLINK, 30, b"")
    record_uevents(here, log, "deleted", sock)
