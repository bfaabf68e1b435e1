"""Run pytest in a temporary project that uses simkernel's pytest plugin."""

from __future__ import annotations

from collections.abc import Callable

import pytest

# Import these modules before any inner run of pytest. If an inner run imported them, pytester would remove
# them at its end, and a later import would create their classes again.
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
    """Return a function that writes a test file with the given text, and runs pytest on it with the given
    options.
    """

    def run(source: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(test_it=source)
        return pytester.runpytest_inprocess(*PLUGINS, *options)

    return run
