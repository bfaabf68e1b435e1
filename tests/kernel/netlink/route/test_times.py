"""Ages and remaining lifetimes in messages about neighbours, addresses and routes.

The recorded cases leave them out, because they depend on the time between two calls.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import pytest

from simkernel import Machine
from simkernel.uapi import if_addr as ia
from simkernel.uapi import neighbour as nb
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.netlink import (
    NLM_F_CREATE,
    NLM_F_DUMP,
    NLM_F_REQUEST,
    attribute,
    iterate_attributes,
    message,
)
from simkernel.uapi.socket import AF_INET, AF_INET6
from tests.conformance.cases.fib_lab import packed
from tests.conformance.cases.tabled import ifaddr, lifetimes
from tests.kernel import links

VETH = 3
REPLACE = 0x100
MAC, OTHER = (bytes((2, 0, 0, 0, 0, last)) for last in (8, 9))


@pytest.fixture(scope="module")
def world() -> Iterator[Any]:
    with Machine(udev=False) as machine:
        app = machine.blocking(uid=0)
        links.add_veth(app, "va", "vb")
        for name in ("va", "vb"):
            assert links.up(app, name) == "0"
        links.settle(app, 5)
        yield app


def replies(world: Any, type: int, body: bytes, size: int, flags: int = NLM_F_DUMP) -> list[dict[int, bytes]]:
    """Return the attributes of each message of a reply."""
    with links.route_socket(world) as sock:
        sock.send(message(type, body, flags=NLM_F_REQUEST | flags, seq=1))
        return [
            dict(iterate_attributes(data[size:])) for head, data in links.messages(sock) if head.type != 3
        ]


def neighbour(state: int, mac: bytes = MAC) -> bytes:
    head = nb.NdMsg(AF_INET, index=VETH, state=state).pack()
    return head + attribute(nb.NDA_DST, packed("10.0.0.9")) + attribute(nb.NDA_LLADDR, mac)


def ages(world: Any, flags: int = NLM_F_DUMP) -> list[int]:
    """Return confirmed, used, updated and the reference count of the neighbour (struct nda_cacheinfo)."""
    body = nb.NdMsg(AF_INET).pack()
    if not flags:
        body = nb.NdMsg(AF_INET, index=VETH).pack() + attribute(nb.NDA_DST, packed("10.0.0.9"))
    (found,) = (
        each for each in replies(world, rt.RTM_GETNEIGH, body, nb.NdMsg.SIZE, flags)
        if each[nb.NDA_DST] == packed("10.0.0.9")
    )  # fmt: skip
    return list(struct.unpack("<4I", found[nb.NDA_CACHEINFO]))


def test_ages_of_a_neighbour(world: Any) -> None:
    """The kernel sets the last confirmation of a new neighbour to a minute before its creation
    (`neigh_alloc()`, `__neigh_update()`).
    """

    def change(state: int, mac: bytes = MAC) -> None:
        assert links.ask(world, rt.RTM_NEWNEIGH, neighbour(state, mac), NLM_F_CREATE | REPLACE) == "0"

    change(nb.NUD_STALE)
    assert ages(world) == [6000, 0, 0, 0]
    world.sleep(7)
    assert ages(world) == [6700, 700, 700, 0]
    assert ages(world, 0) == [6700, 700, 700, 1]
    change(nb.NUD_STALE)  # changes nothing
    assert ages(world) == [6700, 700, 700, 0]
    change(nb.NUD_STALE, OTHER)
    assert ages(world) == [6000, 700, 0, 0]
    change(nb.NUD_REACHABLE, OTHER)
    assert ages(world) == [0, 700, 0, 1]
    assert ages(world, 0) == [0, 700, 0, 2]
    world.sleep(2)
    change(nb.NUD_REACHABLE, OTHER)
    assert ages(world) == [0, 900, 200, 1]
    change(nb.NUD_PERMANENT, MAC)
    assert ages(world) == [0, 900, 0, 0]
    change(nb.NUD_FAILED)
    world.sleep(1)
    assert ages(world)[:3] == [100, 1000, 100]


@pytest.mark.parametrize("text", ["10.0.0.1/24", "2001:db8::1/64"])
def test_lifetimes_and_times_of_an_address(world: Any, text: str) -> None:
    """Lifetimes count down in seconds. The times of creation and change are in hundredths of a second."""
    family = AF_INET6 if ":" in text else AF_INET

    def show() -> list[int]:
        head = rt.IfAddrMsg(family).pack()
        (found,) = (
            each for each in replies(world, rt.RTM_GETADDR, head, rt.IfAddrMsg.SIZE)
            if packed(text.partition("/")[0]) in (each.get(ia.IFA_LOCAL), each.get(ia.IFA_ADDRESS))
        )  # fmt: skip
        return list(struct.unpack("<4I", found[ia.IFA_CACHEINFO]))

    def change(preferred: int, valid: int, flags: int) -> int:
        assert links.ask(world, rt.RTM_NEWADDR, ifaddr(text, VETH, lifetimes(preferred, valid)), flags) == "0"
        return int(world.monotonic_ns()) // 10_000_000

    created = change(100, 200, NLM_F_CREATE)
    preferred, valid, first, updated = show()
    assert (preferred, valid) == (100, 200)
    assert created - 1 <= first == updated <= created + 1
    for passed in (7, 50, 42):
        world.sleep(passed)
        preferred, valid, *times = show()
        assert times == [first, first]
        total = round((world.monotonic_ns() - first * 10_000_000) / 1e9)
        assert (preferred, valid) == (100 - total, 200 - total)
    changed = change(5, 20, REPLACE)
    preferred, valid, begun, updated = show()
    assert (preferred, valid, begun) == (5, 20, first)
    assert changed - 1 <= updated <= changed + 1
    world.sleep(7)
    assert show()[:2] == [0, 13]
    world.sleep(20)
    with pytest.raises(ValueError, match="not enough values"):
        show()
