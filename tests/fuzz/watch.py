"""Invariants: no queue exceeds its limit during a session, and all resources are released at its end."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from simkernel.kernel.netlink.sock import PORTS, NetlinkSock
from simkernel.kernel.vfs.inode import Inode
from simkernel.kernel.vfs.tmpfs import Tmpfs, TmpfsDirectory, TmpfsFile
from simkernel.machine import Machine
from simkernel.testing.leaks import left_behind


class Broken(AssertionError):
    """An invariant is violated."""


@contextmanager
def watched() -> Iterator[set[NetlinkSock]]:
    """Raise Broken if a non-empty receive queue of a netlink socket grows beyond `rcvbuf`. Yield the set of
    watched sockets.

    An empty queue accepts a message of any size. Otherwise a message must fit in its free space
    (`NetlinkSocket.fits`).
    """
    seen: set[NetlinkSock] = set()
    every_socket: Any = NetlinkSock
    slot = NetlinkSock.__dict__["rmem"]

    def charge(sock: NetlinkSock, held: int) -> None:
        seen.add(sock)
        try:
            before = slot.__get__(sock)
        except AttributeError:  # Before the constructor sets `rmem`, it has no value.
            before = 0
        if before and held > before and held > sock.rcvbuf:
            raise Broken(f"{sock.title} grew from {before} to {held} bytes, with rcvbuf {sock.rcvbuf}")
        slot.__set__(sock, held)

    every_socket.rmem = property(slot.__get__, charge)
    try:
        yield seen
    finally:
        every_socket.rmem = slot


@contextmanager
def no_unawaited_coroutine() -> Iterator[None]:
    """Raise Broken if a coroutine was never awaited. Python itself only prints a warning for it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        raise Broken(str(warning.message))


def check_accounts(seen: set[NetlinkSock]) -> None:
    """Raise Broken if a socket's accounted memory differs from the truesize of its queue."""
    for sock in seen:
        queued = sum(skb.truesize for skb in sock.queue or ())
        if sock.rmem != queued:
            raise Broken(f"{sock.title} has rmem {sock.rmem}, but its queue has truesize {queued}")


def _check_files(machine: Machine) -> None:
    """Raise Broken if the used memory of a tmpfs differs from the memory of its files. Also raise it if an
    inode is still open, or if the name of a unix socket is still in use.
    """
    kernel = machine.kernel
    if "fs" in vars(kernel):
        for filesystem in (*(mount.filesystem for mount in kernel.fs.mounts), kernel.fs.anonymous):
            if isinstance(filesystem, Tmpfs):
                files = dict.fromkeys(_inodes(filesystem.root.inode))
                held = sum(inode.pages.allotted for inode in files if isinstance(inode, TmpfsFile))
                if held != filesystem.space.used:
                    raise Broken(
                        f"{filesystem.name}: {filesystem.space.used} bytes are counted as used, "
                        f"but its files hold {held}"
                    )
                for inode in files:
                    if getattr(inode, "openers", 0) or getattr(inode, "fifo", None):
                        raise Broken(f"{filesystem.name}: inode {inode.number} is still open")
    kernel.unix.carriers.collect()
    if names := kernel.unix.names:
        raise Broken(f"unix socket names remain: {names}")


def _inodes(inode: Inode) -> Iterator[Inode]:
    yield inode
    if isinstance(inode, TmpfsDirectory):
        for dentry in inode.children():
            yield from _inodes(dentry.inode)


def check_over(machine: Machine, seen: set[NetlinkSock], *, oopses: bool = False) -> None:
    """Raise Broken if memory, port ids or namespaces are still in use after all sockets are closed and all
    programs have ended.

    Also raise it for an oops, unless `oopses`: a module with an oops is pinned and keeps its
    registrations.
    """
    check_accounts(seen)
    for sock in seen:
        if sock.rmem or sock.queue:
            raise Broken(f"{sock.title} is closed but still holds {sock.rmem} bytes")
    kernel = machine.kernel
    for net in kernel.namespaces:
        if net.users != (tasks := sum(task.net is net for task in kernel.processes if task.alive)):
            raise Broken(f"{net!r} has {net.users} references instead of {tasks}, one for each task")
        for protocol, table in PORTS.of(net).items():
            if table:
                raise Broken(f"protocol {protocol} of {net!r} still has {len(table)} port ids")
    _check_files(machine)
    count = machine.statistics["oopses"]
    held = [each for each in left_behind(machine) if not (oopses and "module" in each)]
    if held:
        raise Broken("; ".join(held))
    if count and not oopses:
        raise Broken(f"{count} oopses:\n" + "\n".join(machine.log.lines()))
