"""After a link has gone down, a daemon still has the link's IPv4 routes in its table, because the kernel
sends no RTM_DELROUTE for them.

After https://github.com/svinota/pyroute2/issues/232 and https://github.com/thom311/libnl/issues/340.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from simkernel.uapi.if_link import IFF_UP
from simkernel.uapi.rtnetlink import RT_TABLE_MAIN
from simkernel.uapi.socket import AF_INET
from tests.planted.bug import Bug

Routes = set[tuple[str, int]]


def main_table(routes: Any) -> Routes:
    """Return destination and output link of the routes in the main table."""
    return {(each["dst"], each["oif"]) for each in routes if each["rtm-table"] == RT_TABLE_MAIN}


async def watch(app: Any, table: Routes, sound: bool) -> None:
    """Keep a table of the routes: dump them, then apply notifications."""
    route = await app.rtnetlink()
    await route.join("rtnlgrp-link", "rtnlgrp-ipv4-route")
    while True:
        with suppress(InterruptedError):
            table |= main_table(await route.dump("getroute", rtm_family=AF_INET))
            break
    async for event in route.events():
        if event.name == "newroute":
            table |= main_table([event])
        elif event.name == "delroute":
            table -= main_table([event])
        elif event.name in ("newlink", "dellink") and not event["ifi-flags"] & IFF_UP and sound:
            table -= {each for each in table if each[1] == event["ifi-index"]}


async def change(app: Any, index: int, flags: int) -> None:
    """Set a link up or down."""
    route = await app.rtnetlink()
    await route.do("setlink", ifi_index=index, ifi_flags=flags, ifi_change=IFF_UP)


async def body(app: Any, sim: Any, sound: bool) -> None:
    """A link goes down at an arbitrary step of a daemon that keeps a routing table."""
    table: Routes = set()
    route = await app.rtnetlink()
    await route.do("newlink", ifname="wan", linkinfo={"kind": "dummy"})
    index = (await route.do("getlink", ifname="wan"))["ifi-index"]
    await route.do("newaddr", ifa_family=AF_INET, ifa_prefixlen=24, ifa_index=index, local="10.0.0.1")
    await change(app, index, IFF_UP)
    sim.any_step(sim.machine.spawn, change, index, 0)
    await app.sleep(0.01)
    await app.spawn(watch, table, sound)
    await sim.quiet()
    assert table == main_table(await route.dump("getroute", rtm_family=AF_INET)), table


BUG = Bug(body, sound=("dummy",), faulty=("dummy",))
