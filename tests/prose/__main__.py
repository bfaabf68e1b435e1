"""Print a sample of the project's prose for a reader, or the breaches of mechanical rules.

python -m tests.prose sample --seed N [--count 200] [--tests]
    Print items drawn at random, for a reader without knowledge of the code.
python -m tests.prose check [PATH...]
    Print the breaches of the mechanical rules in these files and folders.

Mark each item of a sample that had to be read twice. The share of marked items is the figure.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

from tests.prose.items import items
from tests.prose.rules import breaches

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Execute the command that the arguments name. Return 1 if `check` finds a breach, otherwise 0."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.prose",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    sample = commands.add_parser("sample", help="draw items at random")
    sample.add_argument("--seed", type=int, required=True, help="seed of the drawing")
    sample.add_argument("--count", type=int, default=200, help="number of items (200)")
    sample.add_argument("--tests", action="store_true", help="draw from the tests too")
    check = commands.add_parser("check", help="apply the mechanical rules")
    check.add_argument("paths", nargs="*", help="files and folders (everything)")
    args = parser.parse_args()
    if args.command == "sample":
        everything = list(items(ROOT, args.tests))
        if not 0 < args.count <= len(everything):
            parser.error(f"--count {args.count}: give 1 to {len(everything)}")
        for number, item in enumerate(random.Random(args.seed).sample(everything, args.count), 1):
            print(f"{number}. {item}")
        print(f"{args.count} of {len(everything)}")
        return 0
    found = [
        f"{item}\n   ** {', '.join(broken)}"
        for item in items(ROOT, tests=True)
        if not args.paths or item.path.startswith(tuple(path.rstrip("/") for path in args.paths))
        if (broken := list(breaches(item)))
    ]
    print("\n".join([*found, f"{len(found)} breaches"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
