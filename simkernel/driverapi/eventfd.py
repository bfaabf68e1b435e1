"""include/linux/eventfd.h: telling a program by the eventfd that it has handed over.

    context = eventfd_ctx_fdget(file, fd)     # in an ioctl; EBADF, EINVAL if it is none
    eventfd_signal(context)                   # one more has happened; also in interrupt context

The counter lives as long as somebody holds it, whether or not the program has closed the descriptor.
"""

from __future__ import annotations

from simkernel.kernel.vfs.char_file import CharDeviceFile
from simkernel.kernel.vfs.eventfd import EventFd as EventFd
from simkernel.uapi.errno import EBADF, EINVAL, os_error


def eventfd_ctx_fdget(file: CharDeviceFile, fd: int) -> EventFd:
    """The eventfd behind a descriptor of the calling program.  EBADF, EINVAL if it is no eventfd."""
    task = file.current()
    if task is None:
        raise os_error(EBADF)
    found = task.files.get(fd).object
    if not isinstance(found, EventFd):
        raise os_error(EINVAL)
    return found


def eventfd_signal(context: EventFd) -> None:
    """Add one, and wake who waits."""
    context.signal()
