"""/proc/net: the sockets of the network namespace of the task (fs/proc/proc_net.c)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from simkernel.kernel.net.namespace import Net, net_of
from simkernel.kernel.netlink.kernel_socket import KERNEL_SOCKETS
from simkernel.kernel.netlink.sock import PORTS
from simkernel.kernel.pseudofs.proc.entry import ProcDirectory, ProcFs, ProcText
from simkernel.kernel.vfs.task import Task

POINTER: Final = "0" * 16
"""Where a socket lies nobody is shown (%pK under kptr_restrict=2)."""
IDLE: Final = 2
"""References to a socket that nobody works on: its file and the table (`sk_refcnt`)."""
HEADER: Final = "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n"


def _netlink(net: Net) -> list[str]:
    """`netlink_native_seq_show()`."""
    return [HEADER, *_sockets(net)]


def _sockets(net: Net) -> Iterator[str]:
    """The kernel's socket of each protocol, then the bound ones of programs in the order they came.

    On Linux those of a protocol are in the order of its hash table, which is no order.  A socket's
    cookie is its inode's number.
    """
    for protocol, ports in sorted(PORTS.of(net).items()):
        kernel_socket = KERNEL_SOCKETS.of(net).get(protocol)
        if kernel_socket is not None:
            yield _line(protocol, 0, 0, kernel_socket.rmem, False, 0, kernel_socket.cookie)
        for portid, sock in ports.items():
            dumps = sock.dump is not None
            yield _line(protocol, portid, sock.groups, sock.rmem, dumps, sock.drops, sock.cookie())


def _line(protocol: int, portid: int, groups: int, rmem: int, dumps: bool, drops: int, inode: int) -> str:
    return (
        f"{POINTER} {protocol:<3d} {portid:<10d} {groups & 0xFFFFFFFF:08x} {rmem:<8d} {0:<8d} "
        f"{int(dumps):<5d} {IDLE:<8d} {drops:<8d} {inode:<8d}\n"
    )


def directory(fs: ProcFs, path: str, owner: Task) -> ProcDirectory:
    """The directory `net` of a process: of the namespace that it is in now."""
    netlink = partial(ProcText, records=partial(_netlink, net_of(owner)), owner=owner)
    return ProcDirectory(fs, path, {"netlink": netlink}, owner)
