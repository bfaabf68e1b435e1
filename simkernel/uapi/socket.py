"""Sockets: families, types, flags, options and control messages.

Sources: include/linux/socket.h, include/linux/net.h, include/uapi/asm-generic/socket.h.
"""

# ruff: noqa: N802 - C's names, which are also those of Python's socket module

from __future__ import annotations

from struct import Struct
from typing import Final

import attrs

from simkernel.uapi.structure import Structure

# Address families.
AF_UNSPEC: Final = 0
AF_UNIX: Final = 1
AF_LOCAL: Final = AF_UNIX
AF_INET: Final = 2
AF_AX25: Final = 3
AF_IPX: Final = 4
AF_APPLETALK: Final = 5
AF_NETROM: Final = 6
AF_BRIDGE: Final = 7
AF_ATMPVC: Final = 8
AF_X25: Final = 9
AF_INET6: Final = 10
AF_ROSE: Final = 11
AF_DECnet: Final = 12
AF_NETBEUI: Final = 13
AF_SECURITY: Final = 14
AF_KEY: Final = 15
AF_NETLINK: Final = 16
AF_ROUTE: Final = AF_NETLINK
AF_PACKET: Final = 17
AF_ASH: Final = 18
AF_ECONET: Final = 19
AF_ATMSVC: Final = 20
AF_RDS: Final = 21
AF_SNA: Final = 22
AF_IRDA: Final = 23
AF_PPPOX: Final = 24
AF_WANPIPE: Final = 25
AF_LLC: Final = 26
AF_IB: Final = 27
AF_MPLS: Final = 28
AF_CAN: Final = 29
AF_TIPC: Final = 30
AF_BLUETOOTH: Final = 31
AF_IUCV: Final = 32
AF_RXRPC: Final = 33
AF_ISDN: Final = 34
AF_PHONET: Final = 35
AF_IEEE802154: Final = 36
AF_CAIF: Final = 37
AF_ALG: Final = 38
AF_NFC: Final = 39
AF_VSOCK: Final = 40
AF_KCM: Final = 41
AF_QIPCRTR: Final = 42
AF_SMC: Final = 43
AF_XDP: Final = 44
AF_MCTP: Final = 45
AF_MAX: Final = 46

# Socket types, and flags that a program adds to the type in socket(2).
SOCK_STREAM: Final = 1
SOCK_DGRAM: Final = 2
SOCK_RAW: Final = 3
SOCK_RDM: Final = 4
SOCK_SEQPACKET: Final = 5
SOCK_DCCP: Final = 6
SOCK_PACKET: Final = 10
SOCK_MAX: Final = SOCK_PACKET + 1
SOCK_TYPE_MASK: Final = 0xF
SOCK_NONBLOCK: Final = 0o4000
SOCK_CLOEXEC: Final = 0o2000000

SHUT_RD: Final = 0
SHUT_WR: Final = 1
SHUT_RDWR: Final = 2
SOMAXCONN: Final = 4096

# MSG_ flags of send and receive calls.  The kernel sets some of them for a received message.
MSG_OOB: Final = 0x1
MSG_PEEK: Final = 0x2
MSG_DONTROUTE: Final = 0x4
MSG_CTRUNC: Final = 0x8
MSG_PROBE: Final = 0x10
MSG_TRUNC: Final = 0x20
MSG_DONTWAIT: Final = 0x40
MSG_EOR: Final = 0x80
MSG_WAITALL: Final = 0x100
MSG_FIN: Final = 0x200
MSG_SYN: Final = 0x400
MSG_CONFIRM: Final = 0x800
MSG_RST: Final = 0x1000
MSG_ERRQUEUE: Final = 0x2000
MSG_NOSIGNAL: Final = 0x4000
MSG_MORE: Final = 0x8000
MSG_WAITFORONE: Final = 0x10000
MSG_BATCH: Final = 0x40000
MSG_ZEROCOPY: Final = 0x4000000
MSG_FASTOPEN: Final = 0x20000000
MSG_CMSG_CLOEXEC: Final = 0x40000000

# Levels of options and control messages.
SOL_IP: Final = 0
SOL_SOCKET: Final = 1
SOL_TCP: Final = 6
SOL_UDP: Final = 17
SOL_IPV6: Final = 41
SOL_RAW: Final = 255
SOL_PACKET: Final = 263
SOL_NETLINK: Final = 270
SOL_TIPC: Final = 271
SOL_BLUETOOTH: Final = 274
SOL_ALG: Final = 279
SOL_KCM: Final = 281
SOL_TLS: Final = 282
SOL_XDP: Final = 283
SOL_MPTCP: Final = 284
SOL_VSOCK: Final = 287

# Options of level SOL_SOCKET.
SO_DEBUG: Final = 1
SO_REUSEADDR: Final = 2
SO_TYPE: Final = 3
SO_ERROR: Final = 4
SO_DONTROUTE: Final = 5
SO_BROADCAST: Final = 6
SO_SNDBUF: Final = 7
SO_RCVBUF: Final = 8
SO_KEEPALIVE: Final = 9
SO_OOBINLINE: Final = 10
SO_NO_CHECK: Final = 11
SO_PRIORITY: Final = 12
SO_LINGER: Final = 13
SO_BSDCOMPAT: Final = 14
SO_REUSEPORT: Final = 15
SO_PASSCRED: Final = 16
SO_PEERCRED: Final = 17
SO_RCVLOWAT: Final = 18
SO_SNDLOWAT: Final = 19
SO_RCVTIMEO: Final = 20
SO_SNDTIMEO: Final = 21
SO_BINDTODEVICE: Final = 25
SO_ATTACH_FILTER: Final = 26
SO_GET_FILTER: Final = SO_ATTACH_FILTER
SO_DETACH_FILTER: Final = 27
SO_DETACH_BPF: Final = SO_DETACH_FILTER
SO_PEERNAME: Final = 28
SO_TIMESTAMP: Final = 29
SO_ACCEPTCONN: Final = 30
SO_PEERSEC: Final = 31
SO_SNDBUFFORCE: Final = 32
SO_RCVBUFFORCE: Final = 33
SO_PASSSEC: Final = 34
SO_TIMESTAMPNS: Final = 35
SO_MARK: Final = 36
SO_TIMESTAMPING: Final = 37
SO_PROTOCOL: Final = 38
SO_DOMAIN: Final = 39
SO_RXQ_OVFL: Final = 40
SO_WIFI_STATUS: Final = 41
SO_PEEK_OFF: Final = 42
SO_NOFCS: Final = 43
SO_LOCK_FILTER: Final = 44
SO_SELECT_ERR_QUEUE: Final = 45
SO_BUSY_POLL: Final = 46
SO_MAX_PACING_RATE: Final = 47
SO_BPF_EXTENSIONS: Final = 48
SO_INCOMING_CPU: Final = 49
SO_ATTACH_BPF: Final = 50
SO_ATTACH_REUSEPORT_CBPF: Final = 51
SO_ATTACH_REUSEPORT_EBPF: Final = 52
SO_CNX_ADVICE: Final = 53
SO_MEMINFO: Final = 55
SO_INCOMING_NAPI_ID: Final = 56
SO_COOKIE: Final = 57
SO_PEERGROUPS: Final = 59
SO_ZEROCOPY: Final = 60
SO_TXTIME: Final = 61
SO_BINDTOIFINDEX: Final = 62
SO_TIMESTAMP_NEW: Final = 63
SO_TIMESTAMPNS_NEW: Final = 64
SO_TIMESTAMPING_NEW: Final = 65
SO_RCVTIMEO_NEW: Final = 66
SO_SNDTIMEO_NEW: Final = 67
SO_DETACH_REUSEPORT_BPF: Final = 68
SO_PREFER_BUSY_POLL: Final = 69
SO_BUSY_POLL_BUDGET: Final = 70
SO_NETNS_COOKIE: Final = 71
SO_BUF_LOCK: Final = 72
SO_RESERVE_MEM: Final = 73
SO_TXREHASH: Final = 74
SO_RCVMARK: Final = 75
SO_PASSPIDFD: Final = 76
SO_PEERPIDFD: Final = 77
SO_DEVMEM_DONTNEED: Final = 80
SO_RCVPRIORITY: Final = 82
SO_PASSRIGHTS: Final = 83

# Control messages of level SOL_SOCKET.
SCM_RIGHTS: Final = 1
SCM_CREDENTIALS: Final = 2
SCM_SECURITY: Final = 3
SCM_PIDFD: Final = 4

CMSG_HDRLEN: Final = 16


@attrs.frozen
class Ucred(Structure):
    """struct ucred: the credentials of a sender (SCM_CREDENTIALS) or peer (SO_PEERCRED)."""

    LAYOUT = Struct("<iII")

    pid: int
    uid: int
    gid: int


@attrs.frozen
class CmsgHdr(Structure):
    """struct cmsghdr, the header of a control message.

    `length` includes the header, but not the padding at the end.
    """

    LAYOUT = Struct("<Qii")

    length: int
    level: int
    type: int


def CMSG_ALIGN(length: int) -> int:
    """Return `length` rounded up to the alignment of control messages."""
    return (length + 7) & ~7


def CMSG_LEN(length: int) -> int:
    """Return the value of `CmsgHdr.length` for a control message with `length` bytes of data."""
    return CMSG_HDRLEN + length


def CMSG_SPACE(length: int) -> int:
    """Return the number of bytes that a control message with `length` bytes of data needs in a buffer,
    padding included.
    """
    return CMSG_HDRLEN + CMSG_ALIGN(length)
