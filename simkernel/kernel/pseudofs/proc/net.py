"""/proc/net: sockets and devices of the reading task's network namespace (fs/proc/proc_net.c)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Final

from simkernel.kernel.net.device import NetDevice
from simkernel.kernel.net.namespace import Net, net_of
from simkernel.kernel.netlink.kernel_socket import KERNEL_SOCKETS
from simkernel.kernel.netlink.route import route_files
from simkernel.kernel.netlink.route.neighbours import NEIGHBOURS, PROXIES
from simkernel.kernel.netlink.sock import PORTS
from simkernel.kernel.pseudofs.proc.entry import ProcDirectory, ProcFs, ProcText
from simkernel.kernel.unix.socket import SOCKETS, SockState, UnixSocket
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.neighbour import NUD_NOARP, NUD_PERMANENT, NUD_VALID
from simkernel.uapi.socket import AF_INET
from simkernel.uapi.structure import U16

POINTER: Final = "0" * 16
"""The text that /proc/net/netlink and /proc/net/unix show as the address of each socket. Linux hides the real
address (%pK with kptr_restrict=2).
"""
IDLE: Final = 2
"""The reference count of an idle socket (`sk_refcnt`): its file and the socket table hold one reference each.
"""
HEADER: Final = "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n"
UNIX_HEADER: Final = "Num       RefCount Protocol Flags    Type St Inode Path\n"
ATF_COM, ATF_PERM, ATF_PUBL = 2, 4, 8
"""Bits of the column Flags in /proc/net/arp: complete, permanent and published entry
(include/uapi/linux/if_arp.h).
"""
SO_ACCEPTCON: Final = 1 << 16
DEV_HEADER: Final = (
    "Inter-|   Receive                                                |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|"
    "bytes    packets errs drop fifo colls carrier compressed\n"
)
DEV_WIDTHS: Final = (7, 7, 4, 4, 4, 5, 10, 9, 8, 7, 4, 4, 4, 5, 7, 10)


def _netlink(net: Net) -> list[str]:
    """Return /proc/net/netlink (`netlink_native_seq_show()`)."""
    return [HEADER, *_sockets(net)]


def _sockets(net: Net) -> Iterator[str]:
    """Yield the lines of /proc/net/netlink. For each protocol, the kernel's own socket comes first. The bound
    sockets follow in the order of their bind(2) calls.

    On Linux, the lines have the order of a hash table.  The inode number of a socket is its cookie.
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


def _unix(net: Net) -> list[str]:
    """Return /proc/net/unix: a line for each socket, in order of creation (`unix_seq_show()`).

    On Linux, the lines have the order of a hash table.
    """
    sockets = SOCKETS.of(net)
    peers = Counter(sock.peer for sock in sockets)
    return [UNIX_HEADER, *(_unix_line(sock, IDLE + peers[sock]) for sock in sockets)]


def _unix_line(sock: UnixSocket, references: int) -> str:
    """Return the line of a socket in /proc/net/unix.

    The state in the line is a `socket_state`. A connection has no file before accept(2).
    """
    connected = sock.state is SockState.ESTABLISHED
    state = (1 + 2 * connected) if sock.file else (4 - 2 * connected)
    flags = SO_ACCEPTCON if sock.state is SockState.LISTEN else 0
    name = (sock.name or b"")[U16.size :].decode("utf-8", "surrogateescape")
    shown = name.replace("\0", "@") if name.startswith("\0") else name.rstrip("\0")
    return (
        f"{POINTER}: {references:08X} {0:08X} {flags:08X} {sock.type:04X} {state:02X} "
        f"{sock.cookie() if sock.file else 0:5d}{' ' + shown if name else ''}\n"
    )


def _dev(net: Net) -> list[str]:
    """Return /proc/net/dev (`dev_seq_show()`).  All counters are 0, because no device transmits."""
    counters = "".join(f" {0:{width}}" for width in DEV_WIDTHS)
    devices = (net.devices[index] for index in sorted(net.devices))
    return [DEV_HEADER, *(f"{device.name:>6}:{counters}\n" for device in devices)]


def _arp(net: Net) -> list[str]:
    """Return /proc/net/arp: the IPv4 neighbours, then the proxy entries. A neighbour in the state NUD_NONE or
    NUD_NOARP is left out (`arp_seq_show()`).
    """
    lines = ["IP address       HW type     Flags       HW address            Mask     Device\n"]
    for entry in NEIGHBOURS.of(net).values():
        if entry.family == AF_INET and entry.state & ~NUD_NOARP:
            flags = ATF_COM if entry.state & NUD_VALID else 0
            flags |= ATF_PERM if entry.state & NUD_PERMANENT else 0
            lines.append(_arp_line(entry.key, entry.device, flags, entry.lladdr))
    for proxy in PROXIES.of(net).values():
        if proxy.family == AF_INET:
            lines.append(_arp_line(proxy.key, proxy.device, ATF_PUBL | ATF_PERM, bytes(6)))
    return lines


def _arp_line(key: bytes, device: NetDevice | None, flags: int, address: bytes) -> str:
    type, name = (0, "*") if device is None else (device.type, device.name)
    hardware = f"0x{type:<10x}0x{flags:<10x}{address.hex(':'):<17}"
    return f"{'.'.join(map(str, key)):<16} {hardware}     *        {name}\n"


FILES: Final = {
    "arp": _arp,
    "dev": _dev,
    "ipv6_route": route_files.ipv6_route,
    "netlink": _netlink,
    "route": route_files.route,
    "unix": _unix,
}


def directory(fs: ProcFs, path: str, owner: Task) -> ProcDirectory:
    """Return the directory /proc/PID/net of the task `owner`. Its files show the network namespace in which
    the task is now.
    """
    net = net_of(owner)
    table = {name: partial(ProcText, records=partial(show, net), owner=owner) for name, show in FILES.items()}
    addresses = fs.kernel.rtnetlink.ipv6
    table["if_inet6"] = partial(ProcText, records=lambda: [addresses.if_inet6(net)], owner=owner)
    return ProcDirectory(fs, path, table, owner)
