"""Reduction of a program that shows a difference to a small one.

First runs of steps are removed, then single steps. Then each step is simplified, as long as a difference
in the call remains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs

from simkernel.uapi.socket import AF_NETLINK, MSG_DONTWAIT, SOCK_RAW
from tests.conformance.live.steps import Program, Step

Shows = Callable[[Any], bool]
"""Function that returns True if a program still shows the difference."""
Plainer = Callable[[Any], Iterator[Any]]


def shrink(program: Any, shows: Shows, *, patience: int, plainer: Plainer | None = None) -> Any:
    """Return the smallest program that was found within `patience` runs and that still shows the difference.

    `plainer` yields simpler steps to try. By default, it simplifies calls on sockets.
    """
    budget = _Budget(shows, patience)
    before: Program = ()
    while program != before and budget.left:
        before = program
        program = _without_runs(program, budget)
        program = _plainer(program, budget, plainer or _plainer_steps)
    return program


@attrs.define
class _Budget:
    """Counter of the program runs that remain until shrinking stops."""

    _shows: Shows
    left: int

    def shows(self, program: Program) -> bool:
        if not self.left:
            return False
        self.left -= 1
        return self._shows(program)


def _without_runs(program: Program, budget: _Budget) -> Program:
    """Shorten a program: remove sequences of steps, the longest first, if the shortened program still shows
    the difference.
    """
    length = len(program) // 2
    while length:
        start = 0
        while start < len(program):
            shorter = program[:start] + program[start + length :]
            if budget.shows(shorter):
                program = shorter
            else:
                start += length
        length //= 2
    return program


def _plainer(program: Program, budget: _Budget, plainer: Plainer) -> Program:
    """Simplify each step of a program as far as the program still shows the difference."""
    for index in range(len(program)):
        found = True
        while found:
            found = False
            for step in plainer(program[index]):
                candidate = (*program[:index], step, *program[index + 1 :])
                if budget.shows(candidate):
                    program, found = candidate, True
                    break
    return program


def _plainer_steps(step: Step) -> Iterator[Step]:
    """Yield versions of a step with one simpler argument."""
    if step.call == "flood":
        _count, *rest = step.arguments
        yield Step("sendto", step.slot, tuple(rest))
    if step.call == "drain":
        yield Step("recvmsg", step.slot, step.arguments)
    if step.call == "socket":
        yield from _distinct(step, (AF_NETLINK, SOCK_RAW, step.arguments[2]))
        return
    for index, argument in enumerate(step.arguments):
        for plain in plainer_values(argument):
            yield from _distinct(step, (*step.arguments[:index], plain, *step.arguments[index + 1 :]))


def _distinct(step: Step, arguments: tuple[Any, ...]) -> Iterator[Step]:
    """Yield a copy of the step with `arguments`, unless the step already has these arguments. Yield nothing
    if the size of an ioctl(2) buffer would change, because the kernel can read as many bytes as the original
    buffer has.
    """
    if step.call == "ioctl" and len(arguments[1]) != len(step.arguments[1]):
        return
    if arguments != step.arguments:
        yield attrs.evolve(step, arguments=arguments)


def plainer_values(value: Any) -> Iterator[Any]:
    """Yield simpler values to try in place of a value."""
    if isinstance(value, bytes):
        half = len(value) // 2
        yield from (value[:half], value[half:], value[:-1], value[1:])
        if any(value):
            yield bytes(len(value))
            yield from (value[:at] + b"\0" + value[at + 1 :] for at, byte in enumerate(value[:200]) if byte)
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, int):
        yield from (each for each in (0, 1, value // 2, value & MSG_DONTWAIT) if 0 <= each < abs(value))
    elif isinstance(value, tuple):
        for index, part in enumerate(value):
            yield from ((*value[:index], plain, *value[index + 1 :]) for plain in plainer_values(part))
