"""Check the objects that programs await, close programs, and compute their wait status."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Literal

from simkernel.engine import LATER, Call, SimulationError
from simkernel.uapi.signal import SIGINT

if TYPE_CHECKING:
    from simkernel.kernel.sched.task import Program, SchedTask

Part = Literal["program", "frame"]
"""Name of the task's attribute that holds a coroutine: `program` for the program in user mode, `frame` for
the system call in the kernel.
"""

ATTEMPTS: Final = 1000
"""Maximum number of GeneratorExits that are thrown into a program before it is abandoned."""


class Exited(BaseException):
    """Raised when a system call ends its own process (exit_group(2)).  `status` is the wait status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def take(task: SchedTask, request: object) -> SimulationError | None:
    """Check the object `request` that a program awaits. If it is a call that the task may await, mark the
    call as used and return None. Otherwise return the error to raise.
    """
    if not isinstance(request, Call):
        return SimulationError(
            f"{task.comm} awaited {kind(request)}, which is not a system call: a program awaits only "
            "the calls of app and its sockets (app.sleep(...), sock.recv(...))"
        )
    if request.used:
        return SimulationError(f"{task.comm} awaited {request!r} twice: make the call anew each time")
    if request.owner is not task:
        return SimulationError(
            f"{task.comm} awaited {request!r} of another task: each task makes its own calls"
        )
    request.owner = None
    return None


def kind(request: object) -> str:
    """Return a text that describes an object that must not be awaited."""
    kind = type(request)
    return "None" if request is None else f"a {kind.__module__}.{kind.__qualname__}"


def exit_status(raised: SystemExit, task: SchedTask) -> int:
    """Return the wait status of a program that raised SystemExit, as Python's interpreter sets it.

    The exit code is 0 for None, the low 8 bits of an int, and 1 for any other value.  Any other value is
    also written to stderr (`handle_system_exit()`, Python/pythonrun.c), unless a thread other than the
    leader raised it.
    """
    code = raised.code
    if code is None or isinstance(code, int):
        return ((code or 0) & 0xFF) << 8
    if task.is_leader and sys.stderr is not None:
        with suppress(Exception):  # like Python, ignore an error of the write to stderr
            sys.stderr.write(f"{code}\n")
    return 1 << 8


def failure_status(raised: BaseException) -> int:
    """Return the wait status of a program that raised an exception other than SystemExit: killed by SIGINT
    after KeyboardInterrupt, otherwise exit code 1.
    """
    return SIGINT if isinstance(raised, KeyboardInterrupt) else 1 << 8


class Closing:
    """The `Owner` of the calls of a task that is being closed. `left` is the number of further GeneratorExits
    that the program may catch.
    """

    def __init__(self) -> None:
        self.left = ATTEMPTS

    def enter(self, call: Call[Any]) -> object:
        """Refuse a call of a task that is being closed: raise GeneratorExit.

        The call cannot yield, because Python does not allow a coroutine to yield while it is closed.  If
        the program has caught ATTEMPTS GeneratorExits, return LATER, which suspends it.
        """
        call.owner = None
        if not self.left:
            return LATER
        self.left -= 1
        raise GeneratorExit


def close(task: SchedTask, part: Part) -> BaseException | None:
    """Throw GeneratorExit into a coroutine until it ends. Return the exception with which it failed, or None.

    Calls of the coroutine during its close have no effect.  A coroutine that catches all ATTEMPTS is
    abandoned: it never runs again.  The coroutine may be any object with a coroutine's methods.
    """
    closing, enter = Closing(), task.enter
    if part == "program":
        task.enter = closing.enter
    program: Program = getattr(task, part)
    setattr(task, part, None)
    unraisable, sys.unraisablehook = sys.unraisablehook, _abandoned
    try:
        while closing.left:
            closing.left -= 1
            try:
                program.throw(GeneratorExit)
            except (StopIteration, GeneratorExit, SystemExit):
                return None
            except BaseException as raised:  # noqa: BLE001 - it is the program's failure
                if closing.left and not _ignored(raised):
                    return raised
                break
        del program  # Python throws one more GeneratorExit when it frees the coroutine
        return SimulationError(
            f"{task.comm} was abandoned, since it caught GeneratorExit, which ends a program, and continued: "
            "catch Exception instead of everything, or raise GeneratorExit again"
        )
    finally:
        sys.unraisablehook = unraisable
        task.enter = enter  # safe: `take` refuses a call of this task that another task awaits


def _ignored(error: BaseException | None) -> bool:
    """Return True for Python's RuntimeError about a coroutine that yields after GeneratorExit
    (`gen_close()`).
    """
    return isinstance(error, RuntimeError) and str(error).endswith("ignored GeneratorExit")


def _abandoned(unraisable: sys.UnraisableHookArgs) -> None:
    """Report an exception with Python's unraisable hook. Do not report that a coroutine ignored
    GeneratorExit, because the error that `close` returns already reports it.
    """
    if not _ignored(unraisable.exc_value):
        sys.__unraisablehook__(unraisable)
