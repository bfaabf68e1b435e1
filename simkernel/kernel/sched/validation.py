"""What programs await, whether they may, and how programs end."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Literal

from simkernel.engine import LATER, Call, SimulationError
from simkernel.uapi.signal import SIGINT

if TYPE_CHECKING:
    from simkernel.kernel.sched.task import Program, SchedTask

Part = Literal["program", "frame"]
"""A coroutine of a task: in user mode or in the kernel."""

ATTEMPTS: Final = 1000
"""How many GeneratorExits a program may catch before it is abandoned."""


class Exited(BaseException):
    """A system call ended its own process (exit_group(2)); `status` is a wait status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def take(task: SchedTask, request: object) -> SimulationError | None:
    """Take a call from its program, which awaits it for the only time; the mistake if it may not."""
    if not isinstance(request, Call):
        return SimulationError(
            f"{task.comm} awaited {kind(request)}, which is not a system call: a program awaits "
            "what app and its sockets offer (app.sleep(...), sock.recv(...)) and nothing else"
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
    """What something is that should not have been awaited."""
    kind = type(request)
    return "None" if request is None else f"a {kind.__module__}.{kind.__qualname__}"


def exit_status(raised: SystemExit, task: SchedTask) -> int:
    """The wait status of a program that raised SystemExit, as Python has it.

    None is 0 and an int its low 8 bits.  Anything else is 1, and Python writes it to stderr
    (`handle_system_exit()`, Python/pythonrun.c); a thread's is written nowhere.
    """
    code = raised.code
    if code is None or isinstance(code, int):
        return ((code or 0) & 0xFF) << 8
    if task.is_leader and sys.stderr is not None:
        with suppress(Exception):  # as Python: a text that cannot be written is lost
            sys.stderr.write(f"{code}\n")
    return 1 << 8


def failure_status(raised: BaseException) -> int:
    """The wait status of a program that raised anything else: Python exits with 1, or by SIGINT."""
    return SIGINT if isinstance(raised, KeyboardInterrupt) else 1 << 8


class Closing:
    """Counts the GeneratorExits that are thrown into one task while it is being ended."""

    def __init__(self) -> None:
        self.left = ATTEMPTS

    def enter(self, call: Call[Any]) -> object:
        """Enter a call of a task that is being ended: it is not entered.

        A coroutine that is awaited by another may not yield while Python closes it: the call raises
        GeneratorExit once more.  If the program has caught too many, it is suspended instead.
        """
        call.owner = None
        if not self.left:
            return LATER
        self.left -= 1
        raise GeneratorExit


def close(task: SchedTask, part: Part) -> BaseException | None:
    """Throw GeneratorExit into a coroutine until it ends; what it awaits meanwhile does nothing.

    One that catches each of ATTEMPTS is abandoned and never runs again.  Returns its failure.  `throw`
    works with any object that has a coroutine's methods.
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
            except BaseException as raised:  # noqa: BLE001 - whatever a program raises is its own
                if closing.left and not _ignored(raised):
                    return raised
                break
        del program  # Python throws a last GeneratorExit as it collects the coroutine
        return SimulationError(
            f"{task.comm} caught GeneratorExit, by which a program is ended, and went on; it is abandoned: "
            "catch Exception instead of everything, or raise GeneratorExit again"
        )
    finally:
        sys.unraisablehook = unraisable
        task.enter = enter  # which leaves it to `take` to refuse a call that another program awaits


def _ignored(error: BaseException | None) -> bool:
    """Whether Python itself found that a coroutine went on after GeneratorExit (`gen_close()`)."""
    return isinstance(error, RuntimeError) and str(error).endswith("ignored GeneratorExit")


def _abandoned(unraisable: sys.UnraisableHookArgs) -> None:
    """Report what Python reports by default, but for what the task's failure says."""
    if not _ignored(unraisable.exc_value):
        sys.__unraisablehook__(unraisable)
