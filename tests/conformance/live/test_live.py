"""A short comparison of simkernel with this host's kernel. `python -m tests.conformance.live --steps 1000000`
makes a long one.

The search changes the network namespace and the privilege of its process, so it runs in a new process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

STEPS = 4000
MANY_STEPS = 60_000
"""Number of calls that a test compares. The comparison takes a few seconds."""

LINK_STEPS = 1500
"""Number of calls that change and read links. They take a few seconds, because deleting a link takes 20
ms.
"""

PROGRAM_STEPS = 800
MANY_PROGRAM_STEPS = 50_000
"""Number of steps of the random programs that use files, sockets and processes."""

BROKEN = """
import sys
from functools import partial
from random import Random

from simkernel.kernel.net.sock import Sock
from tests.conformance.live.generator import Generator
from tests.conformance.live.hosts import find_host
from tests.conformance.live.render import case_of
from tests.conformance.live.search import Search

slot = Sock.__dict__["rcvbuf"]
Sock.rcvbuf = property(lambda sock: slot.__get__(sock) - 1, slot.__set__)
host = find_host()
if isinstance(host, str):
    sys.exit(f"SKIPPED: {host}")

def draw(random):
    return Generator(random, privileged=host.privileged, scope=host.scope).program()

for finding in Search(host, 1, draw, patience=300).run(100_000):
    print(case_of(finding.program, finding.difference, finding.origin))
    break
"""
"""Script that runs the search on a simkernel with a planted bug: receive buffers are one byte too small."""


def run(*arguments: str, timeout: float = 120) -> str:
    """Run Python with these arguments. Check that it succeeds and return its output."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    for line in (done.stdout + done.stderr).splitlines():
        if line.startswith("SKIPPED: "):
            pytest.skip(line.removeprefix("SKIPPED: "))
        if line.startswith("SKIPPED"):
            warnings.warn(line, stacklevel=2)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_simkernel_agrees_with_this_kernel() -> None:
    output = run("-m", "tests.conformance.live", "--steps", str(STEPS), "--quiet", "--no-replay")
    assert "calls compared" in output


@pytest.mark.long
def test_recorded_cases_and_many_calls_agree_with_this_kernel() -> None:
    """The search replays the recorded cases on this kernel before it makes random calls."""
    output = run("-m", "tests.conformance.live", "--steps", str(MANY_STEPS), "--quiet", timeout=600)
    assert "calls compared" in output


@pytest.mark.long
def test_nlctrl_agrees_with_this_kernel() -> None:
    run("-m", "tests.conformance.live", "--messages", "1000", "--quiet", "--no-replay")


def test_link_changes_agree_with_this_kernel() -> None:
    output = run(
        "-m", "tests.conformance.live", "--links", "--steps", str(LINK_STEPS), "--quiet", "--no-replay"
    )
    assert "0 differences" in output


@pytest.mark.long
def test_programs_agree_with_this_kernel() -> None:
    output = run("-m", "tests.conformance.live", "--programs", "--steps", str(PROGRAM_STEPS), "--quiet")
    assert "0 differences" in output


@pytest.mark.long
def test_many_programs_agree_with_this_kernel() -> None:
    """This test takes about a minute on an idle machine."""
    arguments = ("--programs", "--steps", str(MANY_PROGRAM_STEPS), "--seed", "2", "--quiet")
    assert "0 differences" in run("-m", "tests.conformance.live", *arguments, timeout=900)


@pytest.mark.long
def test_a_missing_byte_is_found_and_shrunk() -> None:
    text = run("-c", BROKEN)
    compile(text, "found", "exec")
    assert "RCVBUF" in text or "SO_MEMINFO" in text
    assert text.count("\n") < 20, text
