"""A daemon keeps a table of link indices by name. While it dumps the links, link A is renamed, and link B
takes the old name of A. The daemon then loses B.

After https://github.com/systemd/systemd/issues/42527, fixed by https://github.com/systemd/systemd/pull/42545:
the daemon removes the entry of the old name, which belongs to another link by then.
"""

from __future__ import annotations

from typing import Any

from simkernel.uapi.netlink import (
    NETLINK_ROUTE,
    NLM_F_DUMP,
    NLM_F_REQUEST,
    NLMSG_DONE,
    locate_messages,
    message,
)
from simkernel.uapi.rtnetlink import RTM_GETLINK, IfInfoMsg
from tests.planted.bug import Bug


class Table:
    """Names of links by index, and indices by name."""

    def __init__(self, sound: bool) -> None:
        self.sound = sound
        self.names: dict[int, str] = {}
        self.by_name: dict[str, int] = {}

    def update(self, index: int, name: str) -> None:
        """Update the names by index and the indices by name from a link message."""
        old = self.names.get(index)
        if old == name:
            return
        if not self.sound or self.by_name.get(old or "") == index:
            self.by_name.pop(old or "", None)
        self.names[index] = name
        self.by_name[name] = index


async def watch(app: Any, table: Table) -> None:
    """Keep a table of all links: dump them, then apply notifications."""
    route = await app.rtnetlink()
    await route.join("rtnlgrp-link")
    sock = await app.socket(proto=NETLINK_ROUTE)
    await sock.send(message(RTM_GETLINK, IfInfoMsg().pack(), flags=NLM_F_REQUEST | NLM_F_DUMP))
    done = False
    while not done:
        data = await sock.recv(4096)
        for (_, type, *_), start, end in locate_messages(data)[0]:
            if type == NLMSG_DONE:
                done = True
            else:
                link = route.family.decode("getlink", "dump", data, start, end)
                table.update(link["ifi-index"], link["ifname"])
    async for link in route.events("newlink"):
        table.update(link["ifi-index"], link["ifname"])


async def exchange(app: Any) -> None:
    """Rename eth0 to `old`, then eth5 to eth0."""
    route = await app.rtnetlink()
    for old, new in (("eth0", "old"), ("eth5", "eth0")):
        await route.do("setlink", ifi_index=(await route.do("getlink", ifname=old))["ifi-index"], ifname=new)


async def body(app: Any, sim: Any, sound: bool) -> None:
    """Two links are renamed at an arbitrary step of a daemon that keeps a table of links."""
    route = await app.rtnetlink()
    for number in range(6):
        await route.do("newlink", ifname=f"eth{number}", linkinfo={"kind": "dummy"})
    table = Table(sound)
    sim.any_step(sim.machine.spawn, exchange)
    await app.sleep(0.01)
    await app.spawn(watch, table)
    await sim.quiet()
    assert table.by_name == {link["ifname"]: link["ifi-index"] for link in await route.dump("getlink")}


BUG = Bug(body, sound=("dummy numdummies=0",), faulty=("dummy numdummies=0",))
