"""Addresses of links: notifications, dumps and routes after each change."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkernel import Machine
from simkernel.testing import world
from simkernel.uapi import if_addr as ia
from simkernel.uapi import if_link as il
from simkernel.uapi import netlink as nl
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.errno import EINVAL
from simkernel.uapi.socket import AF_INET, AF_INET6, AF_NETLINK, AF_UNSPEC, SOCK_RAW
from tests.conformance.cases.addresses import family, ipv4, ipv6, lifetimes
from tests.examples import examples

REQUEST, ACK, DUMP = nl.NLM_F_REQUEST, nl.NLM_F_ACK, nl.NLM_F_DUMP
SECOND = 1_000_000_000
PEER, END = 2, 3
MAC = bytes((2, 0, 0, 0, 0, 10))


class Changer:
    """A program that changes addresses, and its table of the notified addresses."""

    def __init__(self, machine: Machine, groups: tuple[int, ...] = (5, 9)) -> None:
        self.machine = machine
        program = machine.blocking()
        self.sock = program.socket(AF_NETLINK, SOCK_RAW, nl.NETLINK_ROUTE)
        self.listener = program.socket(AF_NETLINK, SOCK_RAW, nl.NETLINK_ROUTE)
        self.listener.bind((0, sum(1 << (group - 1) for group in groups)))
        for each in (self.sock, self.listener):
            each.setblocking(False)

    def received(self, sock: Any) -> Iterator[tuple[nl.NlMsgHdr, bytes]]:
        while True:
            try:
                yield from nl.iterate_messages(sock.recv(65536))
            except BlockingIOError:
                return

    def ask(self, type: int, body: bytes, more: int = ACK) -> list[tuple[nl.NlMsgHdr, bytes]]:
        self.sock.send(nl.message(type, body, flags=REQUEST | more))
        return list(self.received(self.sock))

    def change(self, type: int, body: bytes, more: int = 0) -> int:
        """Change an address, and return the errno."""
        (_, payload), *_ = self.ask(type, body, ACK | more)
        return -struct.unpack_from("<i", payload)[0]

    def add(self, body: bytes, more: int = 0) -> int:
        return self.change(rt.RTM_NEWADDR, body, more)

    def delete(self, body: bytes) -> int:
        return self.change(rt.RTM_DELADDR, body)

    def link(self, index: int, *attributes: bytes, up: bool | None = None) -> int:
        header = rt.IfInfoMsg(index=index, flags=bool(up), change=up is not None)
        return self.change(rt.RTM_NEWLINK, header.pack() + b"".join(attributes))

    def veth(self) -> None:
        body = (
            rt.IfInfoMsg().pack() + nl.attribute(il.IFLA_IFNAME, b"v0\0") + nl.attribute(il.IFLA_ADDRESS, MAC)
        )
        info = nl.attribute(il.IFLA_LINKINFO, nl.attribute(il.IFLA_INFO_KIND, b"veth\0"))
        assert self.change(rt.RTM_NEWLINK, body + info, nl.NLM_F_CREATE) == 0

    def dump(self, number: int = AF_UNSPEC) -> list[tuple[nl.NlMsgHdr, bytes]]:
        return self.ask(rt.RTM_GETADDR, rt.IfAddrMsg(number).pack(), DUMP)

    def addresses(self, number: int = AF_UNSPEC) -> list[tuple[Any, ...]]:
        return [row(payload) for header, payload in self.dump(number) if header.type == rt.RTM_NEWADDR]

    def follow(self, table: Counter[tuple[Any, ...]]) -> None:
        """Read the queued notifications. In `table`, set the entry of each notified address to True if the
        address exists.
        """
        for header, payload in self.received(self.listener):
            key = row(payload)[:4]
            table[key] = header.type == rt.RTM_NEWADDR


def row(payload: bytes) -> tuple[Any, ...]:
    """Return family, index, prefix length, local address, scope and flags of a message."""
    head = rt.IfAddrMsg.unpack(payload)
    attributes = dict(nl.iterate_attributes(payload[rt.IfAddrMsg.SIZE :]))
    local = attributes.get(ia.IFA_LOCAL, attributes.get(ia.IFA_ADDRESS, b""))
    bits = struct.unpack("<I", attributes[ia.IFA_FLAGS])[0]
    return head.family, head.index, head.prefixlen, local.hex(), head.scope, bits


@pytest.fixture
def changer() -> Iterator[Changer]:
    with world() as made:
        changer = Changer(made.machine)
        changer.veth()
        yield changer


# -- properties of all sequences --------------------------------------------------

TEXTS = [f"10.0.{subnet}.{host}" for subnet in (0, 1) for host in (1, 2, 3)]
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(
            st.just("add"), st.sampled_from(TEXTS), st.sampled_from((16, 24)), st.sampled_from((0, 253))
        ),
        st.tuples(st.just("delete"), st.sampled_from(TEXTS), st.sampled_from((16, 24)), st.just(0)),
        st.tuples(
            st.just("add6"), st.sampled_from(("fd00::1", "fe80::1", "fd01::2")), st.just(64), st.just(0)
        ),
        st.tuples(st.just("delete6"), st.sampled_from(("fd00::1", "fe80::1")), st.just(64), st.just(0)),
        st.tuples(st.just("promote"), st.just(""), st.just(0), st.just(0)),
        st.tuples(st.sampled_from(("up", "down")), st.just(""), st.just(0), st.just(0)),
    ),
    max_size=20,
)


@settings(max_examples=examples(30))
@given(OPERATIONS)
def test_a_table_kept_from_notifications_equals_a_dump(operations: list[tuple[str, str, int, int]]) -> None:
    with world() as made:
        changer = Changer(made.machine)
        changer.veth()
        table: Counter[tuple[Any, ...]] = Counter()
        for what, text, length, scope in operations:
            match what:
                case "add":
                    changer.add(ipv4(END, text, length, scope=scope))
                case "delete":
                    changer.delete(ipv4(END, text, length, peer=text))
                case "add6":
                    changer.add(ipv6(END, text))
                case "delete6":
                    changer.delete(ipv6(END, text))
                case "promote":
                    changer.link(
                        END, family(AF_INET, nl.attribute(1, nl.attribute(20, struct.pack("<I", 1))))
                    )
                case _:
                    changer.link(END, up=what == "up")
            made.machine.run()  # The end of duplicate address detection sends a notification.
            changer.follow(table)
            rows = changer.addresses()
            assert {key for key, present in table.items() if present} == {each[:4] for each in rows}
            check_order([each for each in rows if each[0] == AF_INET])


def check_order(rows: list[tuple[Any, ...]]) -> None:
    """Check that the first address of each subnet is primary and that the later ones are secondary. Check
    that primary addresses come before secondary ones and are sorted by descending scope number.
    """
    subnets = set()
    for _, _, length, local, _, bits in rows:
        subnet = (length, int(local, 16) >> (32 - length))
        assert bool(bits & ia.IFA_F_SECONDARY) == (subnet in subnets)
        subnets.add(subnet)
    primary = [each for each in rows if not each[5] & ia.IFA_F_SECONDARY]
    assert rows[: len(primary)] == primary
    assert [each[4] for each in primary] == sorted((each[4] for each in primary), reverse=True)


# -- dumps ------------------------------------------------------------------------


def test_a_dump_of_all_families_continues_in_further_datagrams(changer: Changer) -> None:
    for host in range(1, 201):
        assert changer.add(ipv4(END, f"10.0.0.{host}")) == 0
    for host in range(1, 101):
        assert changer.add(ipv6(PEER, f"fd00::{host:x}")) == 0
    rows = changer.addresses()
    assert len(rows) == len(set(rows)) == 300
    assert not any(header.flags & nl.NLM_F_DUMP_INTR for header, _ in changer.dump())


@pytest.mark.parametrize(
    ("body", "interrupted"), [(ipv4(END, "10.0.0.201"), True), (ipv6(END, "fd00::1"), False)]
)
def test_a_change_between_two_datagrams_interrupts_the_dump_of_its_family(
    changer: Changer, body: bytes, interrupted: bool
) -> None:
    for host in range(1, 201):
        changer.add(ipv4(END, f"10.0.0.{host}"))
    reader = Changer(changer.machine)
    reader.sock.send(nl.message(rt.RTM_GETADDR, rt.IfAddrMsg(AF_INET).pack(), flags=REQUEST | DUMP))
    reader.sock.recv(4096)
    assert changer.add(body) == 0
    rest = list(reader.received(reader.sock))
    assert any(header.flags & nl.NLM_F_DUMP_INTR for header, _ in rest) == interrupted


def test_a_dump_of_all_families_returns_each_address_once_however_it_is_cut(changer: Changer) -> None:
    for host in range(1, 81):
        changer.add(ipv4(END, f"10.0.0.{host}"))
        changer.add(ipv6(END, f"fd00::{host:x}"))
    expected = changer.addresses(AF_INET) + changer.addresses(AF_INET6)
    reader = Changer(changer.machine).sock
    reader.send(nl.message(rt.RTM_GETADDR, rt.IfAddrMsg(AF_UNSPEC).pack(), flags=REQUEST | DUMP))
    datagrams = []
    with suppress(BlockingIOError):
        while True:
            datagrams.append(reader.recv(4096))
    messages = [each for datagram in datagrams for each in nl.iterate_messages(datagram)]
    assert messages.pop()[0].type == nl.NLMSG_DONE
    assert [row(payload) for _, payload in messages] == expected
    assert len(datagrams) > 3


@pytest.mark.parametrize(("other", "shared"), [("fd00:0:0:1::1", False), ("fd00::2", True)])
def test_the_prefix_route_stays_while_another_address_has_the_same_prefix(
    changer: Changer, other: str, shared: bool
) -> None:
    """`ipv6_prefix_equal()` compares all bits: two /64 prefixes that differ only in the last bit are
    different.
    """
    changer.link(END, up=True)
    for text in ("fd00::1", other):
        assert changer.add(ipv6(END, text, 64)) == 0
    assert changer.delete(ipv6(END, "fd00::1", 64)) == 0
    routes = changer.machine.blocking().read_file("/proc/net/ipv6_route").decode().splitlines()
    prefixes = [line.split()[0] for line in routes if line.split()[1] == "40"]
    assert (f"fd{0:030x}" in prefixes) == shared


# -- time -------------------------------------------------------------------------


def test_duplicate_address_detection_ends_within_two_seconds(changer: Changer) -> None:
    machine = changer.machine
    for index in (END, PEER):
        changer.link(index, up=True)
    machine.run(until=machine.engine.time() + SECOND // 1000)  # linkwatch activates the links
    tentative = [each[5] & ia.IFA_F_TENTATIVE for each in changer.addresses(AF_INET6)]
    assert tentative == [ia.IFA_F_TENTATIVE] * 2
    start = machine.engine.time()
    machine.run()
    assert 1 <= (machine.engine.time() - start) / SECOND < 2
    assert not any(each[5] & ia.IFA_F_TENTATIVE for each in changer.addresses(AF_INET6))


def test_run_ends_when_all_lifetimes_have_ended(changer: Changer) -> None:
    changer.add(ipv4(END, "10.0.0.1", 24, lifetimes(10, 20)))
    changer.add(ipv6(END, "fd00::1", 64, lifetimes(5, 0xFFFFFFFF)))
    start = changer.machine.engine.time()
    changer.machine.run()
    assert changer.machine.engine.time() - start == pytest.approx(20 * SECOND, rel=1e-3)
    assert [each[3] for each in changer.addresses()] == ["fd00" + "0" * 27 + "1"]


def test_a_longer_lifetime_replaces_the_shorter_one(changer: Changer) -> None:
    changer.add(ipv4(END, "10.0.0.1", 24, lifetimes(10, 20)))
    changer.add(ipv4(END, "10.0.0.1", 24), nl.NLM_F_REPLACE)
    changer.machine.run()
    assert [each[5] for each in changer.addresses()] == [ia.IFA_F_PERMANENT]


def test_a_deleted_link_leaves_no_timer(changer: Changer) -> None:
    changer.add(ipv4(END, "10.0.0.1", 24, lifetimes(10, 20)))
    changer.add(ipv6(END, "fd00::1", 64, lifetimes(10, 20)))
    assert changer.change(rt.RTM_DELLINK, rt.IfInfoMsg(index=END).pack()) == 0
    start = changer.machine.engine.time()
    changer.machine.run()
    assert changer.machine.engine.time() == start


@pytest.mark.parametrize("mode", [2, 3])
def test_a_random_interface_id_stays_the_same(changer: Changer, mode: int) -> None:
    """In the modes STABLE_PRIVACY and RANDOM, a link gets one random id for its link-local addresses."""
    setting = nl.attribute(il.IFLA_AF_SPEC, nl.attribute(AF_INET6, nl.attribute(8, bytes((mode,)))))

    def own() -> list[tuple[Any, ...]]:
        return [each for each in changer.addresses(AF_INET6) if each[1] == END]

    changer.link(PEER, up=True)
    if mode == 2:  # STABLE_PRIVACY needs an id, which only the mode RANDOM makes
        assert changer.link(END, setting) == EINVAL
        changer.link(END, nl.attribute(il.IFLA_AF_SPEC, nl.attribute(AF_INET6, nl.attribute(8, b"\3"))))
        changer.link(END, up=True)
        changer.machine.run()
        changer.link(END, up=False)
    assert changer.link(END, setting) == 0
    seen = []
    for _ in range(2):
        changer.link(END, up=True)
        changer.machine.run()
        seen.append(own())
        changer.link(END, up=False)
        assert own() == []
    ((_, _, length, address, _, flags),) = seen[0]
    assert seen[0] == seen[1]
    assert (length, address[:16]) == (64, "fe80000000000000")
    assert "fffe" not in address[22:26]
    assert flags == ia.IFA_F_PERMANENT | ia.IFA_F_STABLE_PRIVACY
