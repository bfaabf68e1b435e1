"""This host's kernel against simkernel, with the same random calls.

python -m tests.conformance.live --steps 1000000 [--seed N] [--strict]
"""

from __future__ import annotations

import argparse
import sys

from tests.conformance.live.hosts import find_host
from tests.conformance.live.render import case_of
from tests.conformance.live.search import Search


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.live", description=__doc__)
    parser.add_argument("--steps", type=int, default=20_000, help="calls to compare (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="%(default)s")
    parser.add_argument("--first", type=int, default=0, help="the number of the first example")
    parser.add_argument("--most", type=int, default=3, help="differences to show before giving up")
    options = parser.parse_args()
    host = find_host()
    if isinstance(host, str):
        print(f"SKIPPED: {host}")
        return 0
    search = Search(host, options.seed)
    found = 0
    for finding in search.run(options.steps, first=options.first):
        found += 1
        print(case_of(finding.program, finding.difference, finding.origin))
        print(flush=True)
        if found >= options.most:
            break
    for line in search.reached.lines():
        print(line)
    print(f"{search.calls} calls, {search.examples} examples, {search.seconds:.1f} s, {found} differences")
    print(search.unmodelled, search.deviations, search.passing)
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
