"""Run pytest in a temporary project that uses simkernel's pytest plugin."""

from __future__ import annotations

from collections.abc import Callable

import pytest

# pytester removes modules that an inner run has imported. A second import would create each class twice.
import simkernel.application.plain
import simkernel.kernel.checked
import simkernel.kernel.sched.planned
import simkernel.testing.items
import simkernel.testing.machines  # noqa: F401

pytest_plugins = ["pytester"]

PLUGINS = ("-p", "simkernel.pytest_plugin", "-p", "no:xdist")
Pytest = Callable[..., pytest.RunResult]


@pytest.fixture
def run_pytest(pytester: pytest.Pytester) -> Pytest:
    """Return a function that runs pytest with options in a project with this test file."""

    def run(source: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(test_it=source)
        return pytester.runpytest_inprocess(*PLUGINS, *options)

    return run
