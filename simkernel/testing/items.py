"""Run pytest tests with the mark `sim`, and find the body and the plans of such a test by its node id."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from time import monotonic  # noqa: TID251 - for an option of the command line
from typing import Any, Final
from unittest import TestCase

import pytest
from greenlet import getcurrent, greenlet

from simkernel.engine import SimulationError
from simkernel.explore.plan import Plan
from simkernel.explore.run import run as run_plan
from simkernel.testing.evidence import Observed, Section, replay_comment, sections, without_our_frames
from simkernel.testing.search import NotDeterministic, Search
from simkernel.testing.sim import GIVEN, Body

OUTCOMES: Final = (pytest.skip.Exception, pytest.xfail.Exception, pytest.exit.Exception)
FIXTURES: Final = ("sim_machine", "sim_world", "sim_new_machine")


class StalePlan(pytest.PytestWarning):
    """Warning for a pinned plan that no longer fits the code. For example, the plan delays a task at a point
    that the run does not reach.
    """


def search_of(item: pytest.Function) -> Search:
    """Return the `Search` of a pytest item: its test body, and the plans that its marks `sim` declare. Pytest
    must have set up the item.
    """
    cls = getattr(item.parent, "obj", None)
    if isinstance(cls, type) and issubclass(cls, TestCase):
        raise SimulationError(
            "a test method of a TestCase cannot have the mark sim: call simkernel.testing.check in it"
        )
    if hasattr(item.obj, "hypothesis"):
        raise SimulationError(
            "a test with @given cannot have the mark sim: remove the mark, and use sim_new_machine"
        )
    arguments = {name: item.funcargs[name] for name in _names(item)}
    for name in FIXTURES:
        if name in arguments:
            raise SimulationError(
                f"a test with the mark sim has its own machine: use sim.machine, not {name}"
            )
    keywords: dict[str, Any] = {}
    for mark in reversed(list(item.iter_markers("sim"))):
        if mark.args:
            raise SimulationError(f"the mark sim takes keywords, as in sim(seeds=500), not {mark.args!r}")
        keywords |= mark.kwargs
    return Search.of(item.obj, arguments, keywords, item.path.parent)


def _names(item: pytest.Function) -> tuple[str, ...]:
    names: tuple[str, ...] = item._fixtureinfo.argnames
    return names


def give(item: pytest.Function) -> None:
    """Set the arguments `app` and `sim` of an item, unless fixtures or parameters have these names."""
    for name in GIVEN:
        if name not in item._fixtureinfo.name2fixturedefs:
            item.funcargs.setdefault(name, None)


def run_item(item: pytest.Function, report: list[Section]) -> None:
    """Run a test with the mark `sim`.  If it fails, append the sections of its report to `report`."""
    option: Callable[..., Any] = item.config.getoption
    text = option("sim_replay")
    try:
        search = search_of(item)
        result = search.run(
            replay=None if text is None else Plan.parse(text),
            seeds=option("sim_seeds"),
            keep_running=_share(item, option("sim_time")),
            twice=option("sim_check_determinism"),
        )
    except (SimulationError, NotDeterministic) as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    __tracebackhide__ = True
    for plan, parts in result.stale:
        what = f"the plan {str(plan)!r} is stale: the run has no {', '.join(parts)}"
        item.warn(StalePlan(f"{what}; replace it or take it out"))
    outcome = result.outcome
    folder = option("sim_trace")
    stem = re.sub(r"[^\w.-]+", "-", item.nodeid)
    observed = Observed(search.body, None if folder is None else Path(folder), stem)
    if outcome is None or outcome.failure is None:
        if folder is not None:
            run_plan(observed, Plan())
        return
    failure = outcome.failure
    if not isinstance(failure, OUTCOMES):
        command = f"pytest {shlex.quote(item.nodeid)} --sim-replay {shlex.quote(str(outcome.plan))}"
        replay = command + replay_comment(item.config.rootpath)
        report += sections(search.body, result, replay, observed)
    if not option("fulltrace"):
        without_our_frames(failure)
    raise failure


def _share(item: pytest.Function, seconds: float | None) -> Callable[[], bool] | None:
    """Return a function that returns True until the item has used its share of `seconds`. Return None if
    `seconds` is None. All tests with the mark `sim` have equal shares.
    """
    if seconds is None:
        return None
    number = sum(each.get_closest_marker("sim") is not None for each in item.session.items)
    workers = getattr(item.config, "workerinput", {}).get("workercount", 1)
    end = monotonic() + seconds * min(workers, number) / number
    return lambda: monotonic() < end


class _Stop(BaseException):
    """Raised to end a pytest session when its item is no longer needed."""


class _Holder:
    """A pytest plugin that suspends a session when its item is set up, and passes the item to the caller."""

    def __init__(self) -> None:
        self.items = 0

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.items = len(session.items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        if self.items == 1:
            getcurrent().parent.switch(item)


_sessions: list[Any] = []
"""Suspended pytest sessions whose items are in use.  Without this reference, Python would end the greenlet of
a session.
"""


def search(nodeid: str) -> Search:
    """Collect and set up a test with the mark `sim` in this process. Return a `Search`, which has the test's
    body and the plans (delays, pauses and faults) of its runs.

    The fixtures of the test are torn down when the process ends. Raise SimulationError if pytest finds no
    such test, or several.
    """
    holder = _Holder()
    plugins = ("no:terminal", "no:xdist", "no:cacheprovider", "simkernel.pytest_plugin")
    arguments = [nodeid, "-s", "-o", "addopts=", *(word for name in plugins for word in ("-p", name))]
    session = greenlet(lambda: pytest.main(arguments, plugins=[holder]))
    item = session.switch()
    if not isinstance(item, pytest.Function) or item.get_closest_marker("sim") is None:
        found = f"{holder.items} tests" if holder.items != 1 else "one that fails in its set-up"
        if isinstance(item, pytest.Function):
            found = "one without the mark sim"
        raise SimulationError(
            f"{nodeid!r} is not the node id of one test with the mark sim: pytest finds {found}"
        )
    _sessions.append(session)
    return search_of(item)


def target(nodeid: str) -> Body:
    """Collect and set up a test with the mark `sim`, and return its body."""
    return search(nodeid).body
