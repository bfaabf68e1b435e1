"""A program resolves a link's name to an index. Before the program uses the index, the link is deleted, and
another link gets the same index.

After https://github.com/vishvananda/netlink/issues/851 (a question whether another link can get the index)
and https://github.com/FRRouting/frr/pull/4049 (a fix of this bug).
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from tests.planted.bug import Bug


async def configure(app: Any, sound: bool) -> None:
    """Set the MTU of the link `wan` if it exists."""
    route = await app.rtnetlink()
    with suppress(OSError):
        if sound:
            await route.do("setlink", ifname="wan", mtu=1400)
        else:
            link = await route.do("getlink", ifname="wan")
            await route.do("setlink", ifi_index=link["ifi-index"], mtu=1400)


async def replace(app: Any, index: int) -> None:
    """Delete the link `wan` and create the link `lan` with the same index."""
    route = await app.rtnetlink()
    await route.do("dellink", ifname="wan")
    await route.do("newlink", ifi_index=index, ifname="lan", linkinfo={"kind": "dummy"})


async def body(app: Any, sim: Any, sound: bool) -> None:
    """A program configures a link. At an arbitrary step of the program, another link replaces this link."""
    route = await app.rtnetlink()
    await route.do("newlink", ifname="wan", linkinfo={"kind": "dummy"})
    index = (await route.do("getlink", ifname="wan"))["ifi-index"]
    sim.any_step(sim.machine.spawn, replace, index)
    await app.sleep(0.01)
    await app.spawn(configure, sound)
    await sim.quiet()
    assert (await route.do("getlink", ifname="lan"))["mtu"] == 1500


BUG = Bug(body, sound=("dummy",), faulty=("dummy",))
