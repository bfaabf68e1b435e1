"""Command line of the conformance suite.

python -m tests.conformance                      check simkernel against the recordings, print a table
python -m tests.conformance check --world M:F    check any other world
python -m tests.conformance live                 compare with the real kernels directly (Linux, root)
python -m tests.conformance record               record all cases on this kernel (Linux, root)
python -m tests.conformance record --oracle uml-6.12    record the cases of User-mode Linux
python -m tests.conformance list                 list all cases with their descriptions
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.conformance import recording
from tests.conformance import world as worlds
from tests.conformance.case import Case, load_cases
from tests.conformance.runner import Outcome, difference, run
from tests.conformance.world import Factory

DEFAULT_WORLD = "tests.conformance.simulated:simulated"
RESULTS = ("passed", "failed", "skipped")


def compare(
    cases: Sequence[Case], factory: Factory, reference: Callable[[Case], Outcome], limit: float
) -> bool:
    """Run each case on the kernel under test, which `factory` creates. Compare the outcome with the expected
    outcome, which `reference` returns, and print a table of the results. Return True if at least one case
    passed and no case failed.
    """
    by_area: dict[str, Counter[str]] = {}
    for case in cases:
        counts = by_area.setdefault(case.area, Counter())
        got = run(case, factory, limit)
        if got.skipped is not None:
            counts["skipped"] += 1
            print(f"skip {case.name}: {got.skipped}")
            continue
        wanted = reference(case)
        if wanted.skipped is not None:
            counts["skipped"] += 1
            print(f"skip {case.name}: the oracle: {wanted.skipped}")
            continue
        problem = difference(wanted, got)
        counts["failed" if problem else "passed"] += 1
        counts["observations"] += len(wanted.observations)
        if problem:
            print(f"FAIL {case.name}: {problem}")
    return _table(by_area)


def _table(by_area: dict[str, Counter[str]]) -> bool:
    columns = ("observations", *RESULTS)
    print(f"{'area':16}" + "".join(f"{column:>14}" for column in columns))
    for area, counts in by_area.items():
        print(f"{area:16}" + "".join(f"{counts[column]:14}" for column in columns))
    total = sum(by_area.values(), Counter[str]())
    print(f"{'all':16}" + "".join(f"{total[column]:14}" for column in columns))
    if total["skipped"]:
        print(f"{total['skipped']} skipped")
    print(f"{total['passed']} passed, {total['failed']} failed")
    return total["passed"] > 0 and not total["failed"]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("mode", nargs="?", default="check", choices=["check", "live", "record", "list"])
    parser.add_argument("--world", default=DEFAULT_WORLD, metavar="MODULE:CALLABLE", help="%(default)s")
    parser.add_argument("--recording", type=Path, metavar="FILE", help="recording to use for all cases")
    parser.add_argument(
        "--oracle", default=recording.HOST, choices=recording.ORACLES, help="what to record (%(default)s)"
    )
    parser.add_argument(
        "-k", dest="pattern", default="", metavar="TEXT", help="only cases whose name contains this text"
    )
    parser.add_argument(
        "-m",
        dest="mark",
        metavar="MARK",
        help="only cases with this mark, or with '!MARK' only those without it",
    )
    parser.add_argument("--limit", type=float, default=10.0, metavar="SECONDS", help="for each case")
    parser.add_argument("--repeat", type=int, default=20, metavar="N", help="runs per case when recording")
    options = parser.parse_args()
    if options.mode == "record" and options.mark:
        parser.error("record has no option -m: use -k TEXT to record only the cases with TEXT in their names")
    return options


def _chosen(options: argparse.Namespace) -> list[Case]:
    cases = [case for case in load_cases() if options.pattern in case.name]
    if options.mark:
        wanted = not options.mark.startswith("!")
        cases = [case for case in cases if (options.mark.lstrip("!") in case.marks) == wanted]
    return cases


def main() -> int:
    """Execute the mode of the command line (check, live, record or list) and return the exit status."""
    options = _options()
    cases = _chosen(options)
    if options.mode == "list":
        for case in cases:
            print(f"{case.name:45} {'privileged  ' if case.privileged else 'unprivileged'} {case.about}")
        return 0
    if options.mode == "record":
        path = options.recording or recording.path_of(options.oracle)
        failed = recording.record(
            cases,
            path,
            options.oracle,
            limit=options.limit,
            repeat=options.repeat,
            only=bool(options.pattern),
        )
        return int(failed > 0)
    try:
        factory = worlds.load(options.world)
    except (ImportError, AttributeError, ValueError) as error:
        print(f"no world {options.world}: {type(error).__name__}: {error}")
        return 1
    if options.world == DEFAULT_WORLD:
        # Read shared files here. Otherwise each case would read them again, because it forks a child.
        with factory():
            pass
    if options.mode == "live":
        oracles = {name: worlds.load(world) for name, world in recording.ORACLES.items()}
        return int(
            not compare(
                cases, factory, lambda case: run(case, oracles[case.oracle], options.limit), options.limit
            )
        )
    reference = recording.load(options.recording).outcome if options.recording else recording.recorded
    return int(not compare(cases, factory, reference, options.limit))


if __name__ == "__main__":
    sys.exit(main())
