"""The pytest plugin: fixtures, the mark `sim` and options.  The plugin imports simkernel only when a test
uses it.

sim_machine      a booted machine, whose seed comes from the test's node id; closed and checked after the test
sim_world        the result of `simkernel.testing.world()` for root
sim_new_machine  a function that makes machines; each example of a hypothesis test closes its own machines

A project can override these fixtures with its own.  PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Generator, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from simkernel.machine import Machine
    from simkernel.testing.machines import Machines
    from simkernel.testing.world import World

REPORT: pytest.StashKey[list[tuple[str, str]]] = pytest.StashKey()
MACHINES: pytest.StashKey[Machines] = pytest.StashKey()
FAILED: pytest.StashKey[bool] = pytest.StashKey()
MARK = (
    "sim(seeds=, strategy=, sweep=, systematic=, plans=, faults=, checks=, cpus=, devices=, modules=, "
    "module_path=, uid=, ...): run the test as a program of a machine, under many plans"
)
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if match is None or not float(match[1]):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a duration: write a number and s, m or h, as in 10m"
        )
    return float(match[1]) * UNITS[match[2]]


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of runs: write an int of at least 1")
    return int(text)


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the options of the command line, and exclude simkernel from pytest's assertion rewriting.

    pytest rewrites the assertions of all modules of a distribution that has a plugin.  Simkernel's
    assertions are on hot paths, and rewriting 500 modules takes seconds if no bytecode is written.
    PYTEST_DONT_REWRITE in a docstring would exclude only one module.
    """
    getattr(pluginmanager.rewrite_hook, "_must_rewrite", set()).discard("simkernel")
    group = parser.getgroup("simkernel")
    group.addoption("--sim-seeds", metavar="N", type=_count, help="runs of each test with the mark sim")
    group.addoption(
        "--sim-time",
        metavar="TIME",
        type=_seconds,
        help="run seeds for this time, as in 10m; the tests share it equally",
    )
    group.addoption(
        "--sim-replay", metavar="PLAN", help="run one test with the mark sim under this plan only"
    )
    group.addoption(
        "--sim-trace",
        metavar="DIR",
        help="write traces of the failed runs; of the default runs if none failed",
    )
    group.addoption(
        "--sim-check-determinism", action="store_true", help="run each plan twice and compare the traces"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark `sim`."""
    config.addinivalue_line("markers", MARK)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Make each test that has the mark `sim` run as a program of a simulated machine.

    So plugins for `async` tests do not run it as a coroutine.
    """
    if isinstance(item, pytest.Function) and item.get_closest_marker("sim") is not None:
        item.runtest = partial(_run, item)  # type: ignore[method-assign]


def pytest_collection_finish(session: pytest.Session) -> None:
    """For `--sim-replay`, check the given plan, and that exactly one selected test has the mark `sim`."""
    text = session.config.getoption("sim_replay")
    if text is None:
        return
    from simkernel.engine import SimulationError
    from simkernel.explore.plan import Plan

    try:
        Plan.parse(text)
    except SimulationError as error:
        raise pytest.UsageError(f"--sim-replay: {error}") from None
    number = sum(item.get_closest_marker("sim") is not None for item in session.items)
    if number != 1:
        raise pytest.UsageError(
            f"--sim-replay: a plan is for one test with the mark sim, but {number} such tests are selected"
        )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Set the fixtures `app` and `sim` of a test with the mark `sim`.

    For other tests, set the seed of their machines.
    """
    if isinstance(item, pytest.Function) and item.get_closest_marker("sim") is not None:
        from simkernel.testing.items import give

        give(item)
    elif (machines := item.session.stash.get(MACHINES, None)) is not None:
        machines.begin(item.nodeid)


def _run(item: pytest.Function) -> None:
    from simkernel.testing.items import run_item

    __tracebackhide__ = True
    run_item(item, item.stash.setdefault(REPORT, []))


def _machines(node: Any) -> Machines:
    from simkernel.testing.machines import Machines

    return node.session.stash.setdefault(MACHINES, Machines())  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def sim_new_machine(request: pytest.FixtureRequest) -> Machines:
    """A function that returns a new machine, as in `sim_new_machine(cpus=2, devices=["mouse"])`.

    The machines are closed at the end of the test.
    """
    return _machines(request.node)


@pytest.fixture
def sim_machine(request: pytest.FixtureRequest) -> Machine:
    """A booted machine.  Its seed is derived from the test's node id."""
    machines = _machines(request.node)
    machines.begin(request.node.nodeid)
    return machines()


@pytest.fixture
def sim_world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A `World` (`simkernel.testing.world()`): a process with all capabilities on a machine without udevd."""
    from simkernel.testing.world import world

    with world(privileged=True) as made:
        _machines(request.node).watch(made.machine)
        yield made


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """Close the machines of a test, after pytest has torn down the test's other fixtures."""
    try:
        return (yield)
    finally:
        if (machines := item.session.stash.get(MACHINES, None)) is not None:
            machines.close(failed=item.stash.get(FAILED, False))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add simkernel's report sections, such as the plan and the kernel log, to the report of a failed
    test.
    """
    report = yield
    if report.failed:
        item.stash[FAILED] = True
        parts = item.stash.get(REPORT, [])
        if not parts and (machines := item.session.stash.get(MACHINES, None)) is not None:
            parts = machines.logs()
        add = getattr(report.longrepr, "addsection", lambda *part: report.sections.append(part))
        for part in parts:
            add(*part)
    return report
