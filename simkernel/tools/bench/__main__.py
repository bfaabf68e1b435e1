"""Run the operation that one line of the benchmark measures, so that a profiler can observe it.

    python -m simkernel.tools.bench round-trip 100000
    python -m simkernel.tools.bench --profile round-trip

The number is the number of iterations.  By default, the run takes about two seconds.
"""

from __future__ import annotations

import cProfile

import click

from simkernel.tools.bench.stopwatch import iterations_for
from simkernel.tools.bench.table import TABLE

SUBJECTS = {quantity.name: quantity.subject for quantity in TABLE}


@click.command(epilog=f"NAME is one of: {', '.join(SUBJECTS)}.")
@click.argument("name", type=click.Choice(list(SUBJECTS)), metavar="NAME")
@click.argument("times", type=click.IntRange(min=1), required=False)
@click.option("--profile", is_flag=True, help="Print where the time goes once everything is set up.")
def main(name: str, times: int | None, profile: bool) -> None:
    """Run the operation NAME. `simkernel bench` prints its time in the table row NAME."""
    with SUBJECTS[name]() as work:
        work.run(1)  # warm up: some files are read once per process
        work.cleanup()
        times = times or iterations_for(work, 1.0)
        if profile:
            with cProfile.Profile() as profiler:
                work.run(times)
            profiler.print_stats("tottime")
        else:
            work.run(times)


if __name__ == "__main__":
    main()
