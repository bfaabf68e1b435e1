"""Compare simkernel with this host's kernel: make random calls on both and compare every result.

python -m tests.conformance.live --steps 1000000 [--seed N] [--strict]
python -m tests.conformance.live --messages 1000000          only messages to nlctrl
python -m tests.conformance.live --links --steps 1000000     changes of links, addresses, routes
python -m tests.conformance.live --links --areas addresses,routes,routes,rules --steps 100000
python -m tests.conformance.live --programs --steps 300000   files, pipes, unix sockets, epoll, processes
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from random import Random
from typing import Final

from tests.conformance import recording
from tests.conformance.live.coverage import Reached
from tests.conformance.live.deviations import DEVIATIONS
from tests.conformance.live.generator import Generator, nlctrl_program
from tests.conformance.live.hosts import Host, find_host
from tests.conformance.live.links.program import AREAS, link_program
from tests.conformance.live.programs import render as programs_render
from tests.conformance.live.programs import search as programs
from tests.conformance.live.render import case_of
from tests.conformance.live.replay import is_of_series, replay
from tests.conformance.live.search import Draw, Search
from tests.conformance.live.steps import Program

SKIPPED: Final = "SKIPPED"
"""Prefix of an output line that reports an omitted comparison and the reason."""

NO_PRIVILEGE: Final = (
    f"{SKIPPED} without root: everything that needs privilege or a new namespace (uevents, routes, "
    "network devices), and the recorded cases"
)
LIMIT: Final = 4.0
"""Maximum duration in seconds of an example (one random program on both kernels). The host's kernel probes a
neighbour after 5 s, and then its results differ from simkernel's.
"""
MIN_COUNT: Final = 100
"""A result is listed as rare if it occurs fewer times than this number."""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance.live",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--steps", type=int, default=100_000, help="number of calls to compare (%(default)s)")
    parser.add_argument(
        "--messages", type=int, metavar="N", help="send this number of messages to nlctrl instead"
    )
    parser.add_argument("--links", action="store_true", help="change links, addresses and routes instead")
    parser.add_argument(
        "--areas",
        type=_areas,
        default=(),
        metavar="AREA,...",
        help=f"with --links: change these only, each as often as it is named: {', '.join(AREAS)}",
    )
    parser.add_argument(
        "--programs", action="store_true", help="compare programs on files, sockets and processes instead"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="%(default)s")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="number of the first example")
    parser.add_argument(
        "--most", type=int, default=5, metavar="N", help="end after this number of differences"
    )
    parser.add_argument(
        "--strict", action="store_true", help="count differences as failures on kernels of any series"
    )
    parser.add_argument("--no-replay", action="store_true", help="do not replay the recorded cases first")
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="do not print the table of calls and results"
    )
    return parser.parse_args()


def _areas(text: str) -> tuple[str, ...]:
    """Parse the names of areas, separated by commas."""
    names = tuple(text.split(","))
    unknown = sorted(set(names) - AREAS.keys())
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown area {unknown[0]!r}; the areas are {', '.join(AREAS)}")
    return names


def main() -> int:
    """Run the selected search and return the exit status."""
    options = _options()
    if options.programs:
        return search_programs(options)
    host = find_host()
    if isinstance(host, str):
        print(f"{SKIPPED}: {host}")
        return 0
    if options.links and not host.privileged:
        print(f"{SKIPPED}: changes of links need namespaces, which need root")
        return 0
    if not host.privileged:
        print(NO_PRIVILEGE)
    replayed = replay() if host.privileged and not options.no_replay else None
    if replayed is not None:
        print("\n".join(replayed.lines()))
        host.scope = host.scope.without(replayed.areas)
    search = Search(
        host,
        options.seed,
        _draw(host, options),
        **({"limit": LIMIT, "patience": 400} if options.links else {}),
    )
    found = _search(search, options)
    _report(search, options)
    return int(found > 0 and _counts(options))


def search_programs(options: argparse.Namespace) -> int:
    """Compare random programs on files, sockets and processes. Return the exit status."""
    try:
        search = programs.Search(options.seed)
    except OSError as error:
        print(f"{SKIPPED}: {error}")
        return 0
    found = 0
    try:
        for finding in search.run(options.steps, options.first):
            found += 1
            print(f"\n{programs_render.case_of(finding)}\n", flush=True)
            if found >= options.most:
                break
    finally:
        search.close()
    print(
        f"{search.steps} steps compared, {search.examples} examples, seed {search.seed}, "
        f"{search.seconds:.1f} s, {search.steps / search.seconds:.0f} steps/s: {found} differences"
    )
    if not options.quiet:
        print("\n".join(search.reached.lines()))
        _report_rare(search.reached)
    for what, count in search.unmodelled.most_common():
        print(f"example ended early {count} times: {what}")
    if search.passing:
        print(f"{search.passing} differences did not occur again")
    return int(found > 0 and _counts(options))


def _draw(host: Host, options: argparse.Namespace) -> Draw:
    if options.links:
        return partial(link_program, areas=options.areas)
    if options.messages is not None:
        return partial(nlctrl_program, privileged=host.privileged)
    return partial(_any_program, host)


def _any_program(host: Host, random: Random) -> Program:
    return Generator(random, privileged=host.privileged, scope=host.scope).program()


def _search(search: Search, options: argparse.Namespace) -> int:
    """Run the search, print each difference as the source code of a case, and return the number of
    differences.
    """
    found = 0
    findings = search.run(options.steps, first=options.first, messages=options.messages)
    for finding in findings:
        found += 1
        print(f"\n{case_of(finding.program, finding.difference, finding.origin)}\n", flush=True)
        if found >= options.most:
            break
    print(
        f"{search.calls} calls compared, {search.messages} messages sent to the kernel, "
        f"{search.examples} examples, seed {search.seed}, {search.seconds:.1f} s: {found} differences"
    )
    return found


def _report(search: Search, options: argparse.Namespace) -> None:
    if not options.quiet:
        print("\ncall x result, of the real kernel:")
        print("\n".join(search.reached.lines()))
        _report_rare(search.reached)
    share = search.reached.share_of_deep_messages
    print(f"messages with valid headers: {share:.0%}")
    print("known and intended deviations:")
    for deviation in DEVIATIONS:
        print(f"  {deviation.name} ({search.deviations[deviation.name]} times): {deviation.reason}")
    for what, count in search.unmodelled.most_common():
        print(f"example ended early {count} times: {what}")
    if search.disturbed:
        print(f"{search.disturbed} examples were disturbed by uevents of other processes")
    if search.chance:
        print(f"{search.chance} differences depended on the port ids that the kernels chose")
    if search.slow:
        print(f"{search.slow} differences were in examples that took longer than {LIMIT:g} s")
    if search.passing:
        print(f"{search.passing} differences did not occur again")


def _report_rare(reached: Reached) -> None:
    """Print the results that occurred fewer than `MIN_COUNT` times."""
    rare = reached.rare(MIN_COUNT)
    often = reached.kinds - len(rare)
    print(f"{reached.kinds} results of {reached.calls} calls; {often} occurred {MIN_COUNT} times or more")
    for call, result, count in rare:
        print(f"  but not {call}: {result} {count}")


def _counts(options: argparse.Namespace) -> bool:
    """Return True if differences count as failures, because the recorded results are from this host's kernel
    series or --strict is set. Otherwise print that they do not count.
    """
    if options.strict or is_of_series(recording.load().series):
        return True
    print(
        "differences do not count as failures, because the recorded results are from another kernel series "
        "than this host's kernel; --strict counts them"
    )
    return False


if __name__ == "__main__":
    sys.exit(main())
