"""What one line of the table measures and nothing beside it, for a profiler:

    python -m cProfile -s tottime -m simkernel.bench round-trip
    python -m simkernel.bench round-trip 100000

The number says how often it is done; without one it takes about two seconds.
"""

from __future__ import annotations

import click

from simkernel.bench.stopwatch import how_often
from simkernel.bench.table import TABLE

SUBJECTS = {quantity.name: quantity.subject for quantity in TABLE}


@click.command(epilog=f"NAME is one of: {', '.join(SUBJECTS)}.")
@click.argument("name", type=click.Choice(list(SUBJECTS)), metavar="NAME")
@click.argument("times", type=click.IntRange(min=1), required=False)
def main(name: str, times: int | None) -> None:
    """Do what the line NAME of `simkernel bench` measures."""
    with SUBJECTS[name]() as work:
        if times is None:
            how_often(work, 1.0)
        else:
            work.run(times)


if __name__ == "__main__":
    main()
