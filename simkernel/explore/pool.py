"""Run a target (a test body or a scenario) once for each of many seeds. Chunks of seeds run on any executor
of `concurrent.futures`: local processes or a cluster.

A chunk takes about one second, so the cost of its dispatch is small.  A worker imports the target by name
once, runs the default plan, and keeps its profile.  It returns a batch of numbers and names, and no
objects of a run.  One run in SAMPLED is recorded and traced, which is slower than an ordinary run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from functools import lru_cache
from itertools import islice
from math import ceil
from threading import Lock
from time import process_time
from typing import Final

import attrs

from simkernel.engine import SimulationError
from simkernel.explore.explorer import Explorer
from simkernel.explore.faults import Faults
from simkernel.explore.run import NO_FAULTS, Outcome, Target
from simkernel.explore.strategy import Profile, draw

SAMPLED: Final = 16
"""The run of every SAMPLED-th seed is recorded and traced."""
CHUNK: Final = 1.0
"""CPU time in seconds that a chunk of seeds should take.  The number of seeds in a chunk is computed from the
mean time of the runs so far.
"""
MAX_DEATHS: Final = 3
"""Maximum number of workers that may die while they run the same chunk."""


_running: Final = Lock()
"""Lock that a thread holds while it runs plans, because a process can have only one active engine
(`PlannedEngine.active`).
"""


@attrs.frozen
class Job:
    """A search in a form that can be sent to a worker process: its target, strategy, fault rules and options.

    load      returns the target; it is pickled by name
    strategy  how a seed becomes a plan
    rules     fault rules for every run
    options   the options of every plan
    """

    load: Callable[[], Target]
    strategy: str = "swarm"
    rules: Faults = NO_FAULTS
    options: tuple[tuple[str, str], ...] = ()


@attrs.frozen
class Failure:
    """A failed run: its seed, its plan as text, and its exception in one line."""

    seed: int
    plan: str
    error: str


@attrs.frozen
class Batch:
    """The results of a chunk, a group of seeds that one worker runs.

    seeds                the seeds that ran; a failure ends the chunk
    seconds              CPU time of the runs
    schedules            (seed, digest of the order of points) of each sampled run
    tracepoints, faults  names of the tracepoints and fault points that sampled runs passed
    """

    seeds: tuple[int, ...]
    seconds: float
    failure: Failure | None
    schedules: tuple[tuple[int, str], ...]
    tracepoints: frozenset[str]
    faults: frozenset[str]


@lru_cache(maxsize=4)
def prepared(job: Job) -> tuple[Explorer, Outcome, Profile]:
    """Return the explorer that runs the target of a search job, the outcome of its base run (without
    perturbations), and the base run's profile (its points and stimuli).

    They are cached in this process.
    """
    explorer = Explorer(job.load(), rules=job.rules, plan_options=dict(job.options))
    base = explorer.base()
    return explorer, base, Profile.of(base)


def work(job: Job, seeds: tuple[int, ...]) -> Batch:
    """Run the plans of the given seeds until a run fails. This function runs in a worker process, or in the
    main process if there are no workers.
    """
    with _running:
        return _work(job, seeds)


def _work(job: Job, seeds: tuple[int, ...]) -> Batch:
    explorer, _, profile = prepared(job)
    began = process_time()
    ran, failure = [], None
    sampled: list[tuple[int, Outcome]] = []
    for seed in seeds:
        sample = seed % SAMPLED == 0
        plan = draw(job.strategy, seed, profile, dict(job.options))
        outcome = explorer.run(plan, record=sample, traced=sample)
        ran.append(seed)
        if sample:
            sampled.append((seed, outcome))
        if outcome.failure is not None:
            failure = Failure(seed, str(outcome.plan), one_line(outcome.failure))
            break
    return Batch(
        tuple(ran),
        process_time() - began,
        failure,
        tuple((seed, outcome.order) for seed, outcome in sampled),
        frozenset[str]().union(*(outcome.tracepoints for _, outcome in sampled)),
        frozenset[str]().union(*(outcome.hits for _, outcome in sampled)),
    )


def one_line(error: BaseException) -> str:
    """Return the type of an exception and the first line of its text."""
    text = str(error).partition("\n")[0]
    return f"{type(error).__name__}{text and f': {text}'}"


class Dispatcher:
    """Submits the seeds of a search job in chunks, and yields the results of each chunk when the chunk is
    complete.

    executor  makes the executor; it is called again after a worker process has died
    ahead     number of chunks that are submitted at the same time
    cost      CPU time of a run in seconds, for the first chunks
    """

    def __init__(self, executor: Callable[[], Executor], ahead: int, job: Job, cost: float) -> None:
        self._make = executor
        self._executor = executor()
        self._ahead = ahead
        self._job = job
        self._seconds, self._runs = cost, 1
        self._again: list[tuple[int, ...]] = []
        self._deaths: dict[tuple[int, ...], int] = {}
        self._pending: dict[Future[Batch], tuple[int, ...]] = {}

    def batches(self, seeds: Iterable[int], keep_running: Callable[[], bool]) -> Iterator[Batch]:
        """Run the seeds in chunks.  Yield the batch of results of each chunk when the chunk is complete.

        When `keep_running()` returns false, stop submitting and wait for the rest.

        Raise SimulationError if more than MAX_DEATHS workers die while they run the same chunk.
        """
        chunks = self._chunks(iter(seeds), keep_running)
        try:
            self._submit(chunks)
            while self._pending:
                done, _ = wait(self._pending, return_when=FIRST_COMPLETED)
                for future in done:
                    if future not in self._pending:  # an earlier `_replace` has queued this chunk again
                        continue
                    try:
                        batch = future.result()
                    except BrokenExecutor:
                        self._replace(list(self._pending.values()))
                        continue
                    del self._pending[future]
                    self._seconds += batch.seconds
                    self._runs += len(batch.seeds)
                    yield batch
                self._submit(chunks)
        finally:
            self._stop()

    def _chunks(self, seeds: Iterator[int], keep_running: Callable[[], bool]) -> Iterator[tuple[int, ...]]:
        while keep_running():
            chunk = tuple(islice(seeds, ceil(CHUNK * self._runs / self._seconds)))
            if not chunk:
                return
            yield chunk

    def _submit(self, chunks: Iterator[tuple[int, ...]]) -> None:
        while len(self._pending) < self._ahead:
            chunk = self._again.pop() if self._again else next(chunks, None)
            if chunk is None:
                return
            try:
                self._pending[self._executor.submit(work, self._job, chunk)] = chunk
            except BrokenExecutor:
                self._replace([chunk, *self._pending.values()])

    def _stop(self) -> None:
        for future in self._pending:
            future.cancel()
        self._pending.clear()
        self._executor.shutdown(wait=False)

    def _replace(self, lost: list[tuple[int, ...]]) -> None:
        """Replace a broken executor.  Queue the lost chunks of seeds again."""
        self._stop()
        self._again += lost
        for chunk in lost:
            self._deaths[chunk] = self._deaths.get(chunk, 0) + 1
            if self._deaths[chunk] > MAX_DEATHS:
                text = f"{MAX_DEATHS + 1} workers have died while seeds {chunk[0]} to {chunk[-1]} ran"
                raise SimulationError(f"{text}: run these seeds with --jobs 1 to see why")
        self._executor = self._make()
