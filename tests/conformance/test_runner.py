"""The runner of conformance cases detects differences, hangs and crashes. In most of these tests, recv() on
purpose returns wrong data, raises, blocks or ends the process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from simkernel.testing import World, world
from tests.conformance import recording
from tests.conformance.case import Case, load_cases
from tests.conformance.runner import Outcome, difference, run_here

CASES = {case.name: case for case in load_cases()}
PEEK = CASES["unicast.peek"]
ROOT = Path(__file__).resolve().parents[2]

Distort = Callable[[bytes], bytes]
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the host cannot fork")


class DistortingSocket:
    """A socket that changes received data with `distort` and forwards all other calls."""

    def __init__(self, sock: Any, distort: Distort) -> None:
        self._sock = sock
        self._distort = distort

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def recv(self, *arguments: Any) -> bytes:
        return self._distort(self._sock.recv(*arguments))


class DistortingWorld:
    """A wrapper of simkernel, on which conformance cases run. Its sockets change the data that they receive.
    Of the methods of World, it has only `socket`.
    """

    def __init__(self, inner: World, distort: Distort) -> None:
        self._inner = inner
        self._distort = distort
        self.privileged = inner.privileged

    def socket(self, *arguments: Any) -> Any:
        return DistortingSocket(self._inner.socket(*arguments), self._distort)


def distorted_world(distort: Distort) -> Callable[..., Any]:
    @contextmanager
    def factory(*, privileged: bool) -> Iterator[DistortingWorld]:
        with world(privileged=privileged) as inner:
            yield DistortingWorld(inner, distort)

    return factory


def problem_of(case: Case, outcome: Outcome) -> str:
    problem = difference(recording.load().outcome(case), outcome)
    assert problem is not None
    return problem


def same(data: bytes) -> bytes:
    return data


def test_undistorted_world_shows_no_difference() -> None:
    assert difference(recording.load().outcome(PEEK), run_here(PEEK, distorted_world(same))) is None


def test_one_wrong_bit_is_detected() -> None:
    def flip(data: bytes) -> bytes:
        return data[:-1] + bytes([data[-1] ^ 1])

    problem = problem_of(PEEK, run_here(PEEK, distorted_world(flip)))
    assert problem.startswith("observation 0, 'peek'")
    assert "hex:30313233343536373839" in problem and "hex:30313233343536373838" in problem


def test_missing_observations_are_detected() -> None:
    outcome = Outcome(recording.load().outcome(PEEK).observations[:-1])
    assert "4 observations of the kernel, 3 of the world" in problem_of(PEEK, outcome)


def test_exception_is_part_of_the_outcome() -> None:
    def fail(data: bytes) -> bytes:
        raise KeyError("no such thing")

    assert "KeyError: 'no such thing'" in problem_of(PEEK, run_here(PEEK, distorted_world(fail)))


def test_world_that_ignores_privilege_is_detected() -> None:
    case = CASES["multicast.join_and_leave"]
    outcome = run_here(case, lambda: world(privileged=False))
    assert "errno:EPERM" in problem_of(case, outcome)


def test_world_without_optional_methods_skips_the_case() -> None:
    outcome = run_here(CASES["raw_sockaddr.bind_pad"], distorted_world(same))
    assert outcome.skipped == "the world has no raw_call"


def test_unrecorded_case_fails() -> None:
    unknown = Case(PEEK.run, "unicast.never_recorded", False, (), PEEK.oracle)
    assert "not in the recording" in problem_of(unknown, Outcome())


def wait(data: bytes) -> bytes:
    while True:
        with suppress(Exception):
            time.sleep(60)


def die(data: bytes) -> bytes:
    os._exit(7)


hanging, dying = distorted_world(wait), distorted_world(die)


def check(name: str, limit: str) -> str:
    """Run `python -m tests.conformance --world` with the factory that is called `name` in this file. Return
    the output.

    The command forks, so it runs in a new process: those of pytest-xdist have threads, which fork() loses.
    """
    arguments = ("--world", f"{__name__}:{name}", "-k", PEEK.name, "--limit", limit)
    done = subprocess.run(
        [sys.executable, "-m", "tests.conformance", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


@needs_fork
def test_hanging_case_is_killed_after_its_limit() -> None:
    assert "FAIL unicast.peek: after 0 observations: no end after 0.2 s" in check("hanging", "0.2")


@needs_fork
def test_exit_of_the_process_fails_the_case() -> None:
    output = check("dying", "50")
    assert "FAIL unicast.peek: after 0 observations: the child ended without a result" in output
