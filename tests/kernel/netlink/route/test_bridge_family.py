"""Messages of the family AF_BRIDGE: forwarding entries and ports, as on Linux 6.18."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from random import Random
from typing import Any, Final

import pytest

from simkernel import Machine
from simkernel.engine import NotModelled, seconds
from simkernel.uapi import if_link as il
from simkernel.uapi import neighbour as nb
from simkernel.uapi import netlink as nl
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.if_bridge import BR_STATE_LEARNING, BrPort
from simkernel.uapi.if_link import IfStatsMsg
from simkernel.uapi.neighbour import NdMsg
from simkernel.uapi.netlink import attribute, message
from simkernel.uapi.rtnetlink import IfInfoMsg
from simkernel.uapi.sched import CLONE_NEWNET
from simkernel.uapi.socket import AF_BRIDGE
from simkernel.uapi.structure import S32, U16, U32
from tests.kernel import links
from tests.kernel.host import expect_as_on_this_host, only_6_18

OURS: Final = [bytes((2, 0, 0, 0, 1, last)) for last in range(3)]


def bridge_family(world: Any) -> list[list[object]]:
    """Add and delete forwarding entries at random. Return replies, notifications and dumps."""
    random = Random(7)
    macs = [attribute(il.IFLA_ADDRESS, bytes((2, 1, 1, 1, 1, last))) for last in range(4)]
    links.add_veth(world, "va", "vb", macs[0], macs[1])
    links.add(world, "br0", "bridge", more=macs[2])
    links.add_veth(world, "vc", "vd", macs[3], macs[3])
    links.change(world, "vd", links.number(il.IFLA_MASTER, 4))
    listener, sock = links.route_socket(world, rt.RTNLGRP_NEIGH), links.route_socket(world)
    seen: list[list[object]] = []

    def read(each: Any) -> list[object]:
        found: list[object] = []
        for header, data in links.messages(each):
            if header.type == nl.NLMSG_ERROR:
                found.append(errno.errorcode.get(-S32.unpack_from(data)[0], "0"))
            elif header.type in (rt.RTM_NEWNEIGH, rt.RTM_DELNEIGH):
                if any(address in data for address in OURS):
                    found.append([header.type, header.flags, bool(header.pid), data.hex()])
            elif header.type != nl.NLMSG_DONE:
                found.append([header.type, header.flags, data.hex()])
        return found

    def dump(type: int, body: bytes) -> None:
        sock.send(message(type, body, flags=nl.NLM_F_REQUEST | nl.NLM_F_DUMP, seq=1))
        seen.append(read(sock))

    for step in range(300):
        type = random.choice((rt.RTM_NEWNEIGH, rt.RTM_NEWNEIGH, rt.RTM_DELNEIGH))
        state = random.choice((0x80, 0x80, 0xC0, 0, 0x40, 4))
        flags = random.choice((nb.NTF_SELF,) * 6 + (0, nb.NTF_MASTER, nb.NTF_SELF | nb.NTF_MASTER))
        index = random.choice((2, 2, 3, 3, 1, 0, 99))
        attributes = attribute(nb.NDA_LLADDR, random.choice(OURS)[: 6 - (random.random() < 0.05)])
        if random.random() < 0.15:
            attributes += attribute(nb.NDA_VLAN, U16.pack(random.choice((0, 1, 4095))))
        if random.random() < 0.1:
            attributes += attribute(nb.NDA_FLAGS_EXT, U32.pack(1))
        create = nl.NLM_F_CREATE | random.choice((0, nl.NLM_F_EXCL)) if type == rt.RTM_NEWNEIGH else 0
        body = NdMsg(AF_BRIDGE, index=index, state=state, flags=flags).pack() + attributes
        sock.send(message(type, body, flags=nl.NLM_F_REQUEST | nl.NLM_F_ACK | create, seq=step + 1))
        seen.append([step, type, body.hex(), create, read(sock), read(listener)])
        if step % 20 == 19:
            dump(rt.RTM_GETNEIGH, NdMsg(AF_BRIDGE).pack())
            dump(rt.RTM_GETNEIGH, IfInfoMsg(AF_BRIDGE).pack() + links.number(il.IFLA_MASTER, 4))
    dump(rt.RTM_GETLINK, IfInfoMsg(AF_BRIDGE).pack())
    for index, mask in ((index, mask) for index in (1, 2, 4, 5) for mask in range(1, 32)):
        request = IfStatsMsg(index=index, filter_mask=mask).pack()
        sock.send(message(rt.RTM_GETSTATS, request, flags=nl.NLM_F_REQUEST))
        seen.append(read(sock))
    return seen


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(udev=False) as machine:
        yield machine


@only_6_18
def test_answers_are_those_of_this_host() -> None:
    expect_as_on_this_host(bridge_family)


def test_further_addresses_stay_behind_when_their_device_moves(machine: Machine) -> None:
    root = machine.blocking(uid=0)
    here = root.open("/proc/self/ns/net", os.O_RDONLY)
    links.add_veth(root, "va", "vb")
    body = NdMsg(AF_BRIDGE, index=3, state=nb.NUD_PERMANENT, flags=nb.NTF_SELF).pack()
    body += attribute(nb.NDA_LLADDR, OURS[0])
    assert links.ask(root, rt.RTM_NEWNEIGH, body, nl.NLM_F_CREATE | nl.NLM_F_EXCL) == "0"
    assert links.ask(root, rt.RTM_NEWNEIGH, body, nl.NLM_F_CREATE | nl.NLM_F_EXCL) == "EEXIST"
    root.unshare(CLONE_NEWNET)
    there = links.number(il.IFLA_NET_NS_FD, root.open("/proc/self/ns/net", os.O_RDONLY))
    root.setns(here)
    assert links.change(root, "va", there) == "0"
    root.setns(int.from_bytes(there[4:], "little"))
    assert links.ask(root, rt.RTM_NEWNEIGH, body, nl.NLM_F_CREATE | nl.NLM_F_EXCL) == "0"


def test_requests_that_are_not_modelled_raise() -> None:
    """A dump lacks the addresses of multicast groups. A request for such an address raises NotModelled."""
    with Machine(udev=False, unmodelled="raise") as machine:
        root = machine.blocking(uid=0)
        links.add_veth(root, "va", "vb")
        links.add(root, "br0", "bridge")
        links.change(root, "va", links.number(il.IFLA_MASTER, 4))
        for name in ("va", "vb", "br0"):
            links.up(root, name)
        machine.run(until=seconds(2))  # the link has a carrier
        body = NdMsg(AF_BRIDGE, index=3, state=nb.NUD_PERMANENT, flags=nb.NTF_SELF).pack()
        body += attribute(nb.NDA_LLADDR, bytes.fromhex("01005e000001"))
        for type in (rt.RTM_NEWNEIGH, rt.RTM_DELNEIGH):
            with pytest.raises(NotModelled, match="a multicast address of a network device"):
                links.ask(root, type, body, nl.NLM_F_CREATE)
        state = attribute(BrPort.STATE, bytes((BR_STATE_LEARNING,)))
        with pytest.raises(NotModelled, match="the port state learning is not modelled"):
            links.ask(root, rt.RTM_SETLINK, port(attribute(il.IFLA_PROTINFO | nl.NLA_F_NESTED, state)))
        vlan = attribute(il.IFLA_AF_SPEC, attribute(2, bytes(4)))
        with pytest.raises(NotModelled, match="VLAN, MRP, CFM and MST settings"):
            links.ask(root, rt.RTM_SETLINK, port(vlan))


def port(settings: bytes) -> bytes:
    """Return the payload of a request that changes `settings` of the link with index 3."""
    return IfInfoMsg(AF_BRIDGE, index=3).pack() + settings
