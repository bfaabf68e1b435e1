"""Pinned searches: random programs of the live search, and for each program a digest of its results on
simkernel.

`tests/conformance/live` compares such programs with the kernel of a host that runs the tests.  A digest
needs no host, and covers the results, the clock and the counters of the machine.  Linux 6.18 has the same
results: the programs are those of seed 16, so that `python -m tests.conformance.live --links --seed 16`
compares them.

`python -m tests.conformance.pinned` writes the digests again, after a deliberate change.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any, Final
from unittest.mock import patch

from simkernel import Machine, seconds
from simkernel.engine import Deadlock, NotModelled
from simkernel.testing import World
from tests.conformance.live.actor import Actor
from tests.conformance.live.areas import Scope
from tests.conformance.live.generator import Generator, nlctrl_program
from tests.conformance.live.hosts import SHARED_PROTOCOLS, _settle
from tests.conformance.live.links.program import AREAS, link_program
from tests.conformance.live.links.settle import DAD_DELAY
from tests.conformance.live.programs import generator as programs
from tests.conformance.live.programs.search import LENGTH
from tests.conformance.live.programs.sides import SimulatedSide
from tests.conformance.live.steps import Program

FILE: Final = Path(__file__).parent / "recorded" / "pinned.json"
SEED: Final = 16
PID: Final = 1000
SEQUENCE: Final = 2000
SCOPE: Final = Scope(SHARED_PROTOCOLS)

DRAWS: Final[dict[str, Callable[[Random], Program]]] = {
    "calls": lambda random: Generator(random, privileged=True, scope=SCOPE).program(),
    "unprivileged": lambda random: Generator(random, privileged=False, scope=SCOPE).program(),
    "nlctrl": lambda random: nlctrl_program(random, privileged=True, messages_each=60),
    "links": link_program,
    **{area: partial(link_program, areas=(area,)) for area in AREAS},
}
COUNTS: Final = {
    "calls": 40, "unprivileged": 20, "nlctrl": 10, "links": 60, **dict.fromkeys(AREAS, 30), "programs": 150,
}  # fmt: skip
"""For each kind of random programs, the number of programs."""


def digest(found: list[Any], machine: Machine) -> str:
    """Return a digest of a program's results and of the machine's clock and counters."""
    counters = json.dumps(machine.statistics, sort_keys=True)
    return blake2b(repr((found, machine.now, counters)).encode(), digest_size=6).hexdigest()


@contextmanager
def process(*, privileged: bool) -> Iterator[Actor]:
    """Yield a process of a new machine. Its pid and the sequence number of its first uevent are constants."""
    with Machine(udev=False, unmodelled="raise") as machine:
        machine.kernel.processes._last_pid = PID - 1
        machine.kernel.uevents.sequence = SEQUENCE
        machine.kernel.rtnetlink.ipv6.detection.max_delay = seconds(DAD_DELAY)
        blocking = machine.blocking(uid=0 if privileged else 1000)
        world = World(machine, blocking, machine.kernel.namespaces.create(), privileged=privileged)
        yield Actor(world, blocking.getpid(), partial(_settle, machine, blocking))


def run(kind: str, number: int) -> str:
    """Run a program, up to a call that is not modelled, and return its digest."""
    random = Random(f"{SEED}/{number}")
    found: list[Any] = []
    if kind == "programs":
        side = SimulatedSide()
        try:
            _, seen = programs.Generator(random, number).run(side, LENGTH)
            found = [(each.outcome, each.ended, each.dead) for each in seen]
            return digest(found, side.machine)
        finally:
            side.close()
    with patch.object(os, "getpid", lambda: PID):
        program = DRAWS[kind](random)
    with process(privileged=kind != "unprivileged") as actor:
        for step in program:
            if actor.can_perform(step):
                try:
                    found.append(actor.perform(step))
                except (NotModelled, Deadlock) as lacking:
                    found.append(type(lacking).__name__)
                    break
        return digest(found, actor.world.machine)


@cache
def pinned() -> dict[str, list[str]]:
    """Return the recorded digests of each kind of random programs, from pinned.json."""
    content: dict[str, list[str]] = json.loads(FILE.read_text())
    return content


def main() -> None:
    """Run all random programs and write their digests to pinned.json."""
    digests = {kind: [run(kind, number) for number in range(count)] for kind, count in COUNTS.items()}
    FILE.write_text(json.dumps(digests, indent=1) + "\n")


if __name__ == "__main__":
    main()
