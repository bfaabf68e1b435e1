"""Call traces of kernel code: functions of modules, of driverapi and of the kernel, without host paths."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any, Final

LOCATION: Final = "__simkernel_module__"
"""Name of a global variable that each source file of a kernel module has. Its value is a pair: the name of
the module, and the name of the file as logs show it.
"""
KERNEL: Final = "simkernel.kernel."
DRIVERAPI: Final = "simkernel.driverapi."

Place = tuple[CodeType, int, dict[str, Any]]
"""A place in a function: the function's code object, the offset of the instruction, and the function's
globals.

A place has no reference to the frame.
"""


def locate(frame: FrameType) -> tuple[str, str] | None:
    """Return a pair for the code in `frame`: the name of the module that owns it, and its file as logs show
    it. Return None if no module owns it.
    """
    return frame.f_globals.get(LOCATION)


def caller(depth: int = 1) -> FrameType:
    """Return the innermost frame of module code on the stack (`module_frame`). If there is none, return the
    frame where the search starts.

    With depth 0, the search starts at the function that calls `caller`; with depth 1, one frame further out.
    """
    return module_frame(sys._getframe(depth + 1))


def module_frame(first: FrameType) -> FrameType:
    """Search the frames from `first` outwards for one that executes a module's code. Return it, or `first` if
    there is none.

    If `first` is the `__aenter__` of a lock, return its caller instead of `first`.
    """
    frame: FrameType | None = first
    while frame is not None:
        if LOCATION in frame.f_globals:
            return frame
        frame = frame.f_back
    if first.f_code.co_name == "__aenter__" and first.f_back is not None:
        return first.f_back
    return first


def place(frame: FrameType) -> Place:
    """Return the place that `frame` executes: code object, offset of the instruction, and globals. The line
    number is computed later, by `describe`.
    """
    return frame.f_code, frame.f_lasti, frame.f_globals


def call_trace(depth: int = 1) -> tuple[str, ...]:
    """Return the functions of modules, driverapi and the kernel on the stack, innermost first."""
    return described(stack(depth + 1))


def stack(depth: int = 1) -> tuple[Place, ...]:
    """Return the code position of each function on the stack. `described` formats them as a call trace."""
    return tuple(_places(sys._getframe(depth + 1)))


def _places(frame: FrameType | None) -> Iterator[Place]:
    while frame is not None:
        yield frame.f_code, frame.f_lasti, frame.f_globals
        frame = frame.f_back


def described(places: tuple[Place, ...]) -> tuple[str, ...]:
    """Return a call trace: one line for each code position in modules, driverapi and the kernel."""
    return tuple(describe(at) for at in places if LOCATION in at[2] or _is_kernel(at[2]))


def sleeping_trace(frame: Any) -> tuple[str, ...]:
    """Return the functions in which a coroutine sleeps, innermost first."""
    lines: list[str] = []
    while getattr(frame, "cr_frame", None) is not None:
        lines.append(describe(place(frame.cr_frame)))
        frame = frame.cr_await
    return tuple(reversed(lines))


def describe(at: Place) -> str:
    """Return the line of a call trace for a place, such as `stop at camera/stream.py:96 [camera]`."""
    code, offset, names = at
    lines = (line for start, end, line in code.co_lines() if start <= offset < end and line is not None)
    number = next(lines, code.co_firstlineno)
    located = names.get(LOCATION)
    if located is not None:
        return f"{code.co_name} at {located[1]}:{number} [{located[0]}]"
    return f"{code.co_name} at {str(names.get('__name__')).replace('.', '/')}.py:{number}"


def culprit(trace: tuple[str, ...]) -> str:
    """Return the line of a call trace that names the place of a bug in a report. It is the innermost line in
    code of a module, or the first line if the trace has no such line.
    """
    return next((line for line in trace if line.endswith("]")), trace[0] if trace else "an unknown function")


def position(text: str) -> str:
    """Return the `file:line` in a line of a call trace."""
    return text.partition(" at ")[2].partition(" ")[0]


def _is_kernel(names: dict[str, Any]) -> bool:
    return str(names.get("__name__")).startswith((KERNEL, DRIVERAPI))
