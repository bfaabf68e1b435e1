"""Fuzz simkernel's kernel with random messages and calls.

python -m tests.fuzz --messages 10000000 [--seed N]
python -m tests.fuzz --files --messages 1000000      calls on files instead of messages
python -m tests.fuzz --calls --messages 1000000      any call with any arguments, and any exception
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections import Counter
from random import Random

from tests.fuzz.call_session import CallSession, FacadeSession
from tests.fuzz.caller import Caller
from tests.fuzz.files import FileCaller
from tests.fuzz.session import Session

MESSAGES_PER_SESSION = 4000
"""Number of messages in a session."""


def main() -> int:
    """Run sessions and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--messages", type=int, default=100_000, metavar="N", help="%(default)s")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="%(default)s")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="number of the first session")
    parser.add_argument(
        "--files", action="store_true", help="fuzz calls on devices, pipes, unix sockets, paths and memory"
    )
    parser.add_argument("--calls", action="store_true", help="fuzz wrong arguments and exceptions")
    options = parser.parse_args()
    kind, name = (FileCaller, "f/") if options.files else (Caller, "")
    begun = time.monotonic()
    sent = 0
    number = options.first
    results: Counter[str] = Counter()
    while sent < options.messages:
        try:
            if options.calls:
                kind_of = FacadeSession if number % 4 == 3 else CallSession
                outcome = kind_of(Random(f"c/{options.seed}/{number}"), MESSAGES_PER_SESSION // 4).run()
            else:
                outcome = Session(Random(f"{name}{options.seed}/{number}"), MESSAGES_PER_SESSION, kind).run()
        except BaseException:  # noqa: BLE001 - whatever it is, it is a bug to be shown
            traceback.print_exc()
            print(f"BROKEN in session {number} of seed {options.seed}, after {sent} messages")
            return 1
        sent += outcome.messages
        results += outcome.results
        number += 1
    for what, count in sorted(results.items()):
        print(f"  {what:30} {count}")
    seconds = time.monotonic() - begun
    print(
        f"{sent} messages, {results.total()} calls, {number - options.first} sessions, "
        f"seed {options.seed}, {seconds:.0f} s: all held"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
