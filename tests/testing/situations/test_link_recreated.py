"""A daemon has stored the index of a link. The link is deleted, and a new link gets the same name."""

from __future__ import annotations

from typing import Any

import pytest

from simkernel import Machine
from simkernel.testing.situations import link_recreated


async def watch(app: Any, opened: dict[str, int], *, compares_index: bool) -> None:
    """Store the index of each link by the link's name in `opened`: dump the links, then apply notifications.
    If `compares_index` is false, ignore a notification about a name that is already stored.
    """
    route = await app.rtnetlink()
    await route.join("rtnlgrp-link")
    for link in await route.dump("getlink"):
        opened[link["ifname"]] = link["ifi-index"]
    async for link in route.events("newlink"):
        if link["ifname"] not in opened or compares_index:
            opened[link["ifname"]] = link["ifi-index"]


@pytest.mark.parametrize("compares_index", [True, False])
def test_only_a_daemon_that_compares_the_index_opens_the_new_link(compares_index: bool) -> None:
    opened: dict[str, int] = {}
    with Machine(check_leaks=True) as machine:
        route = machine.blocking().rtnetlink()
        route.do("newlink", ifname="wan", linkinfo={"kind": "dummy"})
        machine.spawn(watch, opened, compares_index=compares_index)
        machine.run()
        old = opened["wan"]
        with link_recreated(machine, "wan"):
            machine.run()
        new = route.do("getlink", ifname="wan")["ifi-index"]
        assert new != old
        assert opened["wan"] == (new if compares_index else old)


def test_a_socket_receives_messages_of_both_links() -> None:
    with Machine() as machine:
        route = machine.blocking().rtnetlink()
        route.do("newlink", ifname="wan", linkinfo={"kind": "dummy"})
        route.join("rtnlgrp-link")
        with link_recreated(machine, "wan"):
            events = route.events()
            assert [(each.name, each["ifname"]) for each in (next(events), next(events))] == [
                ("dellink", "wan"),
                ("newlink", "wan"),
            ]
