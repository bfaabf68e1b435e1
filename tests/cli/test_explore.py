"""`simkernel explore` and `simkernel replay`: searches, stored results, and the printed line
that replays a failure.
"""

from __future__ import annotations

import re
import shlex
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from simkernel.explore import pool
from tests.cli.terminal import PROGRAM, Terminal, plain
from tests.conftest import CommandLine

STORY = """
from simkernel.scenario import Run, scenario


@scenario()
def race(run: Run) -> None:
    seen = []

    async def slow(app):
        await app.sleep(0.001)
        seen.append("slow")

    async def quick(app):
        await app.sleep(0.0009)
        seen.append("quick")

    machine = run.machine(udev=False)
    machine.spawn(slow)
    machine.spawn(quick)
    machine.run()
    assert CHECK, f"they came as {seen}"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write two scenarios into the current folder: one with a race, one without."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "race.py").write_text(STORY.replace("CHECK", 'seen == ["quick", "slow"]'))
    (tmp_path / "calm.py").write_text(STORY.replace("CHECK", "len(seen) == 2"))
    return tmp_path


def runs(path: Path) -> int:
    file = sqlite3.connect(path)
    [(made,)] = file.execute("SELECT count(*) FROM sqlite_master WHERE name = 'run'")
    number = file.execute("SELECT count(*) FROM run").fetchone()[0] if made else 0
    file.close()
    return int(number)


def test_a_failure_is_shrunk_and_its_line_replays_it(simkernel: CommandLine, folder: Path) -> None:
    done = simkernel("explore", "race.py", "--jobs", "1")
    assert done.code == 1
    assert "they came as ['slow', 'quick']" in done.err
    lines = done.out.splitlines()
    assert any(line.startswith("shrunk in ") for line in lines)
    replay = shlex.split(lines[-1], comments=True)
    assert replay[:3] == ["simkernel", "replay", "race.py"]
    again = simkernel(*replay[1:])
    assert again.code == 1
    assert "they came as ['slow', 'quick']" in again.err


def test_a_search_without_a_failure_reports_its_coverage(simkernel: CommandLine, folder: Path) -> None:
    done = simkernel("explore", "calm.py", "--jobs", "1", "--seeds", "40")
    assert done.code == 0, done.err
    assert "40 runs in " in done.out
    assert "2 of them recorded: 1 distinct schedules, " in done.out
    assert done.out.endswith("no run failed\n")


def test_a_search_continues_where_it_was(simkernel: CommandLine, folder: Path) -> None:
    simkernel("explore", "calm.py", "--jobs", "1", "--seeds", "20")
    done = simkernel("explore", "calm.py", "--jobs", "1", "--seeds", "30")
    assert "20 runs of this search, which are not run again" in done.err
    assert "10 runs and 20 earlier ones" in done.out
    assert runs(folder / "simkernel-explore.sqlite") == 30


def test_other_code_begins_anew_and_says_so(simkernel: CommandLine, folder: Path) -> None:
    simkernel("explore", "calm.py", "--jobs", "1", "--seeds", "20")
    story = folder / "calm.py"
    story.write_text(story.read_text().replace("0.0009", "0.0008"))
    done = simkernel("explore", "calm.py", "--jobs", "1", "--seeds", "10")
    assert "has 20 runs of other code, which do not count" in done.err
    assert "10 runs in " in done.out


def test_shares_are_disjoint_and_cover_all_seeds(simkernel: CommandLine, folder: Path) -> None:
    for share, expected in (("1/3", 4), ("2/3", 7), ("3/3", 10)):
        simkernel("explore", "calm.py", "--jobs", "1", "--seeds", "10", "--shard", share)
        assert runs(folder / "simkernel-explore.sqlite") == expected


def test_a_kept_failure_is_shown_without_another_search(simkernel: CommandLine, folder: Path) -> None:
    first = simkernel("explore", "race.py", "--jobs", "1")
    second = simkernel("explore", "race.py", "--jobs", "1")
    assert second.code == 1
    assert second.out.splitlines()[-1] == first.out.splitlines()[-1]
    assert " runs in " not in second.out


def test_time_ends_a_search(simkernel: CommandLine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "CHUNK", 0.1)
    done = simkernel("explore", "calm.py", "--jobs", "1", "--time", "0.01s", "--strategy", "pct")
    assert done.code == 0
    assert done.out.endswith("no run failed\n")


def test_a_systematic_search_says_that_it_is_exhausted(simkernel: CommandLine, folder: Path) -> None:
    done = simkernel("explore", "calm.py", "--systematic")
    assert done.code == 0
    assert "no plan of up to 2 pauses fails: the space is exhausted" in done.out
    assert not (folder / "simkernel-explore.sqlite").exists()


@pytest.mark.parametrize("option", ["--systematic", "--guided"])
def test_other_searches_find_it_too(simkernel: CommandLine, folder: Path, option: str) -> None:
    done = simkernel("explore", "race.py", option)
    assert done.code == 1
    assert "simkernel replay race.py" in done.out


def test_a_fault_is_in_the_plan_that_replays(simkernel: CommandLine, folder: Path) -> None:
    story = folder / "race.py"
    story.write_text(
        story.read_text().replace("await app.sleep(0.001)", "await app.read_file('/proc/uptime')")
    )
    done = simkernel("explore", "race.py", "--jobs", "1", "--faults", "probe:p=.5|open:nth=1,comm=slow")
    assert done.code == 1
    assert done.out.splitlines()[-1] == "simkernel replay race.py '0,open#1'"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["rce.py"], "there is no file 'rce.py'"),
        (["camra"], "there is no scenario 'camra'"),
        (["race.py", "--time", "soon"], "'soon' is not a duration: write 90s, 10m or 2h"),
        (["race.py", "--shard", "3/2"], "'3/2' is not a share"),
        (["race.py", "--faults", "opne:nth=1"], "unknown fault point 'opne'"),
        (["race.py", "--faults", "open"], "set nth=1 for the first hit"),
        (["race.py", "--faults", "open:often=1"], "unknown part 'often=1' of a fault rule"),
        (["race.py", "--faults", "open:nth=x"], "'open:nth=x'"),
        (["race.py", "--guided", "--systematic"], "exclude each other"),
        (["race.py", "--guided", "--jobs", "2"], "runs in one process"),
        (["race.py", "--systematic", "--seeds", "2"], "tries every plan"),
        (["race.py", "--scheduler", "tcp://x", "--jobs", "2"], "leave --jobs out"),
        (["race.py", "--jobs", "1", "--results", "race.py"], "cannot store results in"),
        (["race.py", "--jobs", "1", "--results", "no/where"], "cannot store results in"),
    ],
)
def test_bad_input_is_explained(
    simkernel: CommandLine, folder: Path, arguments: list[str], text: str
) -> None:
    done = simkernel("explore", *arguments)
    assert done.code == 2
    assert text in " ".join(done.err.split())


def test_replay_of_the_default_run_holds(simkernel: CommandLine, folder: Path) -> None:
    done = simkernel("replay", "race.py", "0")
    assert done.code == 0
    assert done.out.endswith("the run does not fail\n")


def test_replay_names_the_parts_of_a_plan_that_are_stale(simkernel: CommandLine, folder: Path) -> None:
    done = simkernel("replay", "race.py", "0,99999+5,unplug@3")
    assert "99999+5 is stale" in done.out
    assert "unplug@3 is stale" in done.out


def test_replay_refuses_an_invalid_plan(simkernel: CommandLine, folder: Path) -> None:
    done = simkernel("replay", "race.py", "1,34")
    assert done.code == 2
    assert "write SEED" in done.err


TEST = """
import pytest
from simkernel.explore.faults import Fault

@pytest.mark.sim(faults=Fault("open", nth=2))
async def test_reads(app, sim):
    for _ in range(3):
        await app.read_file("/proc/uptime")

@pytest.mark.sim
async def test_sleeps(app, sim):
    await app.sleep(1)

def test_plain():
    pass
"""


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(TEST)
    return subprocess.run([*PROGRAM, *arguments], cwd=folder, capture_output=True, text=True)


@pytest.mark.long
def test_a_test_is_a_target_with_the_faults_of_its_mark(tmp_path: Path) -> None:
    done = command(tmp_path, "explore", "test_it.py::test_reads", "--jobs", "1")
    assert done.returncode == 1, done.stderr
    replay = shlex.split(done.stdout.splitlines()[-1], comments=True)
    assert replay == ["simkernel", "replay", "test_it.py::test_reads", "0,open#2"]
    assert command(tmp_path, *replay[1:]).returncode == 1


@pytest.mark.long
def test_worker_processes_load_a_test_by_its_node_id(tmp_path: Path) -> None:
    done = command(tmp_path, "explore", "test_it.py::test_sleeps", "--jobs", "2", "--seeds", "40")
    assert done.returncode == 0, done.stderr
    assert "40 runs in " in done.stdout


@pytest.mark.long
@pytest.mark.parametrize("node", ["test_it.py::test_plain", "test_it.py::test_none", "test_no.py::test_it"])
def test_a_node_id_that_is_no_target_is_an_error(tmp_path: Path, node: str) -> None:
    done = command(tmp_path, "explore", node)
    assert done.returncode == 2
    assert "is not the node id of one test with the mark sim" in " ".join(done.stderr.split())


@pytest.mark.long
def test_a_search_that_is_killed_continues(folder: Path) -> None:
    arguments = ["explore", "calm.py", "--jobs", "2", "--seeds", "6000"]
    killed = subprocess.Popen([*PROGRAM, *arguments], stdout=subprocess.PIPE)
    results = folder / "simkernel-explore.sqlite"
    while killed.poll() is None and (not results.exists() or not runs(results)):
        time.sleep(0.02)
    killed.kill()
    killed.communicate()
    before = runs(results)
    assert 0 < before < 6000
    done = subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True)
    assert f"{before} runs of this search, which are not run again" in done.stderr
    assert f"{6000 - before} runs and {before} earlier ones" in done.stdout
    assert runs(results) == 6000


@pytest.mark.long
def test_the_bar_fits_a_terminal_of_80_columns(folder: Path) -> None:
    terminal = Terminal("explore", "calm.py", "--jobs", "1", "--seeds", "3000", columns=80)
    lines = [line for line in re.split("[\r\n]", plain(terminal.text())) if line.strip()]
    assert any(re.search(r"\d+/3000 .* \d+/s schedules \d+/\d+ trace \d+ faults", line) for line in lines)
    assert max(map(len, lines)) <= 80
