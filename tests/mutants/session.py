"""Pytest plugins that measure the coverage of tests, and run the tests of each mutant in a forked process."""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from coverage import Coverage
from coverage.numbits import num_in_numbits
from hypothesis import settings

from tests.mutants.mutation import Mutant, mutated, sources
from tests.mutants.swap import NotSwappable, functions_of, swap

MEMORY = 3 << 30
"""Limit in bytes of the address space of a process that runs a mutant. The tests need less."""
SLOW = 3.0
"""Maximum duration of a test in seconds. Slower tests are not run for mutants."""


@attrs.frozen
class Outcome:
    """Result of a mutant. `status` is killed, survived or timeout. `test` is the test that failed, and `ran`
    is the number of tests that were run.
    """

    status: str
    test: str = ""
    ran: int = 0


class Measure:
    """Run all tests once. Each test is a separate coverage context, and its duration is recorded."""

    def __init__(self, folder: Path, coverage: Coverage) -> None:
        self._folder = folder
        self._coverage = coverage
        self._seconds: dict[str, float] = {}
        self._failed: set[str] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Run the test in its own coverage context, and measure its duration."""
        self._coverage.switch_context(item.nodeid)
        begun = time.process_time()
        try:
            return (yield)
        finally:
            self._seconds[item.nodeid] = round(time.process_time() - begun, 4)
            self._coverage.switch_context("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note each test that fails or is skipped on the unchanged code. Mutants do not run these tests."""
        if not report.passed:
            self._failed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        """Write the duration in seconds of each test that passed."""
        file = self._folder / "seconds.json"
        before = json.loads(file.read_text()) if file.exists() else {}
        passed = {name: taken for name, taken in self._seconds.items() if name not in self._failed}
        file.write_text(json.dumps(before | passed, indent=0))


class Map:
    """A map from lines to the tests that run them, with the duration of each test."""

    def __init__(self, folder: Path) -> None:
        self.seconds: dict[str, float] = json.loads((folder / "seconds.json").read_text())
        self._database = sqlite3.connect(folder / "coverage")
        self._rows: tuple[str, list[tuple[str, bytes]]] = "", []

    def _of(self, path: str) -> list[tuple[str, bytes]]:
        if self._rows[0] != path:
            query = (
                "select context.context, numbits from line_bits join context on context.id = context_id"
                " join file on file.id = file_id where file.path = ?"
            )
            self._rows = path, self._database.execute(query, (str(Path(path).resolve()),)).fetchall()
        return self._rows[1]

    def contexts(self, mutant: Mutant) -> set[str]:
        """Return the coverage contexts (one for each test) that run the mutant's line. If no context runs it,
        return those of the nearest earlier line in the same statement.
        """
        rows = self._of(mutant.path)
        for line in range(mutant.line, mutant.statement - 1, -1):
            if found := {name for name, bits in rows if num_in_numbits(line, bits)}:
                return found
        return set()

    def at_import(self, mutant: Mutant) -> bool:
        """Return True if the mutant's line runs while the tests are imported. Later tests use the results of
        this run of the line.
        """
        return "" in self.contexts(mutant)

    def tests_of(self, mutant: Mutant) -> list[str]:
        """Return the tests that run the line, fastest first.

        For a module-level line: the tests that run any line of the file, or of a file that imports it.
        """
        names = self.contexts(mutant)
        if "" in names:
            names = {name for path in (mutant.path, *importers(mutant.path)) for name, _ in self._of(path)}
        known = (name for name in names if self.seconds.get(name, SLOW) < SLOW)
        return sorted(known, key=lambda name: self.seconds[name])


def importers(path: str) -> list[str]:
    """Return the mutated files that contain `from MODULE import`, where MODULE is the module in the file
    `path`.
    """
    root = Path.cwd()
    name = path.removesuffix("/__init__.py").removesuffix(".py").replace("/", ".")
    return [other for other in sources(root) if f"from {name} import" in (root / other).read_text()]


class Kill:
    """Run the tests of each mutant, fastest first, until one fails."""

    def __init__(
        self, folder: Path, todo: list[Mutant], budget: float, done: Callable[[Mutant, Outcome], None]
    ) -> None:
        self._root = Path.cwd()
        self._todo = todo
        self._budget = budget
        self._done = done
        self.left: list[Mutant] = []
        self._map = Map(folder)

    def pytest_configure(self) -> None:
        """Make hypothesis draw the same examples for each mutant."""
        derandomize()

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Fork a process for each mutant."""
        self._items = {item.nodeid: item for item in session.items}
        files = frozenset(str(self._root / path) for path in sources(self._root))
        gc.unfreeze()  # tests/conftest.py has frozen all objects, and gc.get_objects() omits frozen ones
        functions = functions_of(files)
        gc.collect()
        gc.freeze()
        for mutant in self._todo:
            tests = self.tests_of(mutant)
            if not tests:
                self._done(mutant, Outcome("survived"))
                continue
            try:
                outcome = self._fork(mutant, tests, functions[str(self._root / mutant.path)])
            except NotSwappable:
                self.left.append(mutant)
            else:
                self._done(mutant, outcome)
        return True

    def tests_of(self, mutant: Mutant) -> list[str]:
        """Return the tests that run the mutant's line, fastest first."""
        return [name for name in self._map.tests_of(mutant) if name in self._items]

    def _fork(self, mutant: Mutant, tests: list[str], functions: list[Any]) -> Outcome:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            self._child(mutant, tests, functions, writing)
        os.close(writing)
        with open(reading, "rb") as pipe:
            text = pipe.read().decode()
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            timed_out = os.WTERMSIG(status) in (signal.SIGALRM, signal.SIGPROF)
            last = text.splitlines()[-1] if text else ""
            return Outcome("timeout" if timed_out else "killed", last, len(text.splitlines()))
        names = text.splitlines()
        if os.WEXITSTATUS(status) == 3:
            raise NotSwappable
        if os.WEXITSTATUS(status) == 1:
            return Outcome("killed", names[-1] if names else "", len(names))
        # the line runs at import, and the imported modules still hold the original result
        if self._map.at_import(mutant):
            raise NotSwappable
        return Outcome("survived", "", len(names))

    def _child(self, mutant: Mutant, tests: list[str], functions: list[Any], pipe: int) -> None:
        code = 1
        try:
            silence = os.open(os.devnull, os.O_RDWR)
            for fd in (0, 1, 2):
                os.dup2(silence, fd)
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            swap(functions, self._root / mutant.path, mutated(self._root, mutant))
            code = self._run(tests, pipe)
        except NotSwappable:
            code = 3
        finally:
            os._exit(code)

    def _run(self, tests: list[str], pipe: int) -> int:
        """Run the tests until all have run or the budget is used up, and return 0. At the first failure,
        `_Failures` ends the process with exit code 1.
        """
        items = [self._items[name] for name in tests]
        items[0].config.pluginmanager.register(_Failures())
        begun = time.process_time()
        for item, following in zip(items, [*items[1:], None], strict=True):
            taken = self._map.seconds[item.nodeid]
            os.write(pipe, item.nodeid.encode() + b"\n")
            limit(taken)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if time.process_time() - begun > self._budget:
                break
        return 0


class Fresh:
    """Run the tests that a file names, in its order, until one fails or `budget` seconds have passed."""

    def __init__(self, order: Path, budget: float) -> None:
        self._order = {name: place for place, name in enumerate(order.read_text().splitlines())}
        self._budget = budget
        self._begun = 0.0

    def pytest_configure(self) -> None:
        """Make hypothesis draw the same examples for each mutant."""
        derandomize()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep only the tests that the file names, in its order."""
        items[:] = sorted(
            (item for item in items if item.nodeid in self._order), key=lambda item: self._order[item.nodeid]
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self) -> bool | None:
        """Limit the duration of the test. Skip the test if the budget is used up."""
        self._begun = self._begun or time.process_time()
        limit(SLOW)
        return True if time.process_time() - self._begun > self._budget else None


def limit(seconds: float) -> None:
    """End the process by a signal if the next test takes much longer than `seconds`."""
    signal.setitimer(signal.ITIMER_PROF, 3 + 10 * seconds)
    signal.setitimer(signal.ITIMER_REAL, 60 + 100 * seconds)


def derandomize() -> None:
    """Make hypothesis draw the same examples in each run, and store no examples."""
    profile = settings.get_profile("simkernel")
    settings.register_profile("mutants", profile, derandomize=True, database=None)
    settings.load_profile("mutants")


class _Failures:
    """Ends the process at the first failure."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            os._exit(1)
