"""Entry point of the processes that `python -m tests.mutants` starts in its copy of the source tree.

python -m tests.mutants.worker measure FOLDER PATH...     run the tests once, and write the map
python -m tests.mutants.worker kill FOLDER RESULTS BUDGET  run the mutants that FOLDER/todo.json lists
python -m tests.mutants.worker fresh ORDER BUDGET PATH...  run the tests that ORDER names
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import pytest
from coverage import Coverage, CoverageData

from tests.mutants.mutation import TREES, Mutant, mutated
from tests.mutants.session import Fresh, Kill, Map, Measure, Outcome

TESTS = (
    "tests/application", "tests/blocking", "tests/conformance", "tests/driverapi", "tests/drivers",
    "tests/engine", "tests/explore", "tests/fuzz", "tests/kernel", "tests/machine", "tests/testing",
    "tests/trace",
)  # fmt: skip
"""Folders whose tests are run. The tests of scenarios, commands and lessons are omitted, because they are
slow and detect few more mutants.
"""
LEFT_OUT = (
    "tests/conformance/live", "tests/explore/test_cluster.py", "tests/explore/test_pool.py", "tests/mutants",
    "tests/testing/situations", "tests/testing/test_items.py",
    "tests/testing/test_plugin.py", "tests/testing/test_plugin_options.py",
    "tests/testing/test_plugin_report.py",
)  # fmt: skip
"""Tests in these folders that are not run for mutants, for example tests that run pytest, and searches in
several processes.
"""
OPTIONS = ("-n", "0", "-p", "no:cacheprovider", "-o", "tmp_path_retention_policy=none")
COLLECTION = 300
"""Maximum time in seconds until a new process has begun its first test."""
FIRST_FILES = 6
"""If a mutant changes a line outside functions, its tests run in new processes, which import the changed
module. The first process runs this number of test files. If no test fails, a second process runs the other
files.
"""


def options(folder: Path) -> list[str]:
    """Return the pytest options with which all functions of this module run tests."""
    return [*OPTIONS, "--basetemp", str(folder / "pytest"), *(f"--ignore={path}" for path in LEFT_OUT)]


def measure(folder: Path, paths: list[str]) -> int:
    """Run tests once under coverage.py. Add the lines that each test runs to `folder`/coverage."""
    restore(folder)
    coverage = Coverage(
        data_file=str(folder / "coverage.new"),
        source=[str(Path.cwd() / tree) for tree in TREES],
        concurrency=["thread", "greenlet"],
        config_file=False,
    )
    coverage.start()
    code = pytest.main([*options(folder), *paths], plugins=[Measure(folder, coverage)])
    coverage.stop()
    coverage.save()
    both = CoverageData(str(folder / "coverage"))
    both.read()
    new = CoverageData(str(folder / "coverage.new"))
    new.read()
    both.update(new)
    both.write()
    (folder / "coverage.new").unlink()
    return int(code)


def kill(folder: Path, results: Path, budget: float) -> int:
    """Run mutants, and append the outcome of each to `results`."""
    restore(folder)
    todo = [Mutant(**each) for each in json.loads((folder / "todo.json").read_text())]

    def done(mutant: Mutant, outcome: Outcome) -> None:
        if outcome.status == "survived" and not has_types(folder, mutant):
            outcome = attrs.evolve(outcome, status="killed", test="mypy")
        with results.open("a") as file:
            file.write(json.dumps(attrs.asdict(mutant) | attrs.asdict(outcome)) + "\n")

    plugin = Kill(folder, todo, budget, done)
    code = pytest.main([*options(folder), *TESTS], plugins=[plugin])
    tests = Map(folder)
    for mutant in plugin.left:
        done(mutant, in_new_process(folder, mutant, tests, budget))
    return int(code)


@contextmanager
def written(folder: Path, mutant: Mutant) -> Iterator[None]:
    """Context manager that writes a mutant into the copied source tree, and restores the changed file at its
    exit. If this process is killed before the exit, the next call of `restore` restores the file.
    """
    file = Path(mutant.path)
    text = mutated(Path.cwd(), mutant)
    (folder / "written.json").write_text(json.dumps([mutant.path, file.read_text()]))
    file.write_text(text)
    try:
        yield
    finally:
        restore(folder)


def restore(folder: Path) -> None:
    """If a file contains a mutant, write the file's original text back."""
    note = folder / "written.json"
    if note.exists():
        path, text = json.loads(note.read_text())
        Path(path).write_text(text)
        note.unlink()


def has_types(folder: Path, mutant: Mutant) -> bool:
    """Return False if mypy reports an error in the mutant. The project's tests run mypy too, so they detect
    such a mutant.
    """
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(folder / "mypy"), mutant.path]
    with written(folder, mutant):
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def in_new_process(folder: Path, mutant: Mutant, tests: Map, budget: float) -> Outcome:
    """Write a mutant into the copied tree. Run the mutant's tests in new processes, which import the changed
    module.
    """
    with written(folder, mutant):
        names = tests.tests_of(mutant)
        files = Counter(name.partition("::")[0] for name in names)
        chosen = {path for path, _ in files.most_common(FIRST_FILES)}
        first = [name for name in names if name.partition("::")[0] in chosen]
        rest = [name for name in names if name.partition("::")[0] not in chosen]
        for part in (first, rest):
            if part and (outcome := _fresh(folder, part, budget)):
                return attrs.evolve(outcome, ran=len(part))
        return Outcome("survived", ran=len(names))


def _fresh(folder: Path, names: list[str], budget: float) -> Outcome | None:
    order = folder / "order.txt"
    order.write_text("\n".join(names))
    paths = dict.fromkeys(name.partition("::")[0] for name in names)
    command = [sys.executable, "-B", "-m", "tests.mutants.worker", "fresh", str(order), str(budget), *paths]
    begun = order.with_suffix(".begun")
    begun.unlink(missing_ok=True)
    run = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if not begun.exists():  # pytest did not start, for example because a library is missing
        raise RuntimeError(run.stderr)
    if -run.returncode in (signal.SIGALRM, signal.SIGPROF):
        return Outcome("timeout")
    return (
        None if run.returncode in (0, 5) else Outcome("killed", run.stdout.strip().rpartition("\n")[2][:200])
    )


def fresh(order: Path, budget: float, paths: list[str]) -> int:
    """Run tests in a process that has imported nothing yet."""
    order.with_suffix(".begun").touch()
    signal.alarm(COLLECTION)
    return int(pytest.main([*options(order.parent), "-x", *paths], plugins=[Fresh(order, budget)]))


def main() -> int:
    """Run the function that the first argument names: `measure`, `kill` or `fresh`."""
    match sys.argv[1:]:
        case ["measure", folder, *paths]:
            return measure(Path(folder), paths or list(TESTS))
        case ["kill", folder, results, budget]:
            return kill(Path(folder), Path(results), float(budget))
        case ["fresh", order, budget, *paths]:
            return fresh(Path(order), float(budget), paths)
    raise SystemExit(__doc__)


if __name__ == "__main__":
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.exit(main())
