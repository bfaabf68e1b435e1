"""Situations for programs that read netlink sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from simkernel.application.app import App
from simkernel.engine import Record, SimulationError, millis, seconds
from simkernel.kernel.netlink import deliver
from simkernel.kernel.netlink.dump import MAX_BATCH_SIZE, DumpCallback
from simkernel.kernel.netlink.genetlink.family import Family
from simkernel.kernel.netlink.kernel_socket import KERNEL_SOCKETS
from simkernel.kernel.netlink.route.link_fill import fill
from simkernel.kernel.netlink.skb import Skb
from simkernel.kernel.netlink.sock import NetlinkSock
from simkernel.kernel.vfs.task import Task
from simkernel.machine import Machine
from simkernel.testing.situations.occurrence import (
    RECEIVES,
    SENDS,
    Fields,
    Occurrence,
    Program,
    netlink_sockets,
    sockets_of,
)
from simkernel.testing.situations.replies import is_done, is_dump, recut, replies, running_dump, take
from simkernel.uapi.genetlink import GENL_ID_CTRL
from simkernel.uapi.netlink import NETLINK_GENERIC, NETLINK_ROUTE
from simkernel.uapi.rtnetlink import RTNLGRP_LINK
from simkernel.uapi.socket import MSG_TRUNC

MAX_DUMP_ALLOC: Final = (1 << 16) - 1
"""Maximum size in bytes of a datagram into which `longer_than_buffer` merges the messages of a dump. On
Linux, a datagram of a dump can be larger (`min_dump_alloc`).
"""


def overrun(machine: Machine, program: Program = None, *, lost: int = 1) -> Occurrence:
    """Drop multicast messages to the program's netlink sockets, as if the receive buffers were full. The
    parameter `lost` is the number of messages to drop.
    """
    occurrence = Occurrence(machine, "overrun", lost)

    def drop(protocol: int, group: int) -> None:
        for sock in netlink_sockets(machine, program):
            if sock.protocol == protocol and sock.queue and sock.queue[-1].dst_group == group:
                take(sock, [sock.queue[-1]])
                deliver.overrun(sock)

    def broadcast(record: Record) -> None:
        occurrence.soon(drop, record.fields["protocol"], record.fields["group"])

    def overran(record: Record) -> None:
        if record.fields["portid"] in (sock.portid for sock in netlink_sockets(machine, program)):
            occurrence.count()

    occurrence.on({"netlink_broadcast"}, broadcast)
    occurrence.on({"netlink_overrun"}, overran)
    return occurrence


def dump_interrupted(
    machine: Machine, program: Program = None, *, change: Callable[[], object] | None = None, times: int = 1
) -> Occurrence:
    """Change the data of the program's next dump after a part of the dump was sent. The parameter `times` is
    the number of dumps that are interrupted in this way.

    `change` makes the change.  By default, the data changes and changes back, so that only NLM_F_DUMP_INTR
    reports it.  The default requires a dump with a generation number (`info.generation`).
    """
    occurrence = Occurrence(machine, "dump-interrupted", times)
    interrupted: set[DumpCallback] = set()

    def interrupt(task: Task) -> None:
        for dump in filter(None, map(running_dump, sockets_of(task))):
            if dump not in interrupted and (change is not None or dump.generation):
                interrupted.add(dump)
                (change or dump.interrupt)()
                occurrence.count()

    occurrence.after(SENDS | RECEIVES, program, interrupt)
    return occurrence


def notification_in_dump(
    machine: Machine,
    program: Program = None,
    *,
    event: Callable[[], object] | None = None,
    within: int = millis(50),
) -> Occurrence:
    """Send a notification to the program's socket while the program has not yet read a dump that it
    requested.

    `event` makes the kernel send a notification within `within` ns, while the program is not scheduled.
    The notification is then between two parts of the dump.  By default, it precedes the dump: rtnetlink
    reports `lo`, and nlctrl reports a family that is registered and unregistered.
    """
    occurrence = Occurrence(machine, "notification-in-dump")

    def notify(task: Task) -> None:
        for sock in sockets_of(task):
            if event is not None and running_dump(sock) is not None:
                event()
                machine.at(machine.now + within, count, sock)
            elif event is None and any(map(is_dump, replies(sock))):
                _notify(machine, sock)
                _requeue(sock, _notifications(sock))
                occurrence.count()

    def count(sock: NetlinkSock) -> None:
        if occurrence.armed and _notifications(sock):
            occurrence.count()

    def subscribed(task: Task, _: Fields) -> bool:
        return any(sock.groups and (event is None or running_dump(sock)) for sock in sockets_of(task))

    occurrence.after(SENDS, program, notify, hold=0 if event is None else within, when=subscribed)
    return occurrence


def _notifications(sock: NetlinkSock) -> list[Skb]:
    return [skb for skb in sock.queue or () if skb.dst_group]


def _requeue(sock: NetlinkSock, skbs: list[Skb]) -> None:
    """Move notifications to the head of a socket's receive queue, as if the kernel had sent them before the
    dump that is queued.
    """
    assert sock.queue is not None
    for skb in reversed(skbs):
        sock.queue.remove(skb)
        sock.queue.appendleft(skb)


def _notify(machine: Machine, sock: NetlinkSock) -> None:
    kernel = KERNEL_SOCKETS.of(sock.net)[sock.protocol]
    if sock.protocol == NETLINK_ROUTE and sock.groups >> (RTNLGRP_LINK - 1) & 1:
        lo = sock.net.devices[1]
        kernel.multicast(kernel.skb(fill(lo, sock.net)), RTNLGRP_LINK)
    elif sock.protocol == NETLINK_GENERIC and sock.groups >> (GENL_ID_CTRL - 1) & 1:
        family = Family("situation")
        machine.kernel.genetlink.register(family)
        machine.kernel.genetlink.unregister(family)
    else:
        raise SimulationError(
            "notification_in_dump: no default notification for the groups of this socket: "
            "pass event=, a function that makes the kernel send a notification"
        )


# -- datagrams --------------------------------------------------------------------


def several_in_datagram(machine: Machine, program: Program = None) -> Occurrence:
    """Send the messages of the program's next dump in as few datagrams as possible, NLMSG_DONE included."""
    occurrence = Occurrence(machine, "several-in-datagram")

    def merge(task: Task) -> None:
        if any(len(each) > 1 for sock in sockets_of(task) for each in _merge(sock, MAX_BATCH_SIZE)):
            occurrence.count()

    occurrence.after(SENDS, program, merge)
    return occurrence


def longer_than_buffer(machine: Machine, program: Program = None) -> Occurrence:
    """Send the program's next dump in datagrams of up to 65535 bytes, so that recvmsg(2) with a smaller
    buffer truncates them.

    The situation happens if a datagram is larger than the program's receive buffer.
    """
    occurrence = Occurrence(machine, "longer-than-buffer")

    def truncated(task: Task, fields: Fields) -> bool:
        result = fields.get("result")
        return isinstance(result, tuple) and bool(result[3] & MSG_TRUNC)

    def merge(task: Task) -> None:
        for sock in sockets_of(task):
            _merge(sock, MAX_DUMP_ALLOC)

    occurrence.after(SENDS, program, merge)
    occurrence.after(RECEIVES, program, lambda task: occurrence.count(), when=truncated)
    return occurrence


def done_alone(machine: Machine, program: Program = None) -> Occurrence:
    """Send the NLMSG_DONE of the program's next dump in a separate datagram."""
    occurrence = Occurrence(machine, "done-alone")

    def split(task: Task) -> None:
        for sock in sockets_of(task):
            if any(is_done(skb.data) for skb in replies(sock)):
                recut(sock, lambda messages: filter(None, (messages[:-1], messages[-1:])))
                occurrence.count()

    occurrence.after(SENDS | RECEIVES, program, split)
    return occurrence


def _merge(sock: NetlinkSock, limit: int) -> list[list[bytes]]:
    """Complete the running dump and repack its messages into datagrams of up to `limit` bytes."""
    while (dump := running_dump(sock)) is not None and not dump.step():
        pass

    def cut(messages: list[bytes]) -> Iterator[list[bytes]]:
        datagram: list[bytes] = []
        for each in messages:
            if datagram and sum(map(len, datagram)) + len(each) > limit:
                yield datagram
                datagram = []
            datagram.append(each)
        yield datagram

    return recut(sock, cut)


# -- late replies and reloaded families ---------------------------------------------


def late_reply(machine: Machine, program: Program = None, *, delay: int = seconds(2)) -> Occurrence:
    """Deliver the reply to the program's next request `delay` ns late.

    As on Linux, the socket that owns the port id at that time receives it.
    """
    occurrence = Occurrence(machine, "late-reply")

    def withhold(task: Task) -> None:
        for sock in sockets_of(task):
            if withheld := replies(sock):
                take(sock, withheld)
                machine.at(machine.now + delay, _deliver, sock, withheld)
                occurrence.count()

    occurrence.after(SENDS, program, withhold)
    return occurrence


def _deliver(sock: NetlinkSock, skbs: list[Skb]) -> None:
    if (owner := sock.ports.get(sock.portid)) is not None:
        for skb in skbs:
            deliver.queue(owner, skb, force=True)


def module_reloaded(machine: Machine, module: str) -> Occurrence:
    """Unload a module and load it again, immediately.  Its netlink families get new ids."""
    occurrence = Occurrence(machine, "module-reloaded")

    async def reload(app: App) -> None:
        await app.rmmod(module)
        await app.modprobe(module)

    occurrence.run(reload)
    return occurrence
