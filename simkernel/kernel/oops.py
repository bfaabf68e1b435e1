"""Oopses: an exception in a module's code stays in the module.

On Linux the task that runs into an oops is killed, what it held stays held, and the machine goes on,
unless it happened in an interrupt.  Here the same, gentler in two points: the calling program gets
EFAULT instead of being killed, and the machine survives an oops in an interrupt too.

    init, exit     the module stays listed, going, and can be neither removed nor loaded again;
                   what it had registered is taken away by force
    probe          the device stays without a driver
    doit, dumpit   the request fails with EFAULT
    irq handler    the interrupt counts as not handled
    work, timer    it is over

In all of them the kernel is tainted with D and the module is pinned: rmmod says EBUSY from then on.

The log has the type of the exception and where it passed through the modules' code, as module-relative
file and line: no path, and no text but a SimulationError's, since others may hold anything.  The
exception itself is in `Oopses.reports`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

import attrs

from simkernel.engine import DeviceError, InternalError, SimulationError
from simkernel.kernel.lib.log import Log
from simkernel.kernel.lib.taint import Taint, Taints
from simkernel.kernel.module.module import LoadedModule, locate
from simkernel.kernel.sched.spinlock import Lockup
from simkernel.kernel.sched.task import SchedTask
from simkernel.uapi.errno import EFAULT, os_error

KEPT = 64
"""Reports kept; the log and the counter have the others."""

FAULTS = (Exception, SystemExit)
"""What is an oops: sys.exit() is no way out of a kernel.  Ctrl-C and the end of a task are not a module's."""
OTHERS = (InternalError, DeviceError)
"""What is none: it comes through a module's code and is not its fault."""


@attrs.frozen
class Oops:
    """One oops: in which module, doing what, and the exception."""

    number: int
    module: str
    where: str
    error: BaseException


@attrs.define(eq=False, repr=False)
class Oopses:
    """The oopses of one machine."""

    _log: Log
    _taints: Taints
    _current: Callable[[], SchedTask | None]
    count: int = 0
    reports: deque[Oops] = attrs.field(factory=lambda: deque(maxlen=KEPT))

    def report(self, module: LoadedModule, where: str, error: BaseException) -> OSError:
        """Log that `error` came out of `module` in `where`; returns what the caller shall get."""
        self.count += 1
        self.reports.append(Oops(self.count, module.name, where, error))
        task = self._current()
        name, pid = ("swapper/0", 0) if task is None else (task.comm, task.pid)
        lockup = "BUG: spinlock lockup suspected" if isinstance(error, Lockup) else "BUG: unhandled exception"
        self._log.alert(f"{lockup} in {module.name}: {_kind(error)}")
        self._log.emerg(f"Oops: [#{self.count}] in {where}")
        self._log.warn(f"CPU: 0 PID: {pid} Comm: {name} {self._taints}")
        self._log.warn("Call Trace:")
        for line in _call_trace(error.__traceback__):
            self._log.warn(f" {line}")
        self._log.warn(f"---[ end trace {self.count:016x} ]---")
        self._taints.add(Taint.DIE)
        module.pin()
        return os_error(EFAULT)

    def guard(self, module: LoadedModule | None, where: str) -> Guard:
        """For a `with` around a call that is answered: an OSError passes, an oops becomes EFAULT."""
        return Guard(self, module, where, answered=True)

    def contain(self, module: LoadedModule | None, where: str) -> Guard:
        """For a `with` around a call that nobody waits for: it ends there, and an OSError is an oops too."""
        return Guard(self, module, where, answered=False)

    def wrap(self, module: LoadedModule, where: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function` with a `guard` round it, whether it is plain or `async def`."""

        async def finish(pending: Awaitable[Any]) -> Any:
            with self.guard(module, where):
                return await pending

        def call(*arguments: Any) -> Any:
            with self.guard(module, where):
                result = function(*arguments)
            return finish(result) if isinstance(result, Awaitable) else result

        return call


@attrs.define(eq=False, repr=False)
class Guard:
    """What stands around every call into a module's code.

    Code without a module is the kernel's own, whose exceptions are nobody's to catch.
    """

    _oopses: Oopses
    _module: LoadedModule | None
    _where: str
    _answered: bool

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        if self._module is None or not isinstance(error, FAULTS) or isinstance(error, OTHERS):
            return False
        if not self._answered:
            self._oopses.report(self._module, self._where, error)
            return True
        if isinstance(error, OSError):
            return False
        raise self._oopses.report(self._module, self._where, error) from None


def _kind(error: BaseException) -> str:
    name = type(error).__name__
    return f"{name}: {error}" if isinstance(error, SimulationError) else name


def _call_trace(traceback: TracebackType | None) -> list[str]:
    """Innermost first, as Linux prints it: the functions of modules that the exception passed through.

    A line that it passed through more than once is told once: how deep a recursion gets is the host's.
    """
    lines = []
    while traceback is not None:
        located = locate(traceback.tb_frame)
        if located is not None:
            name, file = located
            lines.append(f"{traceback.tb_frame.f_code.co_name} at {file}:{traceback.tb_lineno} [{name}]")
        traceback = traceback.tb_next
    return list(dict.fromkeys(lines))[::-1]
