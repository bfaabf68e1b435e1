"""Execution of a case in a world (on one kernel), and comparison of the results of two worlds.

If the host can fork, each case runs in a child process, so that it cannot affect the next case if it
raises, hangs or dies. Without fork, or on the caller's request, it runs in this process.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import attrs

from tests.conformance import world as worlds
from tests.conformance.case import Case
from tests.conformance.log import Log
from tests.conformance.world import Factory

GRACE = 3.0
"""Seconds beyond a case's time limit that the runner waits for the child process. At the time limit, an alarm
in the child stops the case.
"""


@attrs.frozen
class Outcome:
    """Observations of a case, with `error` if it failed, or `skipped` if the world lacks a required
    feature.
    """

    observations: list[list[Any]] = attrs.field(factory=list)
    error: str | None = None
    skipped: str | None = None


@runtime_checkable
class RemoteWorld(Protocol):
    """A kernel other than the host's, on which conformance cases run. The method `run_case` executes a whole
    case on this kernel and returns the outcome.
    """

    @property
    def kernel(self) -> str:
        """System name, release and machine of the kernel on which `run_case` executes cases."""

    def run_case(self, case: Case, limit: float) -> Outcome:
        """Run a case for at most `limit` seconds."""


class CaseTimeout(BaseException):
    """Raised when a case exceeds its time limit. Derived from BaseException, so that no `except Exception` in
    a case catches it.
    """


@contextmanager
def _alarm(limit: float | None) -> Iterator[None]:
    """Raise CaseTimeout in the body of the `with` statement after `limit` seconds, if the host supports
    setitimer().
    """
    if limit is None or not hasattr(signal, "setitimer"):
        yield
        return

    def expired(number: int, frame: Any) -> None:
        raise CaseTimeout

    signal.signal(signal.SIGALRM, expired)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def run_here(case: Case, factory: Factory, limit: float | None = None) -> Outcome:
    """Run a case in this process. An exception that it raises becomes part of the outcome."""
    log = Log()
    error: str | None = None
    try:
        with _alarm(limit), worlds.make(factory, case.privileged) as world:
            if lacks := worlds.missing(world, case.marks):
                return Outcome(skipped=f"the world has no {', '.join(lacks)}")
            case.run(world, log)
    except CaseTimeout:
        error = f"no end after {limit:g} s"
    except Exception as exception:  # noqa: BLE001 - a world may raise anything
        last = traceback.extract_tb(exception.__traceback__)[-1]
        error = f"{type(exception).__name__}: {exception} ({Path(last.filename).name}:{last.lineno})"
    return Outcome(log.observations, error)


def run(case: Case, factory: Factory | RemoteWorld, limit: float) -> Outcome:
    """Run a case in a world. A RemoteWorld runs the case itself. In any other world, a child process runs the
    case, or this process if the host cannot fork.
    """
    if isinstance(factory, RemoteWorld):
        return factory.run_case(case, limit)
    if not hasattr(os, "fork"):
        return run_here(case, factory, limit)
    sys.stdout.flush()
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(readable)
            outcome = run_here(case, factory, limit)
            with os.fdopen(writable, "wb") as stream:
                stream.write(json.dumps(attrs.asdict(outcome)).encode())
        finally:
            os._exit(0)
    os.close(writable)
    written = _read_all(readable, limit + GRACE)
    if written is None:
        os.kill(child, signal.SIGKILL)
    os.close(readable)
    status = os.waitpid(child, 0)[1]
    try:
        return Outcome(**json.loads(written or b""))
    except ValueError:
        return Outcome(error=f"the child ended without a result (wait status {status})")


def _read_all(readable: int, patience: float) -> bytes | None:
    """Read a pipe until end of file. Return None if it does not end within `patience` seconds."""
    chunks: list[bytes] = []
    deadline = time.monotonic() + patience
    while (left := deadline - time.monotonic()) > 0:
        if select.select([readable], [], [], left)[0]:
            chunk = os.read(readable, 1 << 16)
            if not chunk:
                return b"".join(chunks)
            chunks.append(chunk)
    return None


# -- differences --------------------------------------------------------------


def difference(want: Outcome, got: Outcome) -> str | None:
    """Describe the first difference between two outcomes. Return None if they are equal."""
    if want.error is not None:
        return f"the reference run failed: {want.error}"
    for index, (wanted, found) in enumerate(zip(want.observations, got.observations, strict=False)):
        if wanted != found:
            if wanted[0] != found[0]:
                return f"observation {index}: the kernel's is {wanted[0]!r}, the world's is {found[0]!r}"
            return f"observation {index}, {wanted[0]!r}{contrast(wanted[1], found[1])}"
    if got.error is not None:
        return f"after {len(got.observations)} observations: {got.error}"
    if len(want.observations) != len(got.observations):
        return f"{len(want.observations)} observations of the kernel, {len(got.observations)} of the world"
    return None


def contrast(want: Any, got: Any, where: str = "") -> str:
    """Find the first difference between the values `want` and `got`. Return a text with its position and with
    both values at this position.
    """
    if isinstance(want, list) and isinstance(got, list):
        for index, (wanted, found) in enumerate(zip(want, got, strict=False)):
            if wanted != found:
                return contrast(wanted, found, f"{where}[{index}]")
        index = min(len(want), len(got))
        return contrast(_at(want, index), _at(got, index), f"{where}[{index}]")
    at = 0
    if isinstance(want, str) and isinstance(got, str):
        pairs = enumerate(zip(want, got, strict=False))
        at = next((i for i, (wanted, found) in pairs if wanted != found), min(len(want), len(got)))
    place = f" at {where}" if where else ""
    return f"{place}\n      kernel: {_shorten(want, at)}\n      world:  {_shorten(got, at)}"


def _at(values: list[Any], index: int) -> Any:
    return values[index] if index < len(values) else "nothing more"


def _shorten(value: Any, around: int) -> str:
    """Return a value as one line of text. A long text is cut to the part near position `around`."""
    text = value if isinstance(value, str) else json.dumps(value)
    start = max(0, around - 60)
    return ("…" if start else "") + text[start : start + 400] + ("…" if len(text) > start + 400 else "")
