"""What programs await: whether they may, and what becomes of it once they are being closed."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final, NoReturn

from simkernel.engine import Call, SimulationError

if TYPE_CHECKING:
    from simkernel.kernel.sched.task import SchedTask

STUBBORN: Final = 1000
"""How many calls a program may await while it is being closed before it counts as stuck."""


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


def enter_no_more(call: Call[Any]) -> NoReturn:
    """Where a task that has ended enters its calls: in a coroutine of a coroutine, none may be yielded."""
    call.owner = None
    raise GeneratorExit


def close(program: Coroutine[Any, Any, Any]) -> BaseException | None:
    """Throw GeneratorExit into a program until it ends; what it awaits meanwhile does nothing."""
    for _ in range(STUBBORN):
        try:
            program.throw(GeneratorExit)
        except (StopIteration, GeneratorExit):
            return None
        except BaseException as failure:  # noqa: BLE001 - whatever a program raises is its own
            return failure
    return SimulationError(
        f"a program went on through {STUBBORN} GeneratorExits: do not catch and loop on it"
    )
