"""A daemon follows the links and loses notifications of rtnetlink."""

from __future__ import annotations

from typing import Any

import pytest

from simkernel import Machine
from simkernel.testing.situations import overrun
from simkernel.uapi.errno import ENOBUFS


async def follow(app: Any, table: dict[int, str], *, resync: str) -> None:
    """Keep the names of links by index. After an overrun, `resync` selects the reaction: "no" ignores it,
    "merge" adds a new list, "replace" uses only the new list.
    """
    route = await app.rtnetlink()
    await route.join("rtnlgrp-link")
    table.update({link["ifi-index"]: link["ifname"] for link in await route.dump("getlink")})
    events = route.events()
    while True:
        try:
            event = await anext(events)
        except OSError as error:
            assert error.errno == ENOBUFS
            if resync == "replace":
                table.clear()
            if resync != "no":
                table.update({link["ifi-index"]: link["ifname"] for link in await route.dump("getlink")})
        else:
            if event.name == "newlink":
                table[event["ifi-index"]] = event["ifname"]
            else:
                table.pop(event["ifi-index"], None)


@pytest.mark.parametrize(
    ("resync", "stale"), [("replace", set()), ("merge", {"eth0"}), ("no", {"eth0", "eth1"})]
)
def test_only_a_daemon_that_replaces_its_table_is_right(resync: str, stale: set[str]) -> None:
    table: dict[int, str] = {}
    with Machine(check_leaks=True, udev=False) as machine:
        route = machine.blocking().rtnetlink()
        for name in ("eth0", "eth1"):
            route.do("newlink", ifname=name, linkinfo={"kind": "dummy"})
        machine.spawn(follow, table, resync=resync)
        machine.run()
        with overrun(machine, "follow", lost=2):
            route.do("dellink", ifname="eth0")
            route.do("setlink", ifi_index=route.do("getlink", ifname="eth1")["ifi-index"], ifname="wan")
            machine.run()
        names = {link["ifname"] for link in route.dump("getlink")}
        assert set(table.values()) - names == stale
        assert names - set(table.values()) == ({"wan"} if resync == "no" else set())
