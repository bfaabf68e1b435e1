"""Measure one approach, a row of the comparison's table: run its test, compare the transcripts of the runs,
and count new machines per second.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from compileall import compile_dir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from attrs import frozen

import simkernel
from simkernel.tools.comparison.rows import Command, Row

SLOW: Final = 10.0
"""If the first run of a test takes longer than this number of seconds, the test is run only twice."""
UNPRIVILEGED: Final = {"user": 65534, "group": 65534, "extra_groups": []}
PROJECT: Final = Path(simkernel.__file__).parents[1]


class Failed(Exception):
    """Raised if a run ends without a result."""


@frozen
class Result:
    """The measured cells of a row of the table. If they could not be measured, `error` is the reason."""

    name: str
    version: str = ""
    error: str = ""
    root: bool | None = None
    first_green: float = 0.0
    machines_per_second: float = 0.0
    same: str = ""


def measure(row: Row, seconds: float = 1.0, runs: int = 3) -> Result:
    """Measure a row of the table. If this user is root, measure as uid 65534 first, and as root only if that
    measurement fails.
    """
    if missing := [each for each in row.requires.split() if not any(Path("/").glob(each[1:]))]:
        return Result(row.name, error=f"not run here: no {', '.join(missing)} ({row.install})")
    if os.name != "posix" or os.geteuid() != 0:
        return _measured(row, seconds, runs, root=False)
    try:
        run((sys.executable, "-c", "import simkernel"), 60, **UNPRIVILEGED)
    except (Failed, OSError):
        return _measured(row, seconds, runs, root=None)
    compile_dir(PROJECT / "simkernel", quiet=2)  # compile as root: uid 65534 cannot write bytecode
    again = (sys.executable, "-m", "simkernel.tools.comparison", "--json", "--only", row.name)
    printed = run((*again, "--seconds", str(seconds)), row.timeout * (runs + 1), **UNPRIVILEGED)
    unprivileged = Result(**json.loads(printed)["rows"][0])
    return _measured(row, seconds, runs, root=True) if unprivileged.error else unprivileged


def _measured(row: Row, seconds: float, runs: int, root: bool | None) -> Result:
    version = run(tuple(row.version.split()), 10).splitlines()[-1] if row.version else ""
    times: list[float] = []
    transcripts = []
    try:
        while len(times) < (2 if times and times[0] > SLOW else runs):
            with TemporaryDirectory() as folder:
                begin = time.perf_counter()
                printed = run(row.once(Path(folder)), row.timeout, HOME=folder, TMPDIR=folder)
                times.append(time.perf_counter() - begin)
            transcripts.append(_result(printed)["transcript"])
        rates = [1 / min(times)]
        if row.many:
            counting = (*row.many, str(seconds))
            rates = [_result(run(counting, row.timeout + seconds))["rate"] for _ in range(runs)]
    except Failed as error:
        return Result(row.name, version, f"does not run here: {error}")
    one, other = transcripts[:2]
    answers = [[answer for _, answer in transcript] for transcript in (one, other)]
    same = "yes" if one == other else "answers only" if answers[0] == answers[1] else "no"
    return Result(row.name, version, "", root, min(times), max(rates), same)


def _result(printed: str) -> dict[str, Any]:
    """Find the line that contains JSON and return its object. The other lines can be boot messages of a
    kernel.
    """
    for line in printed.splitlines():
        if line.startswith('{"'):
            return dict(json.loads(line))
    raise Failed("the output has no transcript")


def run(command: Command, timeout: float, **options: Any) -> str:
    """Run a command in a new session and return its output. If the command fails, raise Failed with a line of
    its output that reports the error.

    Keyword arguments in capitals are environment variables; the others are passed to Popen.
    """
    capitals = {name: options.pop(name) for name in list(options) if name.isupper()}
    environment = {**os.environ, **capitals}
    pipe = subprocess.PIPE
    process: subprocess.Popen[str] = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, errors="replace",
        cwd=PROJECT, env=environment, start_new_session=True, **options
    )  # fmt: skip
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise Failed(f"no result after {timeout:g} s") from None
    if process.returncode:
        lines = (out + err).splitlines() or [f"status {process.returncode}"]
        raise Failed(([line for line in lines if re.search("error|fail", line, re.IGNORECASE)] or lines)[-1])
    return out
