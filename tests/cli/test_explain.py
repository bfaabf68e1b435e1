"""`simkernel explain` prints the causes of a failure. `simkernel diff` prints the first difference of two
runs.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CommandLine


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Write a test that fails if the mouse is unplugged between two calls. Return its node id."""
    monkeypatch.chdir(tmp_path)
    # The name must be unique, because pytest keeps the modules of earlier sessions in memory.
    name = f"{tmp_path.name}.py"
    (tmp_path / name).write_text("""
import pytest


async def watch(app):
    monitor = await app.uevents()
    raise ValueError(await anext(monitor))


@pytest.mark.sim(devices=["mouse"])
async def test_it(app, sim):
    await app.spawn(watch)
    await app.sleep(0.01)
    sim.any_step(sim.unplug, "mouse0")
    await app.sleep(0.01)
    await sim.quiet()
""")
    return f"{name}::test_it"


def test_explain_prints_the_chain_and_the_failure(simkernel: CommandLine, node: str) -> None:
    done = simkernel("explain", node, "0,unplug-mouse0@2")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == "unplug-mouse0 happens 2 points after its announcement"
    names = [line.split(": ")[0].split()[-1] for line in lines[1:] if line.startswith("[")]
    assert names[:3] == ["unplug", "irq_raise", "irq_handler_entry"]
    assert names[-3:] == ["sched_wakeup", "sys_exit", "sched_process_exit"]
    assert "ValueError" in lines[-1]


def test_diff_prints_the_first_difference(simkernel: CommandLine, node: str) -> None:
    done = simkernel("diff", node, "0,unplug-mouse0@2")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].endswith("events in common, the last of them:")
    default = lines.index("then, in the run default:")
    other = lines.index("then, in the run 0,unplug-mouse0@2:")
    assert default == other - 2
    assert lines[default + 1].split()[2:] != lines[other + 1].split()[2:]


def test_a_scenario_that_does_not_fail(simkernel: CommandLine) -> None:
    assert simkernel("explain", "hello", "0").out == "the run does not fail\n"
    assert simkernel("diff", "hello", "0").out.startswith("the runs have the same ")


@pytest.mark.parametrize("command", ["explain", "diff"])
def test_wrong_arguments(simkernel: CommandLine, node: str, command: str) -> None:
    done = simkernel(command, node, "x")
    assert done.code == 2
    assert "'x' is not a plan: 'x' is not a seed" in done.err
    done = simkernel(command, "nothing", "0")
    assert done.code == 2
    assert "nothing" in done.err
    done = simkernel(command, node.replace("test_it", "nothing"), "0")
    assert done.code == 2
    assert "pytest finds 0 tests" in done.err


@pytest.mark.long
def test_the_command_line_works_without_greenlet(tmp_path: Path) -> None:
    program = "import sys; sys.modules['greenlet'] = None; from simkernel.cli import main; main(sys.argv[1:])"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", program, *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    done = run("--help")
    assert done.returncode == 0, done.stderr
    assert "Needs the extra [testing]." in done.stdout
    assert run("run", "hello").returncode == 0
    done = run("explain", "hello", "0", "--debug")
    assert done.returncode == 2
    assert "`simkernel explain` needs greenlet: install simkernel[testing]" in done.stderr
