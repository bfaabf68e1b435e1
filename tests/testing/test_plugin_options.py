"""Command-line options of simkernel's plugin for pytest."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.testing.conftest import Pytest
from tests.testing.test_plugin import RACE

COUNTED = """
import pytest

RUNS = []

@pytest.mark.sim(seeds=4, udev=False)
def test_it(app, sim):
    RUNS.append(sim.machine.engine.rng.seed)
    app.sleep(1)

def test_the_number(pytestconfig):
    print(f"{len(RUNS)} runs")
"""


def runs(result: pytest.RunResult) -> int:
    """Return the number of runs that the test file COUNTED prints."""
    result.assert_outcomes(passed=2)
    match = re.search(r"(\d+) runs", result.stdout.str())
    assert match is not None
    return int(match[1])


def test_number_of_seeds(run_pytest: Pytest) -> None:
    assert runs(run_pytest(COUNTED, "-s")) == 4
    assert runs(run_pytest(COUNTED, "-s", "--sim-seeds", "9")) == 9


def test_time(run_pytest: Pytest) -> None:
    assert runs(run_pytest(COUNTED, "-s", "--sim-time", "0.5s")) > 4


def test_check_of_determinism(run_pytest: Pytest) -> None:
    assert runs(run_pytest(COUNTED, "-s", "--sim-check-determinism")) == 8


def test_a_body_that_keeps_state_is_not_deterministic(run_pytest: Pytest) -> None:
    source = """
        import pytest

        RUNS = []

        @pytest.mark.sim(seeds=4)
        def test_it(app, sim):
            RUNS.append(1)
            app.sleep(len(RUNS))
    """
    run_pytest(source).assert_outcomes(passed=1)
    result = run_pytest(source, "--sim-check-determinism")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["two runs of the plan 0 have different traces: the body or a driver depends on*"]
    )
    assert "simkernel/testing" not in result.stdout.str()


@pytest.mark.long
def test_the_replay_line_replays_the_failure(run_pytest: Pytest) -> None:
    first = run_pytest(RACE)
    first.assert_outcomes(failed=1)
    plan = replayed(first)
    again = run_pytest(RACE, "--sim-replay", plan)
    again.assert_outcomes(failed=1)
    assert replayed(again) == plan
    assert "run 1 of 1 fails" in again.stdout.str()
    run_pytest(RACE, "--sim-replay", "0").assert_outcomes(passed=1)


def replayed(result: pytest.RunResult) -> str:
    """Return the plan from the line of the output that contains --sim-replay."""
    match = re.search(
        r"^pytest test_it.py::test_it --sim-replay '?([^'\s]+)'?", result.stdout.str(), re.MULTILINE
    )
    assert match is not None
    return match[1]


@pytest.mark.long
@pytest.mark.parametrize("source", [RACE, COUNTED], ids=["failed", "passed"])
def test_traces(run_pytest: Pytest, pytester: pytest.Pytester, source: str) -> None:
    run_pytest(source, "--sim-trace", "traces")
    folder = Path("traces")
    assert {each.suffix for each in folder.iterdir()} == {".json", ".pcap", ".log"}
    assert {each.stem for each in folder.iterdir()} == {"test_it.py-test_it"}
    assert json.loads((folder / "test_it.py-test_it.json").read_text())["traceEvents"]
    assert (folder / "test_it.py-test_it.pcap").read_bytes()[:4] == b"\x4d\x3c\xb2\xa1"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--sim-seeds", "0"], "'0' is not a number of runs: write an int of at least 1"),
        (["--sim-seeds", "x"], "'x' is not a number of runs"),
        (["--sim-time", "10x"], "'10x' is not a duration: write a number and s, m or h, as in 10m"),
        (["--sim-time", "0"], "'0' is not a duration"),
        (["--sim-replay", "x"], "--sim-replay: 'x' is not a plan: 'x' is not a seed"),
        (
            ["--sim-replay", "1", "-k", "number"],
            "a plan is for one test with the mark sim, but 0 such tests are selected",
        ),
    ],
)
def test_wrong_options(run_pytest: Pytest, options: list[str], text: str) -> None:
    result = run_pytest(COUNTED, *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert text in result.stderr.str()


def test_pinned_plans_run_first(run_pytest: Pytest) -> None:
    result = run_pytest("""
import pytest

RUNS = []

@pytest.mark.sim(plans=["3", "4,7+1000"])
def test_pinned(app, sim):
    RUNS.append(sim.machine.engine.rng.seed)
    app.sleep(1)

@pytest.mark.sim(plans=["5"], seeds=2)
def test_both(app, sim):
    RUNS.append(sim.machine.engine.rng.seed)

def test_runs():
    assert RUNS == [3, 4, 5, 0, 1]
""")
    result.assert_outcomes(passed=3)


def test_a_stale_plan_is_reported(run_pytest: Pytest) -> None:
    result = run_pytest("""
        import pytest

        @pytest.mark.sim(plans=["0,7000+1000,gone@3"])
        def test_it(app, sim):
            app.sleep(1)
    """)
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(
        ["*StalePlan: the plan '0,7000+1000,gone@3' is stale: the run has no 7000+1000, gone@3; replace it*"]
    )


@pytest.mark.long
def test_sweeps_and_systematic_searches(run_pytest: Pytest) -> None:
    result = run_pytest("""
        import pytest

        RUNS = {}

        def count(name):
            RUNS[name] = RUNS.get(name, 0) + 1

        @pytest.mark.sim(sweep="statement", devices=["mouse"])
        def test_statement(app, sim):
            count("statement")
            sim.unplug("mouse0")
            sim.quiet()

        @pytest.mark.sim(sweep="step", udev=False)
        def test_step(app, sim):
            count("step")
            app.sleep(1)

        @pytest.mark.sim(systematic=2, udev=False)
        def test_systematic(app, sim):
            count("systematic")
            app.sleep(1)

        @pytest.mark.sim(strategy="guided", seeds=7, udev=False)
        def test_guided(app, sim):
            count("guided")
            app.sleep(1)

        @pytest.mark.sim(sweep="sleep.eintr", udev=False)
        def test_eintr(app, sim):
            count("eintr")
            app.sleep(1)

        def test_runs():
            assert RUNS["statement"] > 20
            assert RUNS["step"] == 4
            assert RUNS["systematic"] == 1 + 3 * 2 + 3 * 4
            assert RUNS["guided"] == 7
    """)
    result.assert_outcomes(passed=5, failed=1)
    result.stdout.fnmatch_lines(["E*InterruptedError*", "run 2 fails; its plan*: 0,sleep.eintr#1"])


def test_faults_of_a_rule(run_pytest: Pytest) -> None:
    result = run_pytest("""
        import pytest
        from simkernel.explore.faults import Fault

        @pytest.mark.sim(seeds=30, faults=Fault("open", p=.1) | Fault("sleep.eintr", p=.01), udev=False)
        def test_it(app, sim):
            app.open("/dev/null", 2)
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ['>*app.open("/dev/null", 2)', "run * of 30 fails; its plan*: *,open#1", "    open fails at hit 1"]
    )


@pytest.mark.long
def test_races_are_reported_and_direct_the_strategy(run_pytest: Pytest, root: Path) -> None:
    result = run_pytest(f"""
        import pytest
        from simkernel.uapi.netlink import NLM_F_REQUEST, message
        from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW

        pytestmark = pytest.mark.sim(module_path={str(root / "tests/explore/modules")!r}, modules="tally")

        def ask(app):
            with app.socket(AF_NETLINK, SOCK_RAW, 25) as sock:
                sock.sendto(message(16, b"", flags=NLM_F_REQUEST), (0, 0))
                return sock.recv(100)[16]

        def counted(app, sim):
            app.spawn(ask)
            app.spawn(ask)
            sim.quiet()
            return ask(app)

        @pytest.mark.sim(strategy="races", seeds=10)
        def test_strategy(app, sim):
            assert counted(app, sim) == 3

        @pytest.mark.sim(checks="races", seeds=1)
        def test_checker(app, sim):
            counted(app, sim)
    """)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "E*assert 2 == 3",
            "    tally.py:* pauses for *",
            "E*KernelBug: ===*",
            "*data-race in *",
        ],
        consecutive=False,
    )
