"""A program dumps the links. The dump needs several datagrams, and a link is renamed between two of them."""

from __future__ import annotations

from typing import Any

import pytest

from simkernel import Machine
from simkernel.testing.situations import link_renamed_in_dump
from simkernel.uapi.netlink import (
    NETLINK_ROUTE,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLM_F_REQUEST,
    NLMSG_DONE,
    locate_messages,
    message,
)
from simkernel.uapi.rtnetlink import RTM_GETLINK, IfInfoMsg
from simkernel.uapi.socket import AF_INET

NAMES = ["eth0", "eth1", "eth2"]


def listed(app: Any, route: Any) -> tuple[list[str], bool]:
    """Return the names of the links in the order of a dump, and True if a message of the dump has the flag
    NLM_F_DUMP_INTR.
    """
    sock = app.socket(proto=NETLINK_ROUTE)
    sock.send(message(RTM_GETLINK, IfInfoMsg().pack(), flags=NLM_F_REQUEST | NLM_F_DUMP))
    names, interrupted = [], False
    while True:
        data = sock.recv(4096)
        for (_, type, flags, *_), start, end in locate_messages(data)[0]:
            interrupted |= bool(flags & NLM_F_DUMP_INTR)
            if type == NLMSG_DONE:
                return names, interrupted
            names.append(route.family.decode("getlink", "dump", data, start, end)["ifname"])


def follow(app: Any, table: dict[Any, str], *, by: str) -> None:
    """Keep a table of link names: dump the links, then apply notifications. If `by` is "index", the key of an
    entry is the link's index, otherwise its name.
    """
    route = app.rtnetlink()
    route.join("rtnlgrp-link")
    names, interrupted = listed(app, route)
    assert not interrupted
    links = route.dump("getlink") if by == "index" else [{"ifname": name} for name in names]
    table.update({link["ifi-index" if by == "index" else "ifname"]: link["ifname"] for link in links})
    for event in route.events("newlink"):
        table[event["ifi-index" if by == "index" else "ifname"]] = event["ifname"]


def machine_with_links() -> tuple[Machine, Any]:
    machine = Machine(udev=False)
    route = machine.blocking().rtnetlink()
    for name in NAMES:
        route.do("newlink", ifname=name, linkinfo={"kind": "dummy"})
    return machine, route


@pytest.mark.parametrize("renamed", ["dummy0", "eth2"])
def test_the_dump_has_the_old_name_of_a_link_that_it_has_passed(renamed: str) -> None:
    machine, route = machine_with_links()
    with machine, link_renamed_in_dump(machine, link=renamed, name="wan"):
        names, interrupted = listed(machine.blocking(), route)
    new = ["eth0", "eth1", "wan"] if renamed == "eth2" else NAMES
    assert names == ["lo", "dummy0", *new]
    assert not interrupted


@pytest.mark.parametrize("by", ["index", "name"])
def test_only_a_table_by_index_follows_the_rename(by: str) -> None:
    table: dict[Any, str] = {}
    machine, route = machine_with_links()
    with machine, link_renamed_in_dump(machine, "follow", link="dummy0", name="wan"):
        machine.spawn(follow, table, by=by)
        machine.run()
        names = sorted(link["ifname"] for link in route.dump("getlink"))
    assert (sorted(table.values()) == names) is (by == "index")


def test_a_dump_of_addresses_triggers_no_rename() -> None:
    machine, route = machine_with_links()
    index = route.do("getlink", ifname="eth0")["ifi-index"]
    for number in range(100):
        address = {"ifa_family": AF_INET, "ifa_prefixlen": 24, "ifa_index": index}
        route.do("newaddr", **address, local=f"10.0.{number}.1")
    with (
        machine,
        pytest.raises(AssertionError, match="it needs a dump of links"),
        link_renamed_in_dump(machine, link="eth0", name="wan"),
    ):
        assert len(route.dump("getaddr", ifa_index=index)) == 100


def test_dumps_of_other_programs_trigger_no_rename() -> None:
    machine, route = machine_with_links()
    with (
        machine,
        pytest.raises(AssertionError, match="it needs a dump of links"),
        link_renamed_in_dump(machine, "follow", link="eth0", name="wan"),
    ):
        listed(machine.blocking(), route)
