"""System calls about the system: uname, kernel modules, the kernel log (kernel/sys.c, module/, printk/)."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final

from simkernel.kernel.lib.syslog import LOG_BUF_LEN
from simkernel.kernel.parts import KernelParts
from simkernel.kernel.sched.wait import sleep_on
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import syslog as uapi
from simkernel.uapi.capability import CAP_SYS_MODULE, CAP_SYSLOG
from simkernel.uapi.errno import EINVAL, EPERM, os_error
from simkernel.uapi.utsname import Utsname
from simkernel.uapi.version import UTS_RELEASE, UTS_VERSION

NODENAME: Final = "simkernel"
"""Host name of every machine: no call changes it."""
UTSNAME: Final = Utsname("Linux", NODENAME, UTS_RELEASE, UTS_VERSION, "x86_64")
"""Result of uname(2).  UTS namespaces are not modelled."""
UNRESTRICTED: Final = frozenset({uapi.SYSLOG_ACTION_READ_ALL, uapi.SYSLOG_ACTION_SIZE_BUFFER})
"""Actions of syslog(2) that need no privilege unless dmesg_restrict is set (`syslog_action_restricted()`)."""
READS: Final = range(uapi.SYSLOG_ACTION_READ, uapi.SYSLOG_ACTION_CLEAR)


class SystemCalls:
    """Handlers of system calls about the system's names, modules and log."""

    def __init__(self, kernel: KernelParts) -> None:
        self._kernel = kernel
        self._modules = kernel.modules
        self._syslog = kernel.syslog

    def uname(self, task: Task) -> Utsname:
        """Return the names and version of the system (uname(2))."""
        return UTSNAME

    def finit_module(
        self, task: Task, path: str, parameters: str = "", flags: int = 0
    ) -> Coroutine[Any, Any, None]:
        """Load a module (finit_module(2)).

        `path` is on the module path; `parameters` are written as for insmod(8).
        """
        _check(task)
        return self._modules.load(path, parameters, flags)

    def delete_module(self, task: Task, name: str, flags: int = 0) -> Coroutine[Any, Any, None]:
        """Unload a module (delete_module(2))."""
        _check(task)
        return self._modules.unload(name, flags)

    def syslog(self, task: Task, action: int, size: int = 0) -> Any:
        """Read or control the kernel log (syslog(2), `do_syslog()`).

        Return bytes if `action` reads, else an int.

        Raises EPERM without CAP_SYSLOG, EINVAL for an unknown action, a negative size or a level outside 1
        to 8.
        """
        log = self._syslog
        restricted = log.dmesg_restrict[0] or action not in UNRESTRICTED
        if restricted and not task.credentials.capable(CAP_SYSLOG):
            raise os_error(EPERM)
        if action in READS:
            return self._read_log(action, size)
        match action:
            case uapi.SYSLOG_ACTION_CLEAR:
                log.cleared = log.log.written
            case uapi.SYSLOG_ACTION_SIZE_UNREAD:
                return log.size_unread()
            case uapi.SYSLOG_ACTION_SIZE_BUFFER:
                return LOG_BUF_LEN
            case uapi.SYSLOG_ACTION_CLOSE | uapi.SYSLOG_ACTION_OPEN:
                pass
            case _:
                log.set_console(action, size)
        return 0

    def _read_log(self, action: int, size: int) -> bytes | Coroutine[Any, Any, bytes]:
        log = self._syslog
        if size < 0:
            raise os_error(EINVAL)
        if size and action == uapi.SYSLOG_ACTION_READ:
            return self._wait_for_log(size)
        data = log.read_all(size) if size else b""
        if size and action == uapi.SYSLOG_ACTION_READ_CLEAR:
            log.cleared = log.log.written
        self._kernel.engine.charge(self._kernel.costs.copy(len(data)))
        return data

    async def _wait_for_log(self, size: int) -> bytes:
        while not self._syslog.unread():
            await sleep_on(self._kernel.log_readers)
        data = self._syslog.read(size)
        self._kernel.engine.charge(self._kernel.costs.copy(len(data)))
        return data


def _check(task: Task) -> None:
    if not task.credentials.capable(CAP_SYS_MODULE):
        raise os_error(EPERM)
