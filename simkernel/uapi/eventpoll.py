"""epoll: operations, events, and struct epoll_event.  Source: include/uapi/linux/eventpoll.h."""

from __future__ import annotations

from struct import Struct
from typing import Final

import attrs

from simkernel.uapi.fcntl import O_CLOEXEC
from simkernel.uapi.structure import Structure

EPOLL_CLOEXEC: Final = O_CLOEXEC

# Operations of epoll_ctl().
EPOLL_CTL_ADD: Final = 1
EPOLL_CTL_DEL: Final = 2
EPOLL_CTL_MOD: Final = 3

# Events.  The numbers are the same as in poll(2).
EPOLLIN: Final = 0x0001
EPOLLPRI: Final = 0x0002
EPOLLOUT: Final = 0x0004
EPOLLERR: Final = 0x0008
EPOLLHUP: Final = 0x0010
EPOLLNVAL: Final = 0x0020
EPOLLRDNORM: Final = 0x0040
EPOLLRDBAND: Final = 0x0080
EPOLLWRNORM: Final = 0x0100
EPOLLWRBAND: Final = 0x0200
EPOLLMSG: Final = 0x0400
EPOLLRDHUP: Final = 0x2000

# Flags that control how events are reported.
EPOLLEXCLUSIVE: Final = 1 << 28
EPOLLWAKEUP: Final = 1 << 29
EPOLLONESHOT: Final = 1 << 30
EPOLLET: Final = 1 << 31


@attrs.frozen
class EpollEvent(Structure):
    """struct epoll_event, packed on x86-64: the events, and a number that the program has chosen."""

    LAYOUT = Struct("<IQ")

    events: int
    data: int
