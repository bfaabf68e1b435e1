"""Print how many runs each strategy needs for each planted bug: `python -m tests.planted [BUG ...]`.

A row has the medians of some series: the number of the first run that fails, and the CPU time up to it.
The plan is the smallest to which a failure shrinks.
"""

from __future__ import annotations

from argparse import ArgumentParser
from math import inf

from simkernel.explore.strategy import STRATEGIES
from tests.planted.bug import bugs
from tests.planted.series import SEEDS, SERIES, minimal_plan, series


def main() -> None:
    """Run the searches and print the table as Markdown, row by row."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("bugs", nargs="*", help="names of bugs (default: all)")
    parser.add_argument("--strategy", action="append", choices=STRATEGIES, help="all by default")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="number of seeds in a series")
    parser.add_argument("--series", type=int, default=SERIES, help="number of series")
    options = parser.parse_args()
    known = bugs()
    print("| bug | strategy | median runs | CPU s | minimal plan |\n|---|---|---|---|---|")
    for name in options.bugs or known:
        for strategy in options.strategy or STRATEGIES:
            found = series(known[name], strategy, options.seeds, options.series)
            plan = minimal_plan(known[name], found)
            runs = f"> {options.seeds}" if found.runs == inf else f"{found.runs:g}"
            seconds = "" if found.seconds == inf else f"{found.seconds:.2f}"
            print(f"| {name} | {strategy} | {runs} | {seconds} | {plan and f'`{plan}`'} |", flush=True)


if __name__ == "__main__":
    main()
