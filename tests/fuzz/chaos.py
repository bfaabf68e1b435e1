"""Random exceptions of programs, signal handlers and modules. Any other exception that ends a run is a
bug.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Iterator
from random import Random
from typing import Final

from simkernel import SimulationError
from tests.fuzz.watch import Broken
from tests.fuzz.wrong import Refusal

CHAOS: Final = "chaos"

KINDS: Final[tuple[type[BaseException], ...]] = (
    ValueError, KeyError, TypeError, AssertionError, MemoryError, RecursionError, OSError, StopIteration,
    StopAsyncIteration, GeneratorExit, SystemExit, SimulationError, asyncio.CancelledError, BaseException,
)  # fmt: skip

ALLOWED: Final = (
    OSError, TypeError, ValueError, OverflowError, BufferError, SimulationError, IndexError, Refusal,
    MemoryError, StopAsyncIteration,
)  # fmt: skip
"""Exceptions that a call with wrong arguments may raise: SimulationError, and those that Python's functions
raise.
"""

MISUSES: Final = ("never awaited", "one call at a time", "ignored GeneratorExit")
"""Error texts that are expected if a program misuses calls or its signal handler raises GeneratorExit."""


def throw(random: Random) -> None:
    """Raise a random exception."""
    raise random.choice(KINDS)(CHAOS)


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield the exceptions in a group and its subgroups, or the exception itself."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from leaves(each)
    else:
        yield error


def judge(error: BaseException) -> None:
    """Raise Broken if an exception that ended a run was neither raised on purpose nor caused by a misused
    call.
    """
    for each in leaves(error):
        if not _on_purpose(each):
            raise Broken(f"a run raised {each!r}, which no program raised on purpose") from each


def _on_purpose(error: BaseException) -> bool:
    text = str(error)
    if isinstance(error, SimulationError | RuntimeError) and any(words in text for words in MISUSES):
        return True
    if isinstance(error, InterruptedError) or CHAOS in map(str, error.args) or "chaos" in text:
        return True
    if isinstance(error, RuntimeError) and isinstance(error.__cause__, StopIteration | StopAsyncIteration):
        return True  # Python converts a StopIteration that a coroutine raises to a RuntimeError.
    frames = traceback.extract_tb(
        error.__traceback__
    )  # spawn() raises an error in program.py if its argument is not a program.
    return bool(frames) and frames[-1].filename.endswith(("application/program.py", "fuzz/wrong.py"))
