"""fasync functions of include/linux/fs.h: a driver signals the programs that enabled O_ASYNC on its files.

    def fasync(file: File, fd: int, on: bool) -> None:
        fasync_helper(file, fd, on, file.private_data.fasync)

    kill_fasync(device.fasync, POLL_IN)          # input is available; also in interrupt context

A closed file is removed from the list automatically.
"""

from __future__ import annotations

from simkernel.kernel.vfs.char_file import CharDeviceFile
from simkernel.kernel.vfs.fasync import FasyncList as FasyncList
from simkernel.uapi.signal import POLL_ERR as POLL_ERR
from simkernel.uapi.signal import POLL_HUP as POLL_HUP
from simkernel.uapi.signal import POLL_IN as POLL_IN
from simkernel.uapi.signal import POLL_MSG as POLL_MSG
from simkernel.uapi.signal import POLL_OUT as POLL_OUT
from simkernel.uapi.signal import POLL_PRI as POLL_PRI


def fasync_helper(file: CharDeviceFile, fd: int, on: bool, fasync: FasyncList) -> None:
    """If `on` is True, add `file` to the list of files whose owners get a signal. If `on` is False, remove
    `file` from the list.
    """
    fasync.switch(file.open_file, fd, on)


def kill_fasync(fasync: FasyncList, band: int) -> None:
    """Send SIGIO, or the signal that a program selected with F_SETSIG, to the owners of the files in the
    list. `band` is POLL_IN, POLL_HUP or a similar code. simkernel does not pass it to the signal handler.
    """
    fasync.kill()
