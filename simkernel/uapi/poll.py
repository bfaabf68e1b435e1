"""Events of poll(2).  Source: include/uapi/asm-generic/poll.h."""

from __future__ import annotations

from typing import Final

POLLIN: Final = 0x0001
POLLPRI: Final = 0x0002
POLLOUT: Final = 0x0004
POLLERR: Final = 0x0008
POLLHUP: Final = 0x0010
POLLNVAL: Final = 0x0020
POLLRDNORM: Final = 0x0040
POLLRDBAND: Final = 0x0080
POLLWRNORM: Final = 0x0100
POLLWRBAND: Final = 0x0200
POLLMSG: Final = 0x0400
POLLREMOVE: Final = 0x1000
POLLRDHUP: Final = 0x2000
