"""Oopses: if a module's code raises an unexpected exception, the kernel logs it, and the machine continues.

Linux kills the task in which an oops happens and does not release its locks and references.  The machine
continues, unless the oops happened in an interrupt.  simkernel differs in two ways.  The calling program
gets EFAULT instead of being killed.  The machine also survives an oops in an interrupt.

    init, exit     the module stays in the list in state "going" and cannot be removed or loaded again;
                   its registrations are removed by force
    probe          the device stays without a driver
    doit, dumpit   the request fails with EFAULT
    irq handler    the interrupt counts as not handled
    work, timer    the function ends

Every oops taints the kernel with D and pins the module: rmmod fails with EBUSY from then on.

The log of an oops has the type of the exception, and the file and line of each function of modules and
driverapi on its traceback.  It has no path of the host. It has the text of the exception only if that is a
SimulationError, because other texts may differ between runs or hosts.  `Oopses.reports` has the exception,
and `simkernel run` prints its text.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from traceback import clear_frames
from types import TracebackType
from typing import Any

import attrs

from simkernel.engine import DeviceError, InternalError, NotModelled, SimulationError
from simkernel.kernel.lib.log import Log
from simkernel.kernel.lib.stack import DRIVERAPI, locate
from simkernel.kernel.lib.taint import Taint, Taints
from simkernel.kernel.module.module import LoadedModule
from simkernel.kernel.sched.spinlock import Lockup
from simkernel.kernel.sched.task import SchedTask
from simkernel.uapi.errno import EFAULT, os_error

MAX_KEPT = 64
"""Maximum number of stored oops reports. Older reports are dropped, but remain in the log and the counter."""

OTHERS = (InternalError, DeviceError, NotModelled, KeyboardInterrupt)
"""Exceptions that are not a bug of the module whose code raises them. They never cause an oops."""


@attrs.frozen
class Oops:
    """An oops: the module, the function (`where`) that raised the exception, and the exception.

    `trace` lists the functions that the exception passed through, innermost first.
    """

    number: int
    module: str
    where: str
    error: BaseException
    trace: tuple[str, ...]


@attrs.define(eq=False, repr=False)
class Oopses:
    """Logs and stores the oopses of a machine, and creates the context managers that detect them."""

    _log: Log
    _taints: Taints
    _current: Callable[[], SchedTask | None]
    closing: Callable[[], bool]
    """A function that returns True while the kernel throws GeneratorExit into a task to end it. During this
    time, a GeneratorExit in a module's code is not a bug.
    """
    count: int = 0
    reports: deque[Oops] = attrs.field(factory=lambda: deque(maxlen=MAX_KEPT))

    def report(self, module: LoadedModule, where: str, error: BaseException) -> OSError:
        """Log an exception that was raised in `module`. Return an OSError with EFAULT for the code that
        called the module.
        """
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
            # release the coroutine that ignored GeneratorExit: the traceback's frames hold a reference to it
            clear_frames(error.__traceback__)
        return os_error(EFAULT)

    def guard(self, module: LoadedModule | None, where: str) -> Guard:
        """Return a context manager for calls of module functions that can return an error. An OSError and the
        exceptions in `OTHERS` pass unchanged. Any other exception is an oops, and the caller gets EFAULT.
        """
        return Guard(self, module, where, answered=True)

    def contain(self, module: LoadedModule | None, where: str) -> Guard:
        """Return a context manager for calls of module functions that cannot return an error, for example a
        timer function. Every exception except those in `OTHERS` is an oops, even OSError.
        """
        return Guard(self, module, where, answered=False)

    def wrap(self, module: LoadedModule, where: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that calls `function` within a `guard`. `function` is a plain or an `async def`
        function.
        """

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
    """A context manager around every call into a module's code.

    Without a module, the code is the kernel's own and its exceptions pass.
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
    """Return the functions of modules and of `simkernel.driverapi` in a traceback, innermost first.

    If the traceback has no such function, the kernel called a function of the module with wrong arguments.
    Then the functions of the kernel are listed.  Each line is listed once, because the depth of a
    recursion depends on the host.
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
