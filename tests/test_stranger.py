"""A user's repository runs its tests with the installed wheel and its extra [testing]."""

from __future__ import annotations

import re
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.test_wheel import ELSEWHERE, PIP, build

pytestmark = pytest.mark.long

DAEMON = '''
"""A daemon that keeps a table of the mice."""


async def follow(app, table):
    table.update(await app.listdir("/sys/class/mouse"))
    monitor = await app.uevents()
    async for event in monitor:
        if event.variables.get("SUBSYSTEM") == "mouse":
            name = event.devpath.rpartition("/")[2]
            (table.add if event.action == "add" else table.discard)(name)


async def follow_soundly(app, table):
    monitor = await app.uevents()
    table.update(await app.listdir("/sys/class/mouse"))
    async for event in monitor:
        if event.variables.get("SUBSYSTEM") == "mouse":
            name = event.devpath.rpartition("/")[2]
            (table.add if event.action == "add" else table.discard)(name)


def state(client):
    """Ask once more after a signal."""
    try:
        return client.do("get-state")
    except InterruptedError:
        return client.do("get-state")
'''

TESTS = """
import unittest

import pytest
from daemon import follow, follow_soundly, state
from hypothesis import given, settings
from simkernel import Machine
from simkernel.explore.faults import Fault
from simkernel.hardware import Mouse
from simkernel.testing import check, new_machine
from simkernel.testing.situations import listed_before_subscribed
from simkernel.testing.strategies import requests
from simkernel.uapi.netlink import NETLINK_GENERIC

with Machine() as machine:
    SPEC = machine.specification("mouse")


@pytest.mark.sim(seeds=500, devices=["mouse"])
@pytest.mark.xfail(raises=AssertionError, strict=True)
async def test_faulty(app, sim):
    table = set()
    sim.any_step(sim.unplug, "mouse0")
    await app.sleep(0.01)
    await app.spawn(follow, table)
    await sim.quiet()
    assert table == set(sim.truth("mouse"))


@pytest.mark.sim(seeds=100, devices=["mouse"])
async def test_sound(app, sim):
    table = set()
    sim.any_step(sim.unplug, "mouse0")
    await app.sleep(0.01)
    await app.spawn(follow_soundly, table)
    await sim.quiet()
    assert table == set(sim.truth("mouse"))


EINTR = Fault("sleep.eintr", nth=1, call="recvfrom", comm="test_faults")


@pytest.mark.sim(seeds=50, devices=["mouse"], faults=EINTR)
def test_faults(app, sim):
    assert state(app.genetlink("mouse"))


@pytest.mark.sim(sweep="bus.access", devices=["mouse"])
def test_unplugged_anywhere(app, sim):
    sim.unplug("mouse0")
    sim.quiet()
    assert "input" not in app.listdir("/dev")


def test_situation(sim_new_machine):
    machine = sim_new_machine(devices=["mouse"])
    (mouse,) = machine.bus.devices()
    table = set()
    with listed_before_subscribed(machine, "follow", change=lambda: machine.unplug(mouse)):
        machine.spawn(follow, table)
        machine.run()
    assert table == {"mouse0"}


@settings(max_examples=20, deadline=None, database=None)
@given(requests(SPEC))
def test_strategy(sim_new_machine, request):
    user = sim_new_machine(devices=["mouse"]).blocking(uid=1000)
    mouse = user.genetlink("mouse")
    user.socket(proto=NETLINK_GENERIC).sendto(request.message(mouse.family.id), (0, 0))
    mouse.do("get-state")


class Case(unittest.TestCase):
    def test_machine(self):
        with new_machine(devices=["mouse"]) as machine:
            self.assertEqual(machine.blocking().listdir("/sys/class/mouse"), ["mouse0"])

    def test_check(self):
        async def body(app, sim):
            table = set()
            sim.any_step(sim.unplug, "mouse0")
            await app.sleep(0.01)
            await app.spawn(follow, table)
            await sim.quiet()
            assert table == set(sim.truth("mouse"))

        with self.assertRaises(AssertionError) as raised:
            check(body, seeds=500, devices=["mouse"])
        self.assertIn("check(body, plans=['0,unplug-mouse0@", raised.exception.__notes__[-1])
"""

BUDGET_MS = 30


@pytest.fixture(scope="module")
def python(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python interpreter of a virtual environment in which the wheel is installed. The wheel's
    dependencies come from the interpreter that runs the tests.
    """
    folder = tmp_path_factory.mktemp("stranger")
    environment = folder / "environment"
    venv.create(environment, with_pip=False)
    paths = sysconfig.get_paths(vars={"base": str(environment), "platbase": str(environment)})
    interpreter = Path(paths["scripts"]) / "python"
    (Path(paths["purelib"]) / "dependencies.pth").write_text(sysconfig.get_path("purelib"), "utf-8")
    wheel = build(root, folder / "wheel")
    install = [*PIP, "--python", interpreter, "install", "--no-index", "--no-deps", wheel]
    subprocess.run(install, check=True, capture_output=True, text=True)
    return interpreter


def run(python: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the interpreter in a folder."""
    environment = {**ELSEWHERE, "PYTEST_ADDOPTS": "", "PYTHONHASHSEED": "7"}
    return subprocess.run([python, *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def test_a_repository_with_the_wheel_alone(python: Path, tmp_path: Path) -> None:
    (tmp_path / "daemon.py").write_text(DAEMON)
    (tmp_path / "test_daemon.py").write_text(TESTS)
    done = run(python, tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^7 passed, 1 xfailed", done.stdout, re.MULTILINE), done.stdout
    place = run(python, tmp_path, "-c", "import simkernel; print(simkernel.__file__)").stdout
    assert place.startswith(str(python.parents[1]))


def test_the_guide_of_the_wheel_has_the_chapter(python: Path, tmp_path: Path) -> None:
    done = run(python, tmp_path, "-m", "simkernel", "guide", "testing")
    assert done.returncode == 0
    assert "@pytest.mark.sim" in done.stdout


def test_the_plugin_imports_nothing_of_ours_and_takes_no_time(python: Path, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import sys\n\n\ndef test_it():\n"
        "    ours = {name for name in sys.modules if name.split('.')[0] == 'simkernel'}\n"
        "    assert ours == {'simkernel', 'simkernel.pytest_plugin'}\n"
    )
    done = run(python, tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist")
    assert done.returncode == 0, done.stdout + done.stderr
    program = (
        "import pytest, time; began = time.perf_counter(); import simkernel.pytest_plugin;"
        "print((time.perf_counter() - began) * 1e3)"
    )
    took = min(float(run(python, tmp_path, "-c", program).stdout) for _ in range(5))
    assert took < BUDGET_MS


def test_assertions_of_the_wheel_are_not_rewritten(python: Path, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import sys\n\n\ndef test_it(sim_machine):\n"
        "    ours = {name: each for name, each in sys.modules.items() if name.startswith('simkernel.')}\n"
        "    assert len(ours) > 100\n"
        "    assert {name for name, each in ours.items() if '@pytest_ar' in vars(each)} <= "
        "{'simkernel.pytest_plugin'}\n"
    )
    done = run(python, tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist")
    assert done.returncode == 0, done.stdout + done.stderr
