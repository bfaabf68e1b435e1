"""/proc/net: the sockets of the network namespace of the task (fs/proc/proc_net.c)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from simkernel.kernel.net.namespace import net_of
from simkernel.kernel.pseudofs.proc.entry import ProcDirectory, Text
from simkernel.kernel.vfs.seq_file import Records

if TYPE_CHECKING:
    from simkernel.kernel.kernel import Kernel
    from simkernel.kernel.net.namespace import Net
    from simkernel.kernel.pseudofs.proc.root import ProcFs
    from simkernel.kernel.vfs.task import Task

POINTER: Final = "0" * 16
"""Where a socket lies nobody is shown (%pK under kptr_restrict=2)."""
IDLE: Final = 2
"""References to a socket that nobody works on: its file and the table (`sk_refcnt`)."""
HEADER: Final = "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n"


def netlink(kernel: Kernel, task: Task) -> Records:
    """/proc/net/netlink (`netlink_native_seq_show()`)."""
    net = net_of(task)
    return lambda: [HEADER, *_sockets(kernel, net)]


def _sockets(kernel: Kernel, net: Net) -> Iterator[str]:
    """The kernel's socket of each protocol, then the bound ones of programs in the order they came.

    On Linux those of a protocol are in the order of its hash table, which is no order.  A socket's
    cookie is its inode's number.
    """
    for entry in kernel.netlink.entries:
        ports = net.ports.get(entry.number)
        if ports is None:
            continue
        if ports.kernel is not None:
            yield _line(entry.number, 0, 0, ports.kernel.rmem, False, 0, ports.kernel.cookie)
        for portid, sock in ports.items():
            dumps = sock.dump is not None
            yield _line(entry.number, portid, sock.groups, sock.rmem, dumps, sock.drops, sock.cookie())


def _line(protocol: int, portid: int, groups: int, rmem: int, dumps: bool, drops: int, inode: int) -> str:
    return (
        f"{POINTER} {protocol:<3d} {portid:<10d} {groups & 0xFFFFFFFF:08x} {rmem:<8d} {0:<8d} "
        f"{int(dumps):<5d} {IDLE:<8d} {drops:<8d} {inode:<8d}\n"
    )


TABLE: Final = {"netlink": Text(netlink)}


def directory(fs: ProcFs, task: Task, path: str) -> ProcDirectory:
    """The entry `net` of a process."""
    return ProcDirectory(fs, path, TABLE, task)
