"""Row 9: what a hook costs that is present and off.

A hook is a statement or two of simkernel's own source.  They are found in the function that has them
and put into a loop that does nothing else, with the objects that the function had in a running
machine.  What that takes beyond an empty loop is what the hook costs whoever passes it.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType, FunctionType
from typing import Any, Final, TypeAlias

from simkernel.engine import InternalError
from simkernel.hardware import Mouse
from simkernel.hardware.bus import Bus
from simkernel.kernel.netlink import send
from simkernel.kernel.netlink.kernel_socket import KernelSocket
from simkernel.kernel.sched.runner import Runner
from simkernel.machine import Machine
from simkernel.tools.bench.quantity import Measure, Measurement
from simkernel.tools.bench.round_trips import ask, open_socket
from simkernel.tools.bench.stopwatch import Effort, Subject, Work, fluctuation, side_by_side
from simkernel.tools.bench.worker import Worker

NANOSECONDS: Final = 1e9
MARKS: Final = frozenset({"emit", "tap"})
"""What a hook names, and no other statement does."""

LOOP: Final = """
def make({names}):
    def loop(often):
        for _ in range(often):
            pass
    return loop
"""
"""Where a hook is put, in place of `pass`."""

Locals: TypeAlias = dict[str, Any]

SITES: Final[dict[str, tuple[Any, ...]]] = {
    "trace": (Bus.readl, Bus.writel),
    "pcap": (KernelSocket.send_in, send.sendmsg),
    "strace": (Runner.enter,),
}
"""For each exporter, functions with hooks that it listens to: those that are passed most often."""


def passing(kind: str) -> Subject:
    """All hooks of a kind, passed one after the other."""

    @contextmanager
    def subject() -> Iterator[Work]:
        loops = [_loop(site, names) for site, names in _visited(kind)]

        def run(often: int) -> int:
            for loop in loops:
                loop(often)
            return often * len(loops)

        yield Work(run)

    return subject


def dearest(kind: str) -> Measure:
    """Nanoseconds of the dearest hook of a kind."""

    def measure(subject: Subject, effort: Effort) -> Measurement:
        found = [_cost(_loop(site, names), effort) for site, names in _visited(kind)]
        return max(found, key=lambda each: each.figure)

    return measure


def _cost(loop: Callable[[int], None], effort: Effort) -> Measurement:
    passed, empty = side_by_side(effort, _looping(loop), _looping(_empty))
    extra = [one - other for one, other in zip(passed.seconds, empty.seconds, strict=True)]
    return Measurement(max(0.0, passed.best - empty.best) * NANOSECONDS, 1.0, fluctuation(extra))


def _empty(often: int) -> None:
    for _ in range(often):
        pass


def _looping(loop: Callable[[int], None]) -> Subject:
    @contextmanager
    def subject() -> Iterator[Work]:
        def run(often: int) -> int:
            loop(often)
            return often

        yield Work(run)

    return subject


def _loop(site: FunctionType, names: Locals) -> Callable[[int], None]:
    """A function that passes the hook of `site` so often, its names being what they were there."""
    hook = list(_hook(ast.parse(textwrap.dedent(inspect.getsource(site))).body[0]))
    if not hook:
        raise InternalError(f"{site.__qualname__} has no hook: simkernel/tools/bench/hooks.py says it has")
    used = {each.id for statement in hook for each in ast.walk(statement) if isinstance(each, ast.Name)}
    bound = {name: value for name, value in names.items() if name in used and name not in MARKS}
    source = ast.parse(LOOP.format(names=", ".join(bound)))
    next(each for each in ast.walk(source) if isinstance(each, ast.For)).body = hook
    space = dict(site.__globals__)
    exec(compile(ast.fix_missing_locations(source), f"<hook of {site.__qualname__}>", "exec"), space)
    loop: Callable[[int], None] = space["make"](**bound)
    return loop


def _hook(node: ast.AST) -> Iterator[ast.stmt]:
    """The statements within `node` that are there for a hook alone."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt) and MARKS & set(_mentioned(child)):
            yield child
        else:
            yield from _hook(child)


def _mentioned(statement: ast.stmt) -> Iterator[str]:
    """The names in a statement, without those of statements within."""
    for part in ast.iter_child_nodes(statement):
        if not isinstance(part, ast.stmt):
            for each in ast.walk(part):
                if isinstance(each, ast.Name):
                    yield each.id
                elif isinstance(each, ast.Attribute):
                    yield each.attr


def _visited(kind: str) -> list[tuple[FunctionType, Locals]]:
    """The functions with such hooks, and their local names as they were in a running machine."""
    seen: dict[CodeType, Locals] = {}
    wanted = {site.__code__: site for site in SITES[kind]}

    def watch(frame: FrameType, event: str, argument: Any) -> None:
        if event == "return" and frame.f_code in wanted and frame.f_code not in seen:
            seen[frame.f_code] = dict(frame.f_locals)

    with Machine(udev=False) as machine:
        worker = Worker(machine)
        sock = worker.do(open_socket)
        before = sys.getprofile()
        sys.setprofile(watch)
        try:
            machine.plug(Mouse())
            worker.do(lambda app: ask(sock, 1))
        finally:
            sys.setprofile(before)
    missed = [site.__qualname__ for code, site in wanted.items() if code not in seen]
    if missed:
        raise InternalError(f"nothing has passed {', '.join(missed)}: hooks.py says it does")
    return [(wanted[code], names) for code, names in seen.items()]
