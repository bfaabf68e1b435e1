"""Call traces: their functions, innermost first, and the line that a report blames."""

from __future__ import annotations

import sys
from functools import partial
from types import FrameType
from typing import Any

from simkernel.kernel.lib import stack
from simkernel.kernel.lib.report import Reports

MODULE = """
def outer(function, *arguments):
    return inner(function, *arguments)

def inner(function, *arguments):
    return function(
        *arguments
    )

class Lock:
    async def __aenter__(self):
        return FRAMES(0)
"""


def loaded(name: str, owner: tuple[str, str] | None = None) -> dict[str, Any]:
    """Execute MODULE as a Python module `name`, and return its globals. `owner` is a pair: the kernel module
    and the file that a call trace shows for this code.
    """
    names: dict[str, Any] = {"__name__": name, "FRAMES": sys._getframe}
    if owner is not None:
        names[stack.LOCATION] = owner
    exec(compile(MODULE, name, "exec"), names)
    return names


KERNEL = loaded("simkernel.kernel.net.some")
API = loaded("simkernel.driverapi.some")
OTHER = loaded("elsewhere.some")
DRIVER = loaded("driver", ("driver", "driver/main.py"))


def through(*modules: dict[str, Any]) -> Any:
    """Return a function that calls its argument through `outer` and `inner` of each module. The first module
    is the outermost caller.
    """

    def call(function: Any) -> Any:
        for names in reversed(modules):
            function = partial(names["outer"], function)
        return function()

    return call


# By default, `call_trace` and `stack` leave out the function that calls them: in these tests, a lambda.


def test_a_trace_has_modules_driverapi_and_kernel() -> None:
    """A call trace omits functions outside of kernel modules, driverapi and the kernel, such as tests."""
    trace = through(KERNEL, OTHER, API, DRIVER)(lambda: stack.call_trace())
    assert trace == (
        "inner at driver/main.py:6 [driver]", "outer at driver/main.py:3 [driver]",
        "inner at simkernel/driverapi/some.py:6", "outer at simkernel/driverapi/some.py:3",
        "inner at simkernel/kernel/net/some.py:6", "outer at simkernel/kernel/net/some.py:3",
    )  # fmt: skip


def test_a_depth_leaves_out_the_innermost_functions() -> None:
    names = [line.split()[0] for line in through(DRIVER)(lambda: stack.call_trace())]
    assert names == ["inner", "outer"]
    assert [len(through(DRIVER)(lambda depth=depth: stack.call_trace(depth))) for depth in range(5)] == [
        2, 2, 1, 0, 0,
    ]  # fmt: skip
    innermost = through(DRIVER)(lambda: stack.stack(1))[0]
    assert innermost[0].co_name == "inner"
    assert through(DRIVER)(lambda: stack.stack())[0][0].co_name == "inner"


def test_the_nearest_frame_of_a_module() -> None:
    for modules, name in (((DRIVER, KERNEL), "inner"), ((DRIVER,), "inner"), ((KERNEL,), "inner")):
        frame: FrameType = through(*modules)(lambda: stack.caller())
        assert frame.f_code.co_name == name
        assert frame.f_globals["__name__"] == modules[0]["__name__"]
    outermost: FrameType = through(DRIVER)(lambda: stack.caller(2))
    assert outermost.f_code.co_name == "outer"


def test_a_lock_is_blamed_on_its_caller() -> None:
    """If no kernel module is on the stack, module_frame() returns the caller of a lock's `__aenter__`."""
    for names, expected in ((KERNEL, "inside"), (DRIVER, "__aenter__")):
        frames: list[FrameType] = []
        lock = names["Lock"]

        def inside(lock: Any = lock, frames: list[FrameType] = frames) -> None:
            entering = lock().__aenter__()
            original = KERNEL["FRAMES"]

            def look(depth: int) -> None:
                frames.append(stack.module_frame(sys._getframe(1)))

            for module in (KERNEL, DRIVER):
                module["FRAMES"] = look
            try:
                entering.send(None)
            except StopIteration:
                pass
            finally:
                for module in (KERNEL, DRIVER):
                    module["FRAMES"] = original

        inside()
        assert frames[0].f_code.co_name == expected


def test_parts_of_a_line() -> None:
    trace = (
        "take at simkernel/kernel/sched/mutex.py:7",
        "stop at camera/stream.py:96 [camera]",
        "x at y:1 [z]",
    )
    assert stack.culprit(trace) == trace[1]
    assert stack.culprit(trace[:1]) == trace[0]
    assert stack.culprit(trace[:1] * 2 + trace[2:]) == trace[2]
    assert stack.culprit(()) == "an unknown function"
    assert stack.culprit(("first at a:1", "second at b:2")) == "first at a:1"
    assert [stack.position(line) for line in trace] == [
        "simkernel/kernel/sched/mutex.py:7", "camera/stream.py:96", "y:1",
    ]  # fmt: skip
    assert stack.position("no place") == ""


def test_reports_are_counted_and_the_newest_are_kept() -> None:
    from simkernel.engine import Engine
    from simkernel.kernel.lib.log import Log
    from simkernel.kernel.lib.taint import Taints

    engine, taints = Engine(), Taints()
    log = Log(engine)
    reports = Reports(engine, log, taints)
    for number in range(70):
        reports.add("lockdep", f"bug {number}", ["first", "second"], ["f at a.py:1"], rule="=" * (number % 2))
    assert (reports.count, len(reports)) == (70, 64)
    assert [report.title for report in reports][:2] == ["bug 6", "bug 7"]
    even, odd = list(reports)[:2]
    assert str(even) == "bug 6\nfirst\nsecond"
    assert str(odd) == "=====\nbug 7\nfirst\nsecond\n====="
    assert (odd.places, odd.checker, odd.time) == (("a.py:1",), "lockdep", engine.time())
    assert [(record.level, record.text) for record in log.records][:5] == [
        (3, "bug 0"), (3, "first"), (3, "second"), (3, "====="), (3, "bug 1"),
    ]  # fmt: skip
    assert taints.letters == "W"
    assert len(reports.take()) == 64
    assert (reports.take(), len(reports), reports.count) == ([], 0, 70)
