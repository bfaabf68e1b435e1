"""After ENOBUFS, a daemon adds a new dump to its old table. A link that was deleted meanwhile stays in the
table.

After https://github.com/zebra-rs/zebra-rs/pull/2300, which handles the dump as single messages, and
https://github.com/finit-project/finit/issues/173.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from simkernel.uapi.poll import POLLIN
from simkernel.uapi.socket import SO_RCVBUF, SOL_SOCKET
from tests.planted.bug import Bug


async def listed(route: Any) -> dict[int, str]:
    """Return the names of all links by index."""
    while True:
        with suppress(InterruptedError):
            return {link["ifi-index"]: link["ifname"] for link in await route.dump("getlink")}


async def watch(app: Any, table: dict[int, str], sound: bool) -> None:
    """Keep a table of link names by index: dump the links, then apply notifications."""
    route = await app.rtnetlink()
    await route.join("rtnlgrp-link")
    await route.event_socket.setsockopt(SOL_SOCKET, SO_RCVBUF, 4096)
    table.update(await listed(route))
    events = route.events()
    while True:
        try:
            event = await anext(events)
        except OSError:
            while await app.poll([(route.event_socket, POLLIN)], 0):
                with suppress(OSError):  # A receive fails if the socket overruns again.
                    await route.event_socket.recv(8192)
            links = await listed(route)
            if sound:
                table.clear()
            table.update(links)
            continue
        if event.name == "newlink":
            table[event["ifi-index"]] = event["ifname"]
        else:
            table.pop(event["ifi-index"], None)


async def body(app: Any, sim: Any, sound: bool) -> None:
    """Links are created and deleted while a daemon follows the notifications."""
    table: dict[int, str] = {}
    await app.spawn(watch, table, sound)
    route = await app.rtnetlink()
    for number in range(4):
        await route.do("newlink", ifname=f"eth{number}", linkinfo={"kind": "dummy"})
    for number in range(4):
        await route.do("dellink", ifname=f"eth{number}")
    await sim.quiet()
    assert table == await listed(route)


BUG = Bug(body, sound=("dummy",), faulty=("dummy",))
