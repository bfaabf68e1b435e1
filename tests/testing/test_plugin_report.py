"""Each section of the report that simkernel's plugin for pytest adds to a failure."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.testing.conftest import Pytest
from tests.testing.test_plugin import RACE

PARTS = ["simulation", "asleep", "last 30 tracepoints", "kernel log", "replay"]


def parts(result: pytest.RunResult) -> dict[str, str]:
    """Return the text of each section of the report, by the section's title."""
    text = result.stdout.str()
    found = re.split(r"^-+ ([^-].*[^-]) -+$", text.split("short test summary")[0], flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def test_a_failure_reaches_pytest_as_itself_and_has_every_part(run_pytest: Pytest) -> None:
    result = run_pytest(RACE)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            '>*assert seen == set(sim.truth("input"))',
            "E*AssertionError: assert {*'input0'*} == set()",
            "*test_it.py:*: AssertionError",
        ]
    )
    result.stdout.no_fnmatch_line("*simkernel/*.py:*")
    report = parts(result)
    assert list(report) == PARTS
    assert re.search(r"run \d+ of 200 fails; its plan.*: 0,", report["simulation"])
    assert "unplug-mouse0 happens" in report["simulation"]
    assert "list_then_subsc/" in report["asleep"]
    assert "recvfrom on netlink protocol 15" in report["asleep"]
    lines = report["last 30 tracepoints"].strip().splitlines()
    assert len(lines) == 30
    assert re.match(r"\[ +0\.\d{9}\] test_it/\d+ +sys_exit: ", lines[-2])
    assert "sched_process_exit" in lines[-1]
    assert "mouse0, revision 1" in report["kernel log"]
    assert report["replay"].startswith("\npytest test_it.py::test_it --sim-replay ")


def test_the_default_run(run_pytest: Pytest) -> None:
    report = parts(
        run_pytest("""
        import pytest

        @pytest.mark.sim
        def test_it(app, sim):
            assert app.getpid() == 0
    """)
    )
    assert report["simulation"].strip().splitlines() == [
        "run 1 of 100 fails; its plan: 0",
        "    no perturbation: the default run fails",
    ]


def test_place_of_a_pause(run_pytest: Pytest, pytester: pytest.Pytester) -> None:
    report = parts(
        run_pytest("""
        import pytest

        @pytest.mark.sim(plans=["0,20+5000,60!,8+70"], devices=["mouse"])
        def test_it(app, sim):
            sim.unplug("mouse0")
            sim.quiet()
            assert False
    """)
    )
    text = report["simulation"]
    assert re.search(r"^    \w+ continues 70 ns later \(point 8\)$", text, re.MULTILINE), text
    assert re.search(
        r"^    [\w/.]+\.py:\d+ pauses until the next interrupt, timer or deadline \(point 60\)$",
        text,
        re.MULTILINE,
    ), text


def test_the_commit(run_pytest: Pytest, pytester: pytest.Pytester) -> None:
    def git(*command: str) -> str:
        author = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        done = subprocess.run(["git", *author, *command], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    git("init", "-q")
    source = "import pytest\n@pytest.mark.sim\ndef test_it(app):\n    assert False\n"
    run_pytest(source)
    (pytester.path / ".gitignore").write_text("__pycache__\n.*\n")
    git("add", "-A")
    git("commit", "-qm", "first")
    commit = git("rev-parse", "--short=12", "HEAD")
    line = f"pytest test_it.py::test_it --sim-replay 0    # at {commit}"
    run_pytest(source).stdout.fnmatch_lines([line])
    (pytester.path / "other.py").write_text("")
    run_pytest(source).stdout.fnmatch_lines([f"{line}, with changes"])


@pytest.mark.long
def test_frames_of_simkernel_are_hidden_in_each_style(run_pytest: Pytest) -> None:
    source = """
        import pytest

        def helper(app):
            app.open("/nowhere", 0)

        async def child(app):
            raise ValueError("of the child")

        @pytest.mark.sim
        def test_plain(app, sim):
            helper(app)

        @pytest.mark.sim
        async def test_several(app, sim):
            await app.spawn(child)
            await app.spawn(child)
            await sim.quiet()

        @pytest.mark.sim
        async def test_cause(app, sim):
            try:
                await app.open("/nowhere", 0)
            except OSError as error:
                raise KeyError("because") from error
    """
    for style in ("auto", "long", "short", "line"):
        result = run_pytest(source, f"--tb={style}")
        result.assert_outcomes(failed=3)
        assert not re.search(r"simkernel/\w+/.*\.py", result.stdout.str()), style
    assert re.search(r"simkernel/\w+/.*\.py", run_pytest(source, "--full-trace").stdout.str())


def test_an_error_without_a_frame_of_the_project(run_pytest: Pytest) -> None:
    result = run_pytest("""
        import pytest

        @pytest.mark.sim(seeds=2)
        async def test_deadlock(app, sim):
            await (await app.socketpair())[0].recv(1)

        async def forever(app):
            while True:
                await app.sleep(1)

        @pytest.mark.sim(seeds=2)
        async def test_never_quiet(app, sim):
            await app.spawn(forever)
            await sim.quiet()
    """)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "E*Deadlock: test_deadlock sleeps for ever; asleep: *test_deadlock/6 in recvfrom on *",
            "E*TimeLimit: the machine is not quiet after 60 simulated seconds*",
        ]
    )
