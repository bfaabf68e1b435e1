"""Daemons keep tables of network links and addresses while another program changes them.

Covers: rtnetlink: links and addresses that come, change and go; groups, overrun and ENOBUFS; dumps that a
    change interrupts.
Scenario: A program creates, renames, configures and deletes links. Two daemons subscribe, list everything,
    and follow the notifications. The second daemon is slow. It loses notifications, so it lists again.
    Then another program lists the links without a subscription. Its list has four datagrams, and links
    change after the first one.
When useful: to write a daemon whose table is right after every change. With --set resync=false the slow
    daemon ignores ENOBUFS, and its table stays wrong.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import attrs

from simkernel import App, millis
from simkernel.scenario import Run, ScenarioParameter, scenario
from simkernel.uapi.errno import ENOBUFS
from simkernel.uapi.if_link import IFF_UP, IFLA_IFNAME
from simkernel.uapi.netlink import (
    NETLINK_ROUTE,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLM_F_REQUEST,
    NLMSG_DONE,
    iterate_attributes,
    iterate_messages,
    message,
)
from simkernel.uapi.poll import POLLIN
from simkernel.uapi.rtnetlink import RTM_GETLINK, RTM_NEWLINK, IfInfoMsg
from simkernel.uapi.sched import CLONE_NEWNET
from simkernel.uapi.socket import AF_INET, AF_UNSPEC, SO_RCVBUF, SOL_SOCKET

GROUPS = ("rtnlgrp-link", "rtnlgrp-ipv4-ifaddr", "rtnlgrp-ipv6-ifaddr")
BUFSIZE = 4096
MAX_LINKS = 8
IPV4 = {"ifa_family": AF_INET, "ifa_prefixlen": 24}
Changes = tuple[tuple[str, str], ...]
LISTED: dict[str, Changes] = {
    "none": (),
    "eth1 is deleted": (("eth1", ""),),
    "eth0 becomes old, eth5 eth0": (("eth0", "old"), ("eth5", "eth0")),
}
"""Maps the description of a listing of the links to the changes that another program makes during the
listing. A change is a pair: a link's old name and its new name. If the new name is empty, the link is
deleted.
"""


@attrs.define
class Daemon:
    """A daemon, its table and its counters. It identifies a link by index, because a link's name can
    change.
    """

    name: str
    work: float = 0.0
    buffer: int = 0
    resync: bool = True
    links: dict[int, str] = attrs.field(factory=dict)
    addresses: set[tuple[int, str]] = attrs.field(factory=set)
    heard: int = 0
    overruns: int = 0
    listed: int = 0

    @property
    def counters(self) -> dict[str, int]:
        """The numbers of notifications, overruns and listings of the daemon."""
        return {"heard": self.heard, "overruns": self.overruns, "listed": self.listed}

    @property
    def table(self) -> tuple[dict[int, str], set[tuple[int, str]]]:
        """The daemon's table: names of the links by index, and the addresses with the index of their link."""
        return self.links, self.addresses

    async def follow(self, app: App) -> None:
        """Subscribe to the multicast groups, list all links and addresses, then apply each notification."""
        route = await app.rtnetlink()
        await route.join(*GROUPS)
        if self.buffer:
            await route.event_socket.setsockopt(SOL_SOCKET, SO_RCVBUF, self.buffer)
        await self.list(route)
        events = route.events()
        while True:
            try:
                self.apply(await anext(events))
            except OSError as error:
                if error.errno != ENOBUFS:
                    raise
                self.overruns += 1
                if self.resync:
                    # Drop the queued notifications, because the next listing contains their changes.
                    while await app.poll([(route.event_socket, POLLIN)], 0):
                        with suppress(OSError):  # ENOBUFS: the socket has overrun once more
                            await route.event_socket.recv(BUFSIZE)
                    await self.list(route)
            if self.work:
                await app.compute(millis(self.work))

    async def list(self, route: Any) -> None:
        """Replace the table by dumps of all links and addresses. If a change interrupts a dump, repeat both
        dumps.
        """
        while True:
            self.listed += 1
            with suppress(InterruptedError):
                links = await route.dump("getlink")
                addresses = await route.dump("getaddr")
                break
        self.links = {each["ifi-index"]: each["ifname"] for each in links}
        self.addresses = {(each["ifa-index"], each["address"]) for each in addresses}

    def apply(self, event: Any) -> None:
        """Apply a notification to the table."""
        self.heard += 1
        if event.name == "newaddr":
            self.addresses.add((event["ifa-index"], event["address"]))
        elif event.name == "deladdr":
            self.addresses.discard((event["ifa-index"], event["address"]))
        elif event["ifi-family"] == AF_UNSPEC:  # AF_BRIDGE events only report ports of a bridge: ignore them
            if event.name == "newlink":
                self.links[event["ifi-index"]] = event["ifname"]
            else:
                self.links.pop(event["ifi-index"], None)


async def index_of(route: Any, name: str) -> int:
    """Return the index of a link."""
    link = await route.do("getlink", ifname=name)
    assert link is not None
    return int(link["ifi-index"])


async def administrator(app: App, changes: int, step: float) -> None:
    """Change links and addresses at random."""
    route = await app.rtnetlink()
    await route.do("newlink", ifname="br0", linkinfo={"kind": "bridge"})
    bridge = await index_of(route, "br0")
    links: list[int] = []
    choose = app.random.choice
    for number in range(changes):
        await app.sleep(step / 1000)
        name = f"eth{number}"
        if len(links) <= app.random.randrange(MAX_LINKS):
            await route.do("newlink", ifname=name, linkinfo={"kind": choose(("dummy", "veth"))})
            links.append(await index_of(route, name))
            continue
        link = choose(links)
        change, values = choose(
            (
                ("dellink", {"ifi_index": link}),  # the peer of a veth is deleted, too
                ("setlink", {"ifi_index": link, "ifname": name}),
                ("setlink", {"ifi_index": link, "ifi_flags": choose((IFF_UP, 0)), "ifi_change": IFF_UP}),
                ("setlink", {"ifi_index": link, "master": choose((bridge, 0))}),
                ("newaddr", IPV4 | {"ifa_index": link, "local": f"10.{number >> 8}.{number & 255}.1"}),
            )
        )
        await route.do(change, **values)
        if change == "dellink":
            links.remove(link)


async def lister(app: App, changes: Changes, found: list[tuple[str, bool]]) -> None:
    """List the links of a new network namespace. After the first datagram of the list, another program
    changes links.
    """
    await app.unshare(CLONE_NEWNET)
    route = await app.rtnetlink()
    for number in range(6):
        await route.do("newlink", ifname=f"eth{number}", linkinfo={"kind": "dummy"})
    sock = await app.socket(proto=NETLINK_ROUTE)
    await sock.send(message(RTM_GETLINK, IfInfoMsg().pack(), flags=NLM_F_REQUEST | NLM_F_DUMP))
    parts, interrupted, done = list[str](), False, False
    while not done:
        names = []
        for header, payload in iterate_messages(await sock.recv(BUFSIZE)):
            interrupted |= bool(header.flags & NLM_F_DUMP_INTR)
            done |= header.type == NLMSG_DONE
            if header.type == RTM_NEWLINK:
                attributes = dict(iterate_attributes(payload, IfInfoMsg.SIZE))
                names.append(attributes[IFLA_IFNAME].rstrip(b"\0").decode())
        if not parts:
            await app.spawn(change, changes)
            await app.wait()
        parts += [" ".join(names)] if names else []
    found.append((" / ".join(parts), interrupted))


async def change(app: App, changes: Changes) -> None:
    """Rename links.  Delete those whose new name is empty."""
    route = await app.rtnetlink()
    for name, new in changes:
        index = await index_of(route, name)
        if new:
            await route.do("setlink", ifi_index=index, ifname=new)
        else:
            await route.do("dellink", ifi_index=index)


@scenario(
    ScenarioParameter("changes", int, 400, minimum=1, maximum=100_000, help="number of changes"),
    ScenarioParameter(
        "step", float, 1.0, minimum=0.05, maximum=1000.0, unit="ms", help="time between two changes"
    ),
    ScenarioParameter(
        "work", float, 5.0, minimum=0.0, maximum=1000.0, unit="ms", help="slow daemon, per message"
    ),
    ScenarioParameter(
        "buffer", int, 16384, minimum=2048, maximum=212_992, unit="bytes", help="slow daemon: SO_RCVBUF"
    ),
    ScenarioParameter("resync", bool, True, help="the slow daemon lists again after ENOBUFS"),
)
def links(run: Run) -> None:
    machine = run.machine(udev=False)
    quick = Daemon("quick")
    slow = Daemon("slow", run["work"], run["buffer"], run["resync"])
    for daemon in (quick, slow):
        machine.spawn(daemon.follow, uid=1000, name=daemon.name)
    machine.run(until=millis(1))
    machine.spawn(administrator, run["changes"], run["step"])
    machine.run()
    late = Daemon("late")
    machine.spawn(late.follow, uid=1000)
    found: list[tuple[str, bool]] = []
    for changes in LISTED.values():
        machine.spawn(lister, changes, found)
        machine.run()
    report(run, [quick, slow], late, found)


def report(run: Run, daemons: list[Daemon], truth: Daemon, found: list[tuple[str, bool]]) -> None:
    """Compare the daemons' tables with a new listing. Show the listings during which links changed."""
    quick, slow = daemons
    right = {each.name: each.table == truth.table for each in daemons}
    run.text(
        f"Number of changes of links and addresses: {run['changes']}. The quick daemon received "
        f"{quick.heard} notifications. At the end, the kernel has {len(truth.links)} links and "
        f"{len(truth.addresses)} addresses."
    )
    run.table(
        "The daemons",
        ("daemon", *quick.counters, "links", "addresses", "is right"),
        [
            (each.name, *each.counters.values(), *map(len, each.table), "yes" if right[each.name] else "NO")
            for each in daemons
        ],
    )
    run.text(
        f"Overruns of the slow daemon's socket (ENOBUFS): {slow.overruns}. New lists after them: "
        f"{slow.listed - 1}. With --set resync=false the daemon does not list again. Then its table stays "
        "wrong, because the kernel does not repeat a lost notification."
    )
    lists = dict(zip(LISTED, found, strict=True))
    run.table(
        "A list of the links in four datagrams, and a change after the first one",
        ("change", "names in the datagrams", "NLM_F_DUMP_INTR"),
        [(what, names, "yes" if interrupted else "no") for what, (names, interrupted) in lists.items()],
    )
    run.text(
        "NLM_F_DUMP_INTR reports that a link was created or deleted: list again. The flag does not report a "
        "rename, so a list can have one name twice and lack another. Identify links by index, which is "
        "unique, and subscribe: RTM_NEWLINK has the new name."
    )
    run.metric("links", sorted(truth.links.values()))
    run.metric("addresses", len(truth.addresses))
    for each in daemons:
        run.metric(each.name, each.counters | {"right": right[each.name]})
    run.metric("lists", {what: list(result) for what, result in lists.items()})
