"""A search on a dask.distributed cluster: a killed worker loses nothing, and dispatch costs little."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from simkernel import SimulationError
from simkernel.explore.cluster import InProcess, cluster
from simkernel.explore.pool import Batch, Dispatcher, Job
from tests.explore.test_pool import always, results
from tests.explore.workers import sound

ROOT = Path(__file__).parents[2]
SEEDS = range(1, 3001)

pytestmark = pytest.mark.long


class Cluster:
    """A scheduler and two workers, each a process."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._stack = stack
        self._contact = str(folder / "scheduler.json")
        self._folder = folder
        arguments = ["--port", "0", "--no-dashboard", "--host", "127.0.0.1"]
        self.scheduler = self._start("scheduler", *arguments, "--scheduler-file", self._contact)
        self.workers = [self._worker() for _ in range(2)]

    def _worker(self) -> subprocess.Popen[bytes]:
        return self._start(
            "worker", "--scheduler-file", self._contact, "--no-nanny", "--nthreads", "1", "--no-dashboard"
        )

    def _start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{name}", *arguments]
        process = subprocess.Popen(
            command, cwd=self._folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL
        )
        self._stack.callback(process.wait, 60)
        self._stack.callback(process.kill)
        return process

    def address(self) -> str:
        """Return the scheduler's address after both workers have connected."""
        from distributed import Client

        with Client(scheduler_file=self._contact, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
            address: str = client.scheduler.address
        return address


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Cluster]:
    pytest.importorskip("distributed")
    with ExitStack() as stack:
        yield Cluster(tmp_path, stack)


def cpu(process: subprocess.Popen[bytes]) -> float:
    """Return the CPU time of a process, in seconds."""
    import psutil  # psutil is a dependency of the package `distributed`

    times = psutil.Process(process.pid).cpu_times()
    return float(times.user + times.system)


def test_a_killed_worker_loses_nothing_and_dispatch_costs_little(started: Cluster) -> None:
    make, ahead = cluster(started.address())
    assert ahead == 4
    idle = -cpu(started.scheduler)
    time.sleep(5)
    idle = (idle + cpu(started.scheduler)) / 5
    batches: list[Batch] = []
    before = began = scheduler = 0.0
    for batch in Dispatcher(make, ahead, Job(sound), 0.02).batches(SEEDS, always):
        batches.append(batch)
        if len(batches) == 1:  # the scheduler has imported the job's code: measure from here
            before, scheduler, began = time.process_time(), cpu(started.scheduler), time.monotonic()
        if len(batches) == 3:
            started.workers[0].kill()
    seconds = sum(batch.seconds for batch in batches[1:])
    client = time.process_time() - before
    scheduler = max(0, cpu(started.scheduler) - scheduler - idle * (time.monotonic() - began))
    print(
        f"{len(batches)} chunks, {seconds:.1f} s of work.  CPU time of dispatch: client {client:.3f} s, "
        f"scheduler {scheduler:.3f} s beyond {idle:.3f} s a second when idle: "
        f"{100 * (client + scheduler) / seconds:.2f} %"
    )
    assert sorted(seed for batch in batches for seed in batch.seeds) == [*SEEDS]
    here = [*Dispatcher(InProcess, 1, Job(sound), 0.02).batches(range(1, 65), always)]
    assert results(here) == {each for each in results(batches) if each[0] <= 64}
    # On a quiet host, the CPU time of dispatch is 0.7 % of the time of the work.
    # On a loaded host, the same instructions of dispatch take up to twice the CPU time.
    assert client + scheduler < 0.02 * seconds


def test_a_scheduler_that_does_not_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("simkernel.explore.cluster.TIMEOUT", 1)
    with pytest.raises(SimulationError, match=r"no scheduler answers at 'tcp://127.0.0.1:1'"):
        cluster("tcp://127.0.0.1:1")
    with pytest.raises(SimulationError, match="no scheduler answers at 'nowhere'"):
        cluster("nowhere")
