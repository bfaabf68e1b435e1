"""`target` and `search` find a pytest test by its node id, also in a process that pytest has not started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

TESTS = """
import pytest

EVENTS = []


@pytest.fixture
def number():
    EVENTS.append("set up")
    yield 7
    print("torn down")


@pytest.mark.sim(seeds=3, udev=False)
@pytest.mark.parametrize("add", [1, 2])
def test_it(app, sim, number, add):
    assert "set up" in EVENTS
    app.sleep(number)
    assert app.monotonic_ns() < add * 5 * 10**9


def test_without_the_mark():
    pass


@pytest.fixture
def broken():
    raise OSError


@pytest.mark.sim
def test_broken(app, broken):
    pass
"""


def run(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    """Write the test file TESTS into `folder`, and run a program there."""
    (folder / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-c", f"from simkernel.testing.items import search, target\n{program}"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_a_body_with_its_fixtures(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
from simkernel.explore.plan import Plan
from simkernel.explore.run import run
one, two = target("test_it.py::test_it[1]"), search("test_it.py::test_it[2]")
for _ in range(2):
    print(repr(run(one, Plan()).failure)[:14], run(two.body, Plan.parse("3")).failure, two.seeds)
""",
    )
    assert done.stdout.splitlines()[:2] == ["AssertionError None 3"] * 2, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("nodeid", "found"),
    [
        ("test_it.py", "4 tests"),
        ("test_it.py::test_it", "2 tests"),
        ("test_it.py::nothing", "0 tests"),
        ("nowhere.py::test_it", "0 tests"),
        ("test_it.py::test_without_the_mark", "one without the mark sim"),
        ("test_it.py::test_broken", "one that fails in its set-up"),
    ],
)
def test_other_node_ids_are_refused(tmp_path: Path, nodeid: str, found: str) -> None:
    done = run(tmp_path, f"search({nodeid!r})")
    assert done.returncode == 1
    text = (
        f"SimulationError: {nodeid!r} is not the node id of one test with the mark sim: pytest finds {found}"
    )
    assert done.stderr.strip().endswith(text)
