"""A daemon follows the routes of a link that goes down."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from simkernel import Machine, SimulationError
from simkernel.testing.situations import routes_removed_with_link
from simkernel.uapi.if_link import IFF_UP
from simkernel.uapi.rtnetlink import RT_TABLE_MAIN
from simkernel.uapi.socket import AF_INET


@pytest.fixture
def machine() -> Iterator[Machine]:
    """Return a machine with a link that has an address and its connected route."""
    with Machine(check_leaks=True, udev=False) as machine:
        route = machine.blocking().rtnetlink()
        route.do("newlink", ifname="wan", linkinfo={"kind": "dummy"}, ifi_flags=IFF_UP, ifi_change=IFF_UP)
        index = route.do("getlink", ifname="wan")["ifi-index"]
        route.do("newaddr", ifa_family=AF_INET, ifa_prefixlen=24, ifa_index=index, local="10.0.0.1")
        machine.run()
        yield machine


def main_table(routes: Any) -> set[tuple[str, int]]:
    return {(each["dst"], each["oif"]) for each in routes if each["rtm-table"] == RT_TABLE_MAIN}


async def follow(app: Any, table: set[tuple[str, int]], *, follows_links: bool) -> None:
    """Keep the IPv4 routes of the main table."""
    route = await app.rtnetlink()
    await route.join("rtnlgrp-ipv4-route", "rtnlgrp-link")
    table |= main_table(await route.dump("getroute", rtm_family=AF_INET))
    async for event in route.events():
        if event.name == "newroute":
            table |= main_table([event])
        elif event.name == "delroute":
            table -= main_table([event])
        elif follows_links and not event["ifi-flags"] & IFF_UP:
            table -= {each for each in table if each[1] == event["ifi-index"]}


@pytest.mark.parametrize("follows_links", [True, False])
def test_only_a_daemon_that_follows_links_is_right(machine: Machine, follows_links: bool) -> None:
    table: set[tuple[str, int]] = set()
    machine.spawn(follow, table, follows_links=follows_links)
    machine.run()
    assert len(table) == 1
    with routes_removed_with_link(machine, "wan"):
        machine.run()
    route = machine.blocking().rtnetlink()
    assert main_table(route.dump("getroute", rtm_family=AF_INET)) == set()
    assert (table == set()) is follows_links


def test_no_message_of_the_group_reports_it(machine: Machine) -> None:
    route = machine.blocking().rtnetlink()
    route.join("rtnlgrp-ipv4-route")
    with routes_removed_with_link(machine, "wan"):
        machine.run()
    route.event_socket.settimeout(0)
    with pytest.raises(BlockingIOError):
        next(route.events())


def test_a_link_without_routes_is_an_error(machine: Machine) -> None:
    route = machine.blocking().rtnetlink()
    route.do("newlink", ifname="lan", linkinfo={"kind": "dummy"})
    with pytest.raises(BaseExceptionGroup) as error:
        routes_removed_with_link(machine, "lan")
    assert error.group_contains(SimulationError, match="no IPv4 route goes through 'lan'")
