"""Socket addresses and control messages in the format of strace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from simkernel.trace.strace.constants import names, number, pick
from simkernel.trace.strace.quoting import c_string, hexadecimal_string
from simkernel.uapi import netlink, socket, un
from simkernel.uapi.structure import S32, U16

SOCKADDR_UN_SIZE: Final = 110
"""Size of struct sockaddr_un, which C programs pass as the length of the address buffer."""

_LEVELS: Final = names(socket, "SOL_")
_KINDS: Final = pick(socket, "SCM_", "RIGHTS CREDENTIALS SECURITY PIDFD")

Control = tuple[int, int, bytes]


def given(address: object) -> list[str]:
    """Format an address that a program passes to the kernel, followed by the address's length."""
    if isinstance(address, bytes) and address:
        return [_bytes(address), str(len(address))]
    if isinstance(address, tuple) and address:
        return [_netlink(address), str(netlink.SockaddrNl.SIZE)]
    return ["NULL", "0"]


def filled(address: object) -> list[str]:
    """Format an address that the kernel has written, and its length.  The address is None if the call has
    failed.
    """
    if isinstance(address, bytes):
        length = f"{SOCKADDR_UN_SIZE} => {len(address)}"
        return [_bytes(address) if address else "NULL", f"[{length}]"]
    if isinstance(address, tuple) and address:
        return [_netlink(address), f"[{netlink.SockaddrNl.SIZE}]"]
    return ["NULL", f"[{netlink.SockaddrNl.SIZE}]"]


def _bytes(address: bytes) -> str:
    """Format the bytes of an address: decoded for a struct sockaddr_un, in hexadecimal for any other."""
    if len(address) < U16.size or U16.unpack_from(address)[0] != socket.AF_UNIX:
        return hexadecimal_string(address)
    path = address[U16.size :]
    if not path:
        return "{sa_family=AF_UNIX}"
    if path.startswith(b"\0"):
        return f"{{sa_family=AF_UNIX, sun_path=@{c_string(path[1:], un.UNIX_PATH_MAX)}}}"
    return f"{{sa_family=AF_UNIX, sun_path={c_string(path.split(bytes(1))[0], un.UNIX_PATH_MAX)}}}"


def _netlink(address: tuple[int, int]) -> str:
    portid, groups = address
    signed = portid - (1 << 32) if portid >= 1 << 31 else portid
    mask = f"{groups:#08x}" if groups else "00000000"
    return f"{{sa_family=AF_NETLINK, nl_pid={signed}, nl_groups={mask}}}"


def control_messages(control: Sequence[Control]) -> str:
    """Format control messages, with decoded descriptors and credentials.

    Return "" without control messages.
    """
    messages = ", ".join(
        f"{{cmsg_len={socket.CMSG_LEN(len(data))}, cmsg_level={number(level, _LEVELS, 'SOL')}, "
        f"cmsg_type={_kind(level, kind)}, cmsg_data={_data(level, kind, data)}}}"
        for level, kind, data in control
    )
    return f"msg_control=[{messages}], " if control else ""


def _kind(level: int, kind: int) -> str:
    return number(kind, _KINDS, "SCM") if level == socket.SOL_SOCKET else f"{kind:#x}"


def _data(level: int, kind: int, data: bytes) -> str:
    if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS and not len(data) % S32.size:
        return f"[{', '.join(str(fd) for (fd,) in S32.iter_unpack(data))}]"
    if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS and len(data) == socket.Ucred.SIZE:
        sender = socket.Ucred.unpack(data)
        return f"{{pid={sender.pid}, uid={sender.uid}, gid={sender.gid}}}"
    return hexadecimal_string(data)
