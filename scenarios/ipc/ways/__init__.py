"""The ways, in the order in which they are shown: to a driver, and from program to program."""

from __future__ import annotations

from typing import Final

from .eventfd import Eventfd
from .ioctl import Ioctl
from .mapped import Mapped
from .netlink import Netlink
from .pipe import Pipe
from .read_write import ReadWrite
from .shared_memory import SharedMemory
from .sigio import Sigio
from .signals import Signals
from .sysfs import Sysfs
from .unix import UnixDatagram, UnixStream
from .usersock import Usersock
from .way import Way

WAYS: Final[dict[str, type[Way]]] = {
    way.name: way
    for way in (
        Netlink,
        Ioctl,
        ReadWrite,
        Mapped,
        Sysfs,
        Eventfd,
        Sigio,
        Pipe,
        UnixStream,
        UnixDatagram,
        SharedMemory,
        Signals,
        Usersock,
    )
}
