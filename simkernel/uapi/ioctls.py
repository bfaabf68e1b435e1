"""Ioctl requests that are not specific to one driver.  Source: include/uapi/asm-generic/ioctls.h."""

from __future__ import annotations

from typing import Final

FIONREAD: Final = 0x541B
FIONBIO: Final = 0x5421
FIONCLEX: Final = 0x5450
FIOCLEX: Final = 0x5451
FIOASYNC: Final = 0x5452
FIOQSIZE: Final = 0x5460

TIOCOUTQ: Final = 0x5411
"""Request: get the number of bytes in the send queue."""

# Second names of FIONREAD and TIOCOUTQ, from include/uapi/linux/sockios.h.
SIOCINQ: Final = FIONREAD
SIOCOUTQ: Final = TIOCOUTQ

SIOCATMARK: Final = 0x8905
"""Request: get 1 if the next byte of a stream socket is at the mark of urgent data, else 0
(asm-generic/sockios.h).
"""
