"""Run one program on both kernels, step by step, up to the first difference."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import zip_longest
from typing import Final

import attrs

from simkernel.engine import Deadlock, InternalError, NotModelled
from simkernel.uapi.socket import AF_NETLINK
from tests.conformance.live.actor import Actor, Outcome
from tests.conformance.live.compare import Names, expected
from tests.conformance.live.deviations import Deviation, deviation_of
from tests.conformance.live.hosts import Host, simulated
from tests.conformance.live.steps import Program, Step

NOTHING: Final[Outcome] = ("nothing", None)

SEEDS: Final = range(1, 9)
"""Seeds with which simkernel repeats a program. If the results differ between seeds, they depend on
chance.
"""

Observer = Callable[[Step, int, Outcome], None]
"""A callback for each step with equal results on both kernels. It gets the step, the protocol of the step's
socket, and the outcome.
"""


@attrs.frozen
class Difference:
    """The first step whose results differ: its index in the program, the index of the call in this step, and
    the outcomes of both kernels.

    Port ids in the real kernel's outcome are translated to those of the simulated kernel.
    """

    index: int
    step: Step
    call: int
    real: Outcome
    simulated: Outcome


@attrs.frozen
class Result:
    """Result of an example (one program on both kernels): the number of compared calls, the deviations and
    the difference. If the example ended early because simkernel cannot complete a call, `unmodelled` contains
    the reason.
    """

    calls: int
    deviations: tuple[Deviation, ...]
    difference: Difference | None = None
    unmodelled: str | None = None


def _ignore(step: Step, protocol: int, outcome: Outcome) -> None:
    pass


def run(host: Host, program: Program, observe: Observer = _ignore) -> Result:
    """Run a program on both kernels, simkernel first.

    The program ends early at a call that simkernel does not model or that would never return.
    """
    with host.actor() as real, simulated(host) as simulated_actor:
        return _Run(real, simulated_actor, observe).run(program)


def depends_on_chance(host: Host, program: Program) -> bool:
    """Return True if simkernel's results depend on the port ids that it chooses.

    A filter can test a message's port id. A difference in its result is not a difference between kernels.
    """
    for seed in SEEDS:
        with simulated(host, seed) as one, simulated(host) as other, suppress(InternalError):
            if _Run(one, other, _ignore).run(program).difference is not None:
                return True
    return False


class _Run:
    def __init__(self, real: Actor, simulated: Actor, observe: Observer) -> None:
        self._real = real
        self._simulated = simulated
        self._observe = observe
        self._names = Names()
        self._names.learn(real.pid, simulated.pid)
        self._protocols: dict[int, int] = {}
        self._calls = 0
        self._deviations: list[Deviation] = []

    def run(self, program: Program) -> Result:
        for index, step in enumerate(program):
            if not self._simulated.can_perform(step):
                continue
            try:
                simulated = self._simulated.perform(step)
            except (NotModelled, Deadlock) as lacking:
                return self._result(unmodelled=str(lacking))
            except Exception as bug:  # noqa: BLE001 - whatever it is, it is a bug to be shown
                simulated = [(f"{type(bug).__name__}: {bug}", None)]
            difference = self._compare(index, step, self._real.perform(step, len(simulated)), simulated)
            if difference is not None:
                return self._result(difference=difference)
            self._follow(step)
        return self._result()

    def _result(self, *, difference: Difference | None = None, unmodelled: str | None = None) -> Result:
        return Result(self._calls, tuple(self._deviations), difference, unmodelled)

    def _follow(self, step: Step) -> None:
        """If a step opens or duplicates a socket, record the protocol of the new socket."""
        if step.call == "socket" and step.slot in self._simulated.sockets:
            self._protocols[step.slot] = step.arguments[2]
        elif step.call == "socket_in" and step.arguments[1] == AF_NETLINK:
            self._protocols[step.slot] = step.arguments[3]
        elif step.call == "dup":
            self._protocols[step.arguments[0]] = self._protocols[step.slot]

    def _learn_names(self) -> bool:
        """Map the port ids that the real kernel has chosen to those of the simulated kernel, even if the
        program has not read them.
        """
        for slot, sock in self._real.sockets.items():
            simulated = self._simulated.sockets.get(slot)
            if simulated is not None and self._protocols.get(slot, -1) >= 0:
                self._names.learn_chosen(sock.getsockname()[0], simulated.getsockname()[0])
        return True

    def _compare(
        self, index: int, step: Step, real: list[Outcome], simulated: list[Outcome]
    ) -> Difference | None:
        protocol = self._protocols.get(step.slot, -1)
        for call, (ours, theirs) in enumerate(zip_longest(simulated, real, fillvalue=NOTHING)):
            wanted = expected(step, protocol, theirs, ours, self._names)
            if wanted != ours and self._learn_names():
                wanted = expected(step, protocol, theirs, ours, self._names)
            if wanted != ours:
                difference = Difference(index, step, call, wanted, ours)
                deviation = deviation_of(difference)
                if deviation is None:
                    return difference
                self._deviations.append(deviation)
            self._calls += 1
            self._observe(step, protocol, theirs)
        return None
