"""Situations for programs that track network links, addresses and routes over rtnetlink."""

from __future__ import annotations

from simkernel.application.app import App
from simkernel.engine import SimulationError
from simkernel.kernel.net.device import NetDevice
from simkernel.kernel.vfs.task import Task
from simkernel.machine import Machine
from simkernel.testing.situations.occurrence import RECEIVES, SENDS, Occurrence, Program, sockets_of
from simkernel.testing.situations.replies import running_dump
from simkernel.uapi.if_link import IFF_UP
from simkernel.uapi.netlink import NETLINK_ROUTE
from simkernel.uapi.rtnetlink import RTM_GETLINK
from simkernel.uapi.socket import AF_INET


def link_recreated(machine: Machine, link: str) -> Occurrence:
    """Immediately delete a link and create another one with the same name and kind. The new link is down."""
    return _replace(Occurrence(machine, "link-recreated"), link, link, keeps_index=False)


def link_index_reused(machine: Machine, link: str, name: str) -> Occurrence:
    """Immediately delete a link and create another one with the same index and kind.

    `name` is the name of the new link.
    """
    return _replace(Occurrence(machine, "link-index-reused"), link, name, keeps_index=True)


def _replace(occurrence: Occurrence, link: str, name: str, *, keeps_index: bool) -> Occurrence:
    device = _device(occurrence.machine, link)
    kind, index = device.link_ops, device.index
    if kind is None:
        raise SimulationError(
            f"{link!r} has no kind, so no program can delete it: choose a link with a kind, such as veth"
        )
    new = {"ifi-index": index if keeps_index else 0, "ifname": name, "linkinfo": {"kind": kind.kind}}

    async def replace(app: App) -> None:
        route = await app.rtnetlink()
        await route.do("dellink", ifi_index=index)
        await route.do("newlink", **new)

    occurrence.run(replace)
    return occurrence


def link_renamed_in_dump(machine: Machine, program: Program = None, *, link: str, name: str) -> Occurrence:
    """Rename a link between two datagrams of the program's next dump of links."""
    occurrence = Occurrence(machine, "link-renamed-in-dump")
    device = _device(machine, link)

    def rename(task: Task) -> None:
        for sock in sockets_of(task):
            dump = running_dump(sock) if sock.protocol == NETLINK_ROUTE else None
            if occurrence.armed and dump is not None and dump.request.type == RTM_GETLINK:
                machine.kernel.net_devices.rename(device, name)
                occurrence.count()

    occurrence.after(SENDS | RECEIVES, program, rename)
    return occurrence


def link_moved(machine: Machine, link: str) -> Occurrence:
    """Move a link to a new network namespace, immediately.  The kernel reports the move as RTM_DELLINK."""
    occurrence = Occurrence(machine, "link-moved")
    machine.kernel.net_devices.move(_device(machine, link), machine.kernel.namespaces.create())
    occurrence.count()
    return occurrence


def routes_removed_with_link(machine: Machine, link: str) -> Occurrence:
    """Set a link down, immediately.  Its IPv4 routes are removed without an RTM_DELROUTE message."""
    occurrence = Occurrence(machine, "routes-removed-with-link")
    index = _device(machine, link).index

    async def set_down(app: App) -> None:
        route = await app.rtnetlink()
        before = await route.dump("getroute", rtm_family=AF_INET)
        await route.do("setlink", ifi_index=index, ifi_flags=0, ifi_change=IFF_UP)
        if len(await route.dump("getroute", rtm_family=AF_INET)) == len(before):
            raise SimulationError(f"no IPv4 route goes through {link!r}: set it up and add an address first")

    occurrence.run(set_down)
    return occurrence


def _device(machine: Machine, name: str) -> NetDevice:
    """Return a link of the initial network namespace."""
    device = machine.kernel.net.device_named(name)
    if device is None:
        known = ", ".join(each.name for each in machine.kernel.net.devices.values())
        raise SimulationError(f"unknown link {name!r}; the links are: {known}")
    return device
