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

The log has the type of the exception and the functions of modules and driverapi that it passed through, with
file and line: no path of the host, and no text but a SimulationError's, since others may hold anything.  The
exception itself is in `Oopses.reports`, and `simkernel run` prints its text.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from traceback import clear_frames
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

DRIVERAPI = "simkernel.driverapi."
KEPT = 64
"""Reports kept; the log and the counter have the others."""

OTHERS = (InternalError, DeviceError, KeyboardInterrupt)
"""What is no oops: it comes through a module's code and is not its fault.  Every other exception is one."""


@attrs.frozen
class Oops:
    """One oops: in which module, doing what, and the exception.  `trace` lists functions, innermost first."""

    number: int
    module: str
    where: str
    error: BaseException
    trace: tuple[str, ...]


@attrs.define(eq=False, repr=False)
class Oopses:
    """The oopses of one machine."""

    _log: Log
    _taints: Taints
    _current: Callable[[], SchedTask | None]
    closing: Callable[[], bool]
    """Whether a task is being ended: then GeneratorExit is not the module's."""
    count: int = 0
    reports: deque[Oops] = attrs.field(factory=lambda: deque(maxlen=KEPT))

    def report(self, module: LoadedModule, where: str, error: BaseException) -> OSError:
        """Log that `error` came out of `module` in `where`; returns what the caller shall get."""
        self.count += 1
        trace = _call_trace(error.__traceback__)
        self.reports.append(Oops(self.count, module.name, where, error, trace))
        task = self._current()
        name, pid = ("swapper/0", 0) if task is None else (task.comm, task.pid)
        lockup = "BUG: spinlock lockup suspected" if isinstance(error, Lockup) else "BUG: unhandled exception"
        self._log.alert(f"{lockup} in {module.name}: {_kind(error)}")
        self._log.emerg(f"Oops: [#{self.count}] in {where}")
        self._log.warn(f"CPU: 0 PID: {pid} Comm: {name} {self._taints}")
        self._log.warn("Call Trace:")
        for line in trace:
            self._log.warn(f" {line}")
        self._log.warn(f"---[ end trace {self.count:016x} ]---")
        self._taints.add(Taint.DIE)
        module.pin()
        if self.closing():
            clear_frames(error.__traceback__)  # they hold a coroutine that ignored GeneratorExit: drop it now
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
        if self._module is None or error is None or isinstance(error, OTHERS):
            return False
        if isinstance(error, GeneratorExit) and self._oopses.closing():
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


def _call_trace(traceback: TracebackType | None) -> tuple[str, ...]:
    """The functions of modules and driverapi that the exception passed through, innermost first.

    If there are none, a function of the module was called with wrong arguments: the kernel's functions stand
    for it.  A line that the exception passed more than once is listed once, since the depth of a recursion
    is the host's.
    """
    lines: list[str] = []
    kernel: list[str] = []
    while traceback is not None:
        frame, line = traceback.tb_frame, traceback.tb_lineno
        python_name = str(frame.f_globals.get("__name__"))
        if (located := locate(frame)) is not None:
            name, file = located
            lines.append(f"{frame.f_code.co_name} at {file}:{line} [{name}]")
        elif python_name.startswith("simkernel."):
            into = lines if python_name.startswith(DRIVERAPI) else kernel
            into.append(f"{frame.f_code.co_name} at {python_name.replace('.', '/')}.py:{line}")
        traceback = traceback.tb_next
    return tuple(dict.fromkeys(lines or kernel))[::-1]
