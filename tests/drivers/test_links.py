"""The link drivers: dummy, veth and bridge."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from simkernel import Machine, seconds
from simkernel.kernel.lib.report import CHECKERS
from simkernel.uapi import if_link as il
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.netlink import attribute
from simkernel.uapi.rtnetlink import IfInfoMsg
from simkernel.uapi.structure import U32
from tests.drivers.links import Links
from tests.examples import examples


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(udev=False) as machine:
        yield machine


@pytest.mark.parametrize("kind", ["dummy", "veth", "bridge"])
def test_making_a_link_loads_the_module_of_its_kind(machine: Machine, kind: str) -> None:
    assert Links(machine).add(kind, "one") == 0
    assert kind in [module.name for module in machine.kernel.modules]


@pytest.mark.parametrize("kind", ["dummy", "veth", "bridge"])
def test_unloading_a_module_removes_the_links_of_its_kind(machine: Machine, kind: str) -> None:
    links = Links(machine)
    table = links.dump()
    links.add(kind, "one")
    links.add("dummy", "other")
    links.process.rmmod(kind)
    links.follow(table)
    names = {link.name for link in table.values()}
    assert "one" not in names and table == links.dump()
    assert ("other" in names) == (kind != "dummy")


@pytest.mark.parametrize("kind", ["dummy", "veth", "bridge"])
def test_link_operations_of_two_tasks_are_no_race(kind: str) -> None:
    with Machine(udev=False, checks=CHECKERS) as machine:  # a report fails the run
        links = [Links(machine), Links(machine)]
        for number, each in enumerate(links):
            assert each.add(kind, f"n{number}") == each.up(f"n{number}") == 0
        links[0].process.sleep(2)
        assert links[0].delete("n1") == links[1].delete("n0") == 0


def test_an_unknown_kind_is_refused(machine: Machine) -> None:
    assert Links(machine).add("nonsense", "one") == errno.EOPNOTSUPP


def test_a_user_can_list_links_and_not_change_them(machine: Machine) -> None:
    links = Links(machine)
    links.add("dummy", "one")
    links.process.setuid(1000)
    assert links.up("one") == links.delete("one") == links.add("dummy", "two") == errno.EPERM
    assert "one" in {link.name for link in links.dump().values()}


@pytest.mark.parametrize(
    ("kind", "more", "error"),
    [
        ("dummy", attribute(il.IFLA_ADDRESS, b"\1" + bytes(5)), errno.EADDRNOTAVAIL),
        ("dummy", attribute(il.IFLA_ADDRESS, bytes(5)), errno.EINVAL),
        ("veth", attribute(il.IFLA_ADDRESS, bytes(6)), errno.EADDRNOTAVAIL),
        ("veth", attribute(il.IFLA_MTU, U32.pack(67)), errno.EINVAL),
        ("veth", attribute(il.IFLA_MTU, U32.pack(65536)), errno.EINVAL),
        ("bridge", attribute(il.IFLA_MTU, U32.pack(67)), errno.EINVAL),
        ("bridge", attribute(il.IFLA_ADDRESS, bytes(6)), errno.EADDRNOTAVAIL),
    ],
)
def test_invalid_attributes_make_no_link(machine: Machine, kind: str, more: bytes, error: int) -> None:
    links = Links(machine)
    before = links.dump()
    assert links.add(kind, "one", more) == error
    assert {link.name for link in links.dump().values()} - {"dummy0"} == {
        link.name for link in before.values()
    }


def test_a_veth_has_a_carrier_while_both_ends_are_up(machine: Machine) -> None:
    links = Links(machine)
    links.veth("left", "right")

    def carriers() -> list[bool]:
        machine.run(until=machine.now + seconds(2))
        table = {link.name: link for link in links.dump().values()}
        return [bool(table[name].flags & il.IFF_LOWER_UP) for name in ("left", "right")]

    assert carriers() == [False, False]
    links.up("left")
    assert carriers() == [False, False]
    links.up("right")
    assert carriers() == [True, True]
    links.set("left", change=il.IFF_UP)
    assert carriers() == [False, False]


def test_a_bridge_takes_the_lowest_address_and_mtu_of_its_ports(machine: Machine) -> None:
    links = Links(machine)
    links.add("bridge", "br")
    for name, last, mtu in (("high", 9, 1400), ("low", 1, 1500)):
        address = attribute(il.IFLA_ADDRESS, bytes((2, 0, 0, 0, 0, last)))
        links.add("dummy", name, address, attribute(il.IFLA_MTU, U32.pack(mtu)))
    index = {link.name: link.index for link in links.dump().values()}
    master = attribute(il.IFLA_MASTER, U32.pack(index["br"]))
    links.set("high", master)
    bridge = links.dump()[index["br"]]
    assert (bridge.address[-1], bridge.mtu) == (9, 1400)
    links.set("low", master)
    bridge = links.dump()[index["br"]]
    assert (bridge.address[-1], bridge.mtu) == (1, 1400)
    links.delete("low")
    links.delete("high")
    bridge = links.dump()[index["br"]]
    assert (bridge.address, bridge.mtu) == (bytes(6), 1500)


def test_a_bridge_is_not_a_port_of_a_bridge(machine: Machine) -> None:
    links = Links(machine)
    links.add("bridge", "one")
    links.add("bridge", "two")
    index = {link.name: link.index for link in links.dump().values()}
    assert links.set("two", attribute(il.IFLA_MASTER, U32.pack(index["one"]))) == errno.ELOOP


NAMES = st.sampled_from(["a", "b", "c", "d", "e%d"])


class FollowedTable(RuleBasedStateMachine):
    """A table of links that is updated by RTNLGRP_LINK notifications always equals a dump of all links."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = Machine(udev=False)
        self.links = Links(self.machine)
        self.table = self.links.dump()

    @rule(kind=st.sampled_from(["dummy", "veth", "bridge"]), name=NAMES)
    def add(self, kind: str, name: str) -> None:
        assert self.links.add(kind, name) in (0, errno.EEXIST)

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        assert self.links.delete(name) in (0, errno.ENODEV)

    @rule(name=NAMES, flags=st.sampled_from([0, il.IFF_UP]))
    def up_or_down(self, name: str, flags: int) -> None:
        assert self.links.set(name, flags=flags, change=il.IFF_UP) in (0, errno.ENODEV)

    @rule(name=NAMES, mtu=st.sampled_from([68, 1400, 1500, 9000]))
    def set_mtu(self, name: str, mtu: int) -> None:
        assert self.links.set(name, attribute(il.IFLA_MTU, U32.pack(mtu))) in (0, errno.ENODEV, errno.EINVAL)

    @rule(name=NAMES, index=st.integers(0, 8))
    def set_master(self, name: str, index: int) -> None:
        allowed = (0, errno.ENODEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ELOOP)
        assert self.links.set(name, attribute(il.IFLA_MASTER, U32.pack(index))) in allowed

    @rule(kind=st.sampled_from(["dummy", "veth", "bridge"]))
    def unload(self, kind: str) -> None:
        if kind in [module.name for module in self.machine.kernel.modules]:
            self.links.process.rmmod(kind)

    @invariant()
    def table_is_right(self) -> None:
        self.machine.run(
            until=self.machine.now + seconds(2)
        )  # the kernel announces a change of carrier after at most 1 s
        dump = self.links.dump()
        self.links.follow(self.table)
        assert self.table == dump

    def teardown(self) -> None:
        self.machine.close()


TestFollowedTable = FollowedTable.TestCase
TestFollowedTable.settings = settings(max_examples=examples(40), stateful_step_count=20, deadline=None)


def test_a_name_need_not_be_text(machine: Machine) -> None:
    links = Links(machine)
    name = attribute(il.IFLA_IFNAME, b"\xff\0")
    assert links.add("dummy", "one") == links.set("one") == 0
    index = next(link.index for link in links.dump().values() if link.name == "one")
    assert links.ask(rt.RTM_NEWLINK, IfInfoMsg(index=index).pack() + name) == 0
    assert links.ask(rt.RTM_DELLINK, IfInfoMsg().pack() + name) == 0
