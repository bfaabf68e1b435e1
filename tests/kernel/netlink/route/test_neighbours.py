"""RTM_*NEIGH on existing links: replies to random requests, as on Linux 6.18."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from random import Random
from typing import Any, Final

import pytest

from simkernel import Machine
from simkernel.uapi import if_link as il
from simkernel.uapi import neighbour as nb
from simkernel.uapi import netlink as nl
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.neighbour import NdMsg
from simkernel.uapi.netlink import attribute, iterate_attributes, message
from simkernel.uapi.socket import AF_INET, AF_INET6, AF_UNSPEC, SOL_NETLINK
from simkernel.uapi.structure import S32, U32
from tests.kernel import links
from tests.kernel.host import expect_as_on_this_host, only_6_18

STEPS: Final = 400
STATES: Final = (0x80, 0x80, 0x40, 0x02, 0x04, 0x04, 0x20, 0x00, 0xC0, 0x84)
"""The states PERMANENT, NOARP, REACHABLE, STALE, FAILED and NONE, and a combination of two."""
FLAGS: Final = (0, 0, 0, nb.NTF_ROUTER, nb.NTF_EXT_LEARNED, nb.NTF_PROXY, nb.NTF_STICKY)
CREATE: Final = (0, nl.NLM_F_CREATE, nl.NLM_F_CREATE, nl.NLM_F_CREATE | nl.NLM_F_REPLACE,
                 nl.NLM_F_CREATE | nl.NLM_F_EXCL, nl.NLM_F_REPLACE)  # fmt: skip
ADDRESSES: Final = {
    AF_INET: [bytes((10, 0, 0, last)) for last in range(4)] + [bytes((224, 0, 0, 9)), b"\xff" * 4],
    AF_INET6: [b"\xfd" + bytes(14) + bytes([last]) for last in range(4)]
    + [b"\xff\x05" + bytes(13) + b"\x77"],
}
OURS: Final = {*ADDRESSES[AF_INET], *ADDRESSES[AF_INET6], bytes(4)}


def describe(type: int, header: Any, payload: bytes) -> list[object]:
    """Return a message without the fields that depend on the time."""
    head = NdMsg.unpack(payload)
    found = [
        [each, value[12:].hex() if each == nb.NDA_CACHEINFO else value.hex()]
        for each, value in iterate_attributes(payload[NdMsg.SIZE :])
    ]
    return [
        type,
        header.flags,
        bool(header.pid),
        head.family,
        head.index,
        head.state,
        head.flags,
        head.type,
        found,
    ]


def is_ours(payload: bytes) -> bool:
    return dict(iterate_attributes(payload[NdMsg.SIZE :])).get(nb.NDA_DST) in OURS


def draw(random: Random) -> tuple[int, bytes, int]:
    """Return a random request: type, body and flags."""
    family = random.choice((AF_INET,) * 10 + (AF_INET6,) * 10 + (0, 200))
    key = random.choice(ADDRESSES.get(family, ADDRESSES[AF_INET]))
    index = random.choice((2, 2, 2, 3, 3, 1, 4, 4, 0, 99))
    type = random.choice((rt.RTM_NEWNEIGH,) * 5 + (rt.RTM_DELNEIGH,) * 2 + (rt.RTM_GETNEIGH,))
    state, flags = random.choice(STATES), random.choice(FLAGS)
    attributes = attribute(nb.NDA_DST, key[: len(key) - (random.random() < 0.05)])
    if type == rt.RTM_GETNEIGH:
        state, flags = 0, random.choice((0, 0, nb.NTF_PROXY))
    elif random.random() < 0.7:
        size = random.choice((6, 6, 6, 6, 5, 7))
        attributes += attribute(nb.NDA_LLADDR, bytes((2, 0, 0, 0, 0, random.randrange(2), 9))[:size])
    if type == rt.RTM_NEWNEIGH:
        if random.random() < 0.2:
            attributes += attribute(nb.NDA_PROTOCOL, bytes([random.choice((0, 4, 9))]))
        if random.random() < 0.1:
            attributes += attribute(nb.NDA_FLAGS_EXT, U32.pack(random.choice((0, 2, 8))))
    wanted = random.choice(CREATE) if type == rt.RTM_NEWNEIGH else 0
    return type, NdMsg(family=family, index=index, state=state, flags=flags).pack() + attributes, wanted


def neighbours(world: Any, seed: int = 13, steps: int = STEPS) -> list[object]:
    """Change neighbours and links at random. Return replies, notifications and dumps."""
    random = Random(seed)
    macs = [attribute(il.IFLA_ADDRESS, bytes((2, 1, 1, 1, 1, last))) for last in range(2)]
    links.add_veth(world, "va", "vb", macs[0], macs[1])
    links.add(world, "br0", "bridge", more=attribute(il.IFLA_ADDRESS, bytes((2, 1, 1, 1, 1, 4))))
    for name in ("va", "vb", "br0", "lo"):
        links.up(world, name)
    links.settle(world, 2.5)
    listener, sock = links.route_socket(world, rt.RTNLGRP_NEIGH), links.route_socket(world)
    sock.setsockopt(SOL_NETLINK, nl.NETLINK_EXT_ACK, 1)
    seen: list[object] = []

    def replies() -> list[object]:
        found: list[object] = []
        for header, payload in links.messages(sock):
            if header.type == nl.NLMSG_ERROR:
                number = -S32.unpack_from(payload)[0]
                text = b""
                if header.flags & nl.NLM_F_ACK_TLVS:
                    start = 20 if header.flags & nl.NLM_F_CAPPED else 4 + U32.unpack_from(payload, 4)[0]
                    text = dict(iterate_attributes(payload[start:])).get(1, b"")
                found.append([errno.errorcode.get(number, "0"), text.decode()])
            elif header.type != nl.NLMSG_DONE:
                found.append(describe(header.type, header, payload))
        return found

    def news() -> list[object]:
        return [describe(head.type, head, data) for head, data in links.messages(listener) if is_ours(data)]

    def dump(family: int, flags: int, attributes: bytes = b"") -> list[object]:
        body = NdMsg(family=family, flags=flags).pack() + attributes
        sock.send(message(rt.RTM_GETNEIGH, body, flags=nl.NLM_F_REQUEST | nl.NLM_F_DUMP, seq=1))
        found: list[object] = []
        for header, payload in links.messages(sock):
            if header.type != nl.NLMSG_DONE and is_ours(payload):
                found.append(describe(header.type, header, payload))
        return sorted(found, key=repr)

    changes = (
        lambda: links.down(world, "va"), lambda: links.up(world, "va"), lambda: links.down(world, "br0"),
        lambda: links.up(world, "br0"), lambda: links.change(world, "va", macs[random.randrange(2)]),
        lambda: links.change(world, "va", flags=il.IFF_NOARP * random.randrange(2), mask=il.IFF_NOARP),
        lambda: links.change(world, "va", links.number(il.IFLA_MTU, random.choice((1500, 1000, 60 + 8)))),
    )  # fmt: skip
    for step in range(steps):
        if random.random() < 0.06:
            change = random.randrange(len(changes))
            seen.append([step, "change", change, changes[change]()])
            links.settle(world, 0.02)
        else:
            type, body, flags = draw(random)
            sock.send(message(type, body, flags=nl.NLM_F_REQUEST | nl.NLM_F_ACK | flags, seq=step + 1))
            seen.append([step, type, body.hex(), flags, replies()])
        seen.append(sorted(news(), key=repr) if "change" in seen[-1] else news())  # type: ignore[operator]
        if step % 10 == 9:
            only = attribute(nb.NDA_IFINDEX, U32.pack(3))
            seen += [
                dump(AF_UNSPEC, 0),
                dump(AF_INET6, 0),
                dump(AF_INET, nb.NTF_PROXY),
                dump(AF_INET, 0, only),
            ]
    lines = world.read_file("/proc/net/arp").decode().splitlines()
    seen += [lines[0], sorted(lines[1:])]
    for name in ("va", "br0"):
        seen += [links.delete(world, name), sorted(news(), key=repr)]
    return seen


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(udev=False) as machine:
        yield machine


@pytest.mark.long
@only_6_18
def test_random_requests_have_the_results_of_this_host() -> None:
    expect_as_on_this_host(neighbours)


def test_permanent_neighbours_survive_the_loss_of_the_carrier_only(machine: Machine) -> None:
    root = machine.blocking(uid=0)
    links.add_veth(root, "va", "vb")
    for name in ("va", "vb"):
        links.up(root, name)
    flags = nl.NLM_F_CREATE
    for last, state in ((1, nb.NUD_PERMANENT), (2, nb.NUD_STALE)):
        body = NdMsg(AF_INET, index=2, state=state).pack() + attribute(nb.NDA_DST, bytes((10, 0, 0, last)))
        body += attribute(nb.NDA_LLADDR, bytes((2, 0, 0, 0, 0, last)))
        assert links.ask(root, rt.RTM_NEWNEIGH, body, flags) == "0"

    def table() -> list[str]:
        return [line.split()[0] for line in root.read_file("/proc/net/arp").decode().splitlines()[1:]]

    assert table() == ["10.0.0.1", "10.0.0.2"]
    links.down(root, "va")
    links.settle(root)
    assert table() == ["10.0.0.1"]
    links.down(root, "vb")
    assert table() == []
