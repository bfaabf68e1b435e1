"""include/linux/eventfd.h: notification of a program through an eventfd that it passed to the driver.

    context = eventfd_ctx_fdget(file, fd)     # in an ioctl; EBADF, EINVAL if `fd` is no eventfd
    eventfd_signal(context)                   # adds 1; also in interrupt context

The eventfd exists while it is referenced, even if the program has closed the file descriptor.
"""

from __future__ import annotations

from simkernel.kernel.vfs.char_file import CharDeviceFile
from simkernel.kernel.vfs.eventfd import EventFd as EventFd
from simkernel.uapi.errno import EBADF, EINVAL, os_error


def eventfd_ctx_fdget(file: CharDeviceFile, fd: int) -> EventFd:
    """Return the eventfd to which the file descriptor `fd` refers in the calling program. Raise EBADF if `fd`
    is not open, EINVAL if it is no eventfd.
    """
    task = file.current()
    if task is None:
        raise os_error(EBADF)
    found = task.files.get(fd).object
    if not isinstance(found, EventFd):
        raise os_error(EINVAL)
    return found


def eventfd_signal(context: EventFd) -> None:
    """Add 1 to the counter of the eventfd, and wake its waiters."""
    context.signal()
