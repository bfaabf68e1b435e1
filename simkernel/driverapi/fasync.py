"""Signals for readers that do not want to wait (O_ASYNC): include/linux/fs.h's fasync functions.

    def fasync(file: File, fd: int, on: bool) -> None:
        fasync_helper(file, fd, on, file.private_data.fasync)

    kill_fasync(device.fasync, POLL_IN)          # something can be read now; also in interrupt context

A file that is closed is taken out of the list by itself.
"""

from __future__ import annotations

from simkernel.kernel.vfs.char_file import CharDeviceFile
from simkernel.kernel.vfs.fasync import POLL_ERR as POLL_ERR
from simkernel.kernel.vfs.fasync import POLL_HUP as POLL_HUP
from simkernel.kernel.vfs.fasync import POLL_IN as POLL_IN
from simkernel.kernel.vfs.fasync import POLL_MSG as POLL_MSG
from simkernel.kernel.vfs.fasync import POLL_OUT as POLL_OUT
from simkernel.kernel.vfs.fasync import POLL_PRI as POLL_PRI
from simkernel.kernel.vfs.fasync import FasyncList as FasyncList


def fasync_helper(file: CharDeviceFile, fd: int, on: bool, fasync: FasyncList) -> None:
    """Put the file into the list of those that want a signal, or take it out."""
    fasync.switch(file.open_file, fd, on)


def kill_fasync(fasync: FasyncList, band: int) -> None:
    """Send the signal to the owners of the files in the list; `band` is POLL_IN, POLL_HUP and so on."""
    fasync.kill(band)
