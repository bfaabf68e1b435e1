"""Chunks of seeds on an executor: every executor gives the same results, and a dead worker loses no chunk."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

import pytest

from simkernel import SimulationError
from simkernel.explore import pool
from simkernel.explore.cluster import InProcess, processes
from simkernel.explore.pool import Batch, Dispatcher, Job
from tests.explore.workers import Deadly, racy, sound


def always() -> bool:
    return True


def results(batches: list[Batch]) -> set[tuple[int, str | None]]:
    """Return (seed, digest of the schedule) for each seed that ran. The digest is None if the search did not
    record the schedule of this run.
    """
    return {(seed, dict(batch.schedules).get(seed)) for batch in batches for seed in batch.seeds}


def dispatch(job: Job, make: Callable[[], Executor], workers: int, last: int, cost: float) -> list[Batch]:
    return list(Dispatcher(make, workers, job, cost).batches(range(1, last + 1), always))


def test_every_seed_runs_once_and_one_of_sixteen_is_sampled() -> None:
    batches = dispatch(Job(sound), InProcess, 1, 40, 0.1)
    assert sorted(seed for batch in batches for seed in batch.seeds) == [*range(1, 41)]
    assert [seed for batch in batches for seed, _ in batch.schedules] == [16, 32]
    assert all(batch.tracepoints for batch in batches if batch.schedules)


def test_chunks_grow_to_the_same_amount_of_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "CHUNK", 0.1)
    batches = dispatch(Job(sound), InProcess, 1, 100, 0.05)
    sizes = [len(batch.seeds) for batch in batches]
    assert sizes[0] == 2
    assert max(sizes) > 6


def test_a_failure_ends_its_chunk_and_has_its_plan() -> None:
    [batch] = dispatch(Job(racy), InProcess, 1, 400, 0.001)
    assert batch.failure is not None
    assert batch.seeds[-1] == batch.failure.seed < 400
    assert "requests were counted" in batch.failure.error


def test_nothing_is_submitted_any_more_when_the_search_shall_end() -> None:
    keep_running = iter([True, True, False])
    batches = list(
        Dispatcher(InProcess, 1, Job(sound), 0.5).batches(range(1, 1000), lambda: next(keep_running))
    )
    assert sum(len(batch.seeds) for batch in batches) < 100


@pytest.mark.long
def test_processes_have_the_same_results_as_this_process() -> None:
    here = dispatch(Job(sound), InProcess, 1, 64, 0.1)
    there = dispatch(Job(sound), partial(processes, 2), 2, 64, 0.1)
    assert results(here) == results(there)


@pytest.mark.long
def test_a_worker_that_dies_loses_nothing(tmp_path: Path) -> None:
    batches = dispatch(Job(Deadly(tmp_path, seed=9)), partial(processes, 2), 2, 32, 0.2)
    assert len(list(tmp_path.iterdir())) == 1
    assert sorted(seed for batch in batches for seed in batch.seeds) == [*range(1, 33)]


@pytest.mark.long
def test_a_run_that_always_kills_its_worker_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "MAX_DEATHS", 1)
    with pytest.raises(SimulationError, match=r"2 workers have died while seeds .* ran"):
        dispatch(Job(Deadly(tmp_path, seed=1, times=99)), partial(processes, 2), 2, 4, 1.0)
