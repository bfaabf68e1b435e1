"""Fixtures for pytest.

    # conftest.py
    pytest_plugins = ["simkernel.testing.fixtures"]

machine               a machine, closed after the test; the test fails if anything is still held then, or if a
                      checker of the kernel has found a bug
world                 the result of `simkernel.testing.world()` for root, in a network namespace
unprivileged_world    the result of `simkernel.testing.world()` for user 65534, without capabilities

`@pytest.mark.machine(seed=7, cpus=2)` sets the arguments of `Machine`.  Unless the marker sets them,
`check_leaks` is True and `checks` has all checkers but "races".  When a test with a machine fails, the report
has the kernel log.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from simkernel.kernel.lib.report import KIT
from simkernel.machine import Machine
from simkernel.testing.world import World
from simkernel.testing.world import world as make_world


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "machine(**options): what machine the fixture `machine` makes")


@pytest.fixture
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A machine, made with the keywords of the marker `machine`."""
    options: dict[str, object] = {"check_leaks": True, "checks": KIT}
    for marker in reversed(list(request.node.iter_markers("machine"))):
        options |= marker.kwargs
    with Machine(**options) as machine:  # type: ignore[arg-type]
        yield machine


@pytest.fixture
def world() -> Iterator[World]:
    """A world in which one has every capability."""
    with make_world(privileged=True) as world:
        yield world


@pytest.fixture
def unprivileged_world() -> Iterator[World]:
    """A world in which one has none."""
    with make_world(privileged=False) as world:
        yield world


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the log of the machine that a failed test was given."""
    report = yield
    machine = getattr(item, "funcargs", {}).get("machine")
    if report.failed and isinstance(machine, Machine):
        report.sections.append(("Kernel log", "\n".join(machine.log.lines())))
    return report
