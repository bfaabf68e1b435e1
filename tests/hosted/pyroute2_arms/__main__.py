"""Run pyroute2's own integration tests on Linux and on simkernel, and print a table of the results.

    python -m tests.hosted.pyroute2_arms [--arms host,uml,simkernel] [--suites test_linux] [-k EXPRESSION]

The tests come from a checkout of pyroute2's repository, at PYROUTE2_TREE or in the directory to which
.ci/run clones it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.hosted.pyroute2_arms import arms
from tests.hosted.pyroute2_arms.reasons import reason


def table(found: dict[str, arms.Results]) -> list[tuple[str, ...]]:
    """Return a row for each test: its name, its result on each kernel, and the reason if the test cannot pass
    on simkernel.
    """
    tests = dict.fromkeys(test for results in found.values() for test in results)
    rows = []
    for test in tests:
        results = [results.get(test, ("-", ""))[0] for results in found.values()]
        rows.append((test, *results, reason(test) if results[-1] != "pass" else ""))
    return rows


def main() -> None:
    """Run the tests. Print the results of each test, and how many tests have the same results. With --errors,
    also print the errors on simkernel.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--arms", default="host,uml,simkernel")
    parser.add_argument("--suites", default=",".join(arms.SUITES))
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir(), "pyroute2-arms"))
    parser.add_argument(
        "--errors", action="store_true", help="print the last line of each error on simkernel"
    )
    parser.add_argument("-k", dest="expression", default="")
    parser.add_argument("--homepage", action="store_true", help="print the address of pyroute2's repository")
    options = parser.parse_args()
    if options.homepage:
        print(arms.homepage())
        return
    more = ["-k", options.expression] if options.expression else []
    try:
        tree = arms.find_tree()
        found = {
            arm: arms.run(arm, tree, options.work, options.suites.split(","), more)
            for arm in options.arms.split(",")
        }
    except arms.Unavailable as error:
        sys.exit(str(error))
    rows = table(found)
    print(*("test", *found, "reason"), sep=" | ")
    for row in rows:
        print(*row, sep=" | ")
        if options.errors and row[-2] == "FAIL":
            print("   ", list(found.values())[-1][row[0]][1])
    for combination, count in Counter(row[1:-1] for row in rows).most_common():
        print(count, *(f"{arm}: {result}" for arm, result in zip(found, combination, strict=True)), sep=", ")


if __name__ == "__main__":
    main()
