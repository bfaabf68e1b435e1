"""Tests of the random search for differences in link handling. These tests do not need the host's kernel."""

from __future__ import annotations

import struct
from random import Random

from simkernel.uapi import if_link as il
from simkernel.uapi import neighbour as nb
from simkernel.uapi import rtnetlink as rtnl
from simkernel.uapi.socket import AF_BRIDGE, AF_INET
from tests.conformance import wire
from tests.conformance.live.example import Difference
from tests.conformance.live.links.free import in_order_of, with_free_places
from tests.conformance.live.links.macs import Macs
from tests.conformance.live.links.packets import FILES, without_packets
from tests.conformance.live.links.program import link_program
from tests.conformance.live.render import case_of


def link(*attributes: bytes) -> bytes:
    return wire.nlmsg(rtnl.RTM_NEWLINK, 0, rtnl.IfInfoMsg(index=2).pack() + b"".join(attributes))


def neighbour(
    address: bytes, *, state: int = 0, flags: int = 0, family: int = AF_INET, attribute: int = nb.NDA_DST
) -> bytes:
    head = nb.NdMsg(family, 0, 0, 2, state, flags, 0).pack()
    return wire.nlmsg(rtnl.RTM_NEWNEIGH, 0, head + wire.attr(attribute, address))


def received(data: bytes) -> tuple[str, object]:
    return "ok", (data, [], 0, (0, 0))


def test_seed_determines_the_program_and_the_case() -> None:
    for seed in range(30):
        program = link_program(Random(seed))
        assert program == link_program(Random(seed))
        difference = Difference(0, program[0], 0, ("ok", 1), ("EINVAL", None))
        compile(case_of(program, difference, f"seed {seed}"), "case", "exec")


def test_only_counters_are_not_compared() -> None:
    def message(packets: int, mtu: int) -> bytes:
        inet6 = wire.attr(10, wire.attr(5, struct.pack("<IIII", 65535, packets, packets, 1000)))
        return link(
            wire.attr(il.IFLA_STATS, wire.u32(packets) * 24),
            wire.attr(il.IFLA_MTU, wire.u32(mtu)),
            wire.attr(il.IFLA_AF_SPEC, inet6),
        )

    assert with_free_places(message(7, 1500), message(0, 1500)) == message(0, 1500)
    assert with_free_places(message(7, 1500), message(0, 1400)) == message(0, 1500)


def test_free_part_of_another_length_is_a_difference() -> None:
    longer, shorter = (link(wire.attr(il.IFLA_STATS, bytes(size))) for size in (96, 92))
    assert with_free_places(longer, shorter) == longer


def test_neighbours_are_compared_without_their_order() -> None:
    one, other = neighbour(b"\x0a\0\0\1"), neighbour(b"\x0a\0\0\2")
    done = wire.nlmsg(wire.DONE, 0, bytes(4))
    assert in_order_of(one + other + done, other + one + done) == other + one + done
    entries = [neighbour(bytes(5) + bytes((n,)), family=AF_BRIDGE, attribute=nb.NDA_LLADDR) for n in (1, 2)]
    assert in_order_of(entries[0] + entries[1], entries[1] + entries[0]) == entries[0] + entries[1]


def test_random_address_is_compared_by_role() -> None:
    macs = Macs()
    ours, theirs = b"\x9a\1\2\3\4\5", b"\x5e\6\7\x08\x09\x0a"
    macs.learn(link(wire.attr(il.IFLA_ADDRESS, ours)), link(wire.attr(il.IFLA_ADDRESS, theirs)))
    assert macs.translate((b"x" + ours, 3)) == (b"x" + theirs, 3)
    assert macs.translate(b"\x98\1\2\xff\xfe\3\4\5") == b"\x5c\6\7\xff\xfe\x08\x09\x0a"
    given = b"\x02\xaa\1\2\3\4"
    macs.learn(link(wire.attr(il.IFLA_ADDRESS, given)), link(wire.attr(il.IFLA_ADDRESS, theirs)))
    assert macs.translate(given) == given


def test_effects_of_packets_are_removed() -> None:
    group, host = neighbour(b"\xe0\0\0\x16", state=0x40), neighbour(b"\x0a\0\0\1", state=0x40)
    learned, own = (
        neighbour(b"\x02\xbb\0\0\0\1", flags=flags, family=AF_BRIDGE, attribute=nb.NDA_LLADDR)
        for flags in (0, nb.NTF_SELF)
    )
    assert without_packets([received(group), received(group + host), received(learned + own)]) == [
        received(host),
        received(own),
    ]
    assert without_packets([("EAGAIN", None)]) == [("EAGAIN", None)]


def test_counters_in_proc_are_removed() -> None:
    text = b"Inter-|\n face |\n    lo:    90       1    0\n  br0:    0 0\n"
    assert FILES["/proc/net/dev"](text) == b"Inter-|\n face |\nlo\nbr0\n"
