"""`simkernel explore`: run a target with many different perturbations (plans), and print the command that
replays the first failure.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import count
from time import process_time
from typing import Any, Final

import click

from simkernel.cli.blame import Blame
from simkernel.cli.exits import FAILED
from simkernel.cli.options import file_option
from simkernel.cli.replay import show
from simkernel.cli.searching import Progress, TimeOver, note
from simkernel.cli.targets import Named, rules, seconds, shard, target_options
from simkernel.engine import SimulationError
from simkernel.explore import cluster
from simkernel.explore.explorer import Explorer, Found, Held
from simkernel.explore.faults import Faults
from simkernel.explore.plan import Plan
from simkernel.explore.pool import Dispatcher, Job, prepared
from simkernel.explore.run import NO_FAULTS
from simkernel.explore.store import Store, code_digest
from simkernel.explore.strategy import STRATEGIES

SEEDS: Final = 1000
"""Number of runs if neither --seeds nor --time is given."""
RESULTS: Final = "simkernel-explore.sqlite"
PAUSES: Final = 2


@click.command("explore", short_help="Search for a plan under which a scenario or test fails.")
@target_options
@click.option(
    "--seeds", type=click.IntRange(min=1), metavar="N", help=f"Run the seeds 1 to N.  [default: {SEEDS}]"
)
@click.option("--time", "limit", metavar="T", callback=seconds, help="Stop after T, such as 90s, 10m or 2h.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="J",
    help="Number of processes.  [default: one for each CPU]",
)
@click.option("--shard", metavar="I/N", callback=shard, help="Run the I-th of N shares of the seeds.")
@click.option(
    "--strategy",
    type=click.Choice([*STRATEGIES]),
    default="swarm",
    show_default=True,
    help="Strategy that draws a plan from a seed.",
)
@click.option(
    "--faults", metavar="RULES", callback=rules, help="Fault rules, as `open:nth=3|sleep.eintr:p=.05`."
)
@click.option("--cpus", type=click.IntRange(min=1), metavar="N", help="Number of CPUs of the machine.")
@click.option("--systematic", is_flag=True, help=f"Run every plan of up to {PAUSES} pauses, in one process.")
@click.option("--guided", is_flag=True, help="Draw changes of plans by coverage, in one process.")
@click.option("--scheduler", metavar="ADDRESS", help="Run on a dask.distributed cluster.")
@file_option("--results", default=RESULTS, show_default=True, help="The file of the results.")
def command(
    target: str,
    seeds: int | None,
    limit: float | None,
    jobs: int | None,
    shard: tuple[int, int],
    strategy: str,
    faults: Faults,
    cpus: int | None,
    systematic: bool,
    guided: bool,
    scheduler: str | None,
    results: str,
    module_path: tuple[str, ...],
) -> None:
    """Run TARGET under many plans until one fails. TARGET is a scenario by name or file, or a test by its
    node id.

    The command shrinks the plan of the first failure, and prints a line that replays it.  After an
    interrupt, the same command continues the search.
    """
    _check(alone := "--systematic" if systematic else "--guided" if guided else "", locals())
    named = Named(target, module_path)
    total = seeds if seeds or limit else SEEDS
    with Blame(False):
        options = () if cpus is None else (("cpus", str(cpus)),)
        job = Job(named, strategy, NO_FAULTS | named.rules() | faults, options)
        if alone:
            found = _alone(job, systematic, total, Progress(None if systematic else total, limit))
        else:
            numbers = range(shard[0], total + 1, shard[1]) if total else count(*shard)
            found = _spread(job, numbers, jobs, scheduler, results, limit)
        if found is not None:
            show(named, found)
            sys.exit(FAILED)


def _check(alone: str, given: Mapping[str, Any]) -> None:
    """Raise UsageError for options that exclude each other."""
    if given["systematic"] and given["guided"]:
        raise click.UsageError("--systematic and --guided exclude each other: leave one out")
    if alone and (given["scheduler"] or (given["jobs"] or 1) > 1 or given["shard"] != (1, 1)):
        raise click.UsageError(f"{alone} runs in one process: leave --jobs, --scheduler and --shard out")
    if given["scheduler"] and given["jobs"]:
        raise click.UsageError("--scheduler uses the workers of its cluster: leave --jobs out")
    drawn = given["seeds"] or given["strategy"] != "swarm" or given["faults"] != NO_FAULTS
    if given["systematic"] and drawn:
        raise click.UsageError("--systematic tries every plan: leave --seeds, --strategy and --faults out")


def _alone(job: Job, systematic: bool, total: int | None, progress: Progress) -> Found | None:
    """Run plans in this process until a run fails. Write no results to a file."""
    explorer = Explorer(
        job.load(),
        rules=job.rules,
        watch=progress.watch,
        plan_options=dict(job.options),
        traced=not systematic,
    )
    result: Found | Held | None = None
    with progress.bar(), suppress(TimeOver):
        if systematic:
            result = explorer.systematic(PAUSES)
        else:
            result = explorer.guided(count(1) if total is None else range(1, total + 1), job.strategy)
    click.echo(progress.summary())
    if isinstance(result, Found):
        return result
    if result is not None and result.exhausted:
        click.echo(f"no plan of up to {PAUSES} pauses fails: the space is exhausted")
    else:
        click.echo("no run failed")
    return None


def _spread(
    job: Job,
    numbers: Iterable[int],
    jobs: int | None,
    scheduler: str | None,
    results: str,
    limit: float | None,
) -> Found | None:
    """Run plans in a pool of processes or on a cluster until a run fails. Store the results in a file."""
    prepared.cache_clear()  # load the target again
    explorer, base, _ = prepared(job)
    if base.failure is not None:
        click.echo("the default run fails" if not base.plan.stimuli else "the run with late stimuli fails")
        return explorer.found(base)
    began = process_time()
    explorer.default()
    cost = process_time() - began
    key = {"strategy": job.strategy, "faults": job.rules.json(), "options": job.options}
    try:
        made = cluster.local(jobs or os.cpu_count() or 1) if scheduler is None else cluster.cluster(scheduler)
        store = Store(results, str(job.load), code_digest(), json.dumps(key))
    except SimulationError as error:
        raise click.UsageError(str(error)) from None
    with store:
        if store.runs_of_other_code:
            note(f"{results} has {store.runs_of_other_code} runs of other code, which do not count")
        done = store.seeds()
        progress = Progress(len(numbers) if isinstance(numbers, range) else None, limit, len(done))
        progress.take(store.schedules(), store.coverage("tracepoint"), store.coverage("fault"))
        if done:
            note(f"{results} has {len(done)} runs of this search, which are not run again")
        if store.first_failure() is None:
            left = (seed for seed in numbers if seed not in done)
            try:
                with progress.bar():
                    for batch in Dispatcher(*made, job, cost).batches(left, progress.keep_running):
                        store.add(batch)
                        progress.add(batch)
            except KeyboardInterrupt:
                note(f"\n{len(store.seeds())} runs are in {results}: the same command continues")
                raise
            click.echo(progress.summary())
        failure = store.first_failure()
    if failure is None:
        click.echo("no run failed")
        return None
    click.echo(f"the run of seed {failure.seed} fails: {failure.error}")
    outcome = explorer.run(Plan.parse(failure.plan))
    if outcome.failure is None:
        text = f"the plan {failure.plan} failed before, and does not fail again"
        raise SimulationError(f"{text}: a run of the target must depend only on the plan")
    return explorer.found(outcome)
