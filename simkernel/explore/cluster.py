"""Executors for the runs of a search for failures: worker processes, this process, or a dask.distributed
cluster (extra `[cluster]`).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any, ParamSpec, TypeVar

from simkernel.engine import SimulationError

P = ParamSpec("P")
T = TypeVar("T")
TIMEOUT = 10
"""Seconds to wait for an answer of the dask scheduler."""
PER_WORKER = 2
"""Number of chunks (groups of seeds) submitted for each worker: one that runs, and one that waits."""


class InProcess(Executor):
    """An executor that runs each task in this process before `submit` returns."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run the task and return its completed future."""
        future: Future[T] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def local(jobs: int) -> tuple[Callable[[], Executor], int]:
    """Return a pair: a function that makes an executor of `jobs` processes, and the number of chunks of seeds
    to submit at the same time.

    With one job, the tasks run in this process.
    """
    return (InProcess, 1) if jobs == 1 else (partial(processes, jobs), PER_WORKER * jobs)


def processes(jobs: int) -> Executor:
    """Return an executor that runs tasks in `jobs` worker processes.

    They are spawned, because fork(2) of a process with threads or greenlets is not safe.
    """
    return ProcessPoolExecutor(jobs, get_context("spawn"), _begin)


def _begin() -> None:
    """Set up a worker: ignore SIGINT, which the parent handles, and exit when the parent exits.

    Otherwise the workers of a ProcessPoolExecutor would wait forever after the parent is killed.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def cluster(address: str) -> tuple[Callable[[], Executor], int]:
    """Return a pair: a function that returns the executor of a dask cluster, and the number of chunks of
    seeds to submit at the same time.

    If a worker dies, the scheduler gives its chunk to another worker.  Raise SimulationError if dask is
    not installed or the scheduler does not answer.
    """
    try:
        import distributed
    except ImportError:
        text = "a scheduler needs dask.distributed: install simkernel[cluster]"
        raise SimulationError(text) from None
    try:
        make: Any = distributed.Client
        client = make(address, timeout=TIMEOUT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise SimulationError(f"no scheduler answers at {address!r}: {error}") from None
    workers = len(client.nthreads())
    if not workers:
        client.close()
        raise SimulationError(f"the scheduler at {address!r} has no workers: start one with `dask worker`")
    executor: Executor = client.get_executor(pure=False)
    return lambda: executor, PER_WORKER * workers
