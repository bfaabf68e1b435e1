"""Booted machines for tests that run outside of the simulation.  `close` checks a machine for leaks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any

from simkernel.hardware.bus import Device
from simkernel.machine import Machine
from simkernel.testing.sim import CHECKED, boot

Devices = Iterable[str | Callable[[], Device]]


def seed_of(name: str) -> int:
    """Return a seed that depends on the name only, and not on the host."""
    return int.from_bytes(blake2b(name.encode(), digest_size=4).digest(), "big")


def make(seed: int, devices: Devices, modules: Iterable[str], options: dict[str, Any]) -> Machine:
    """Return a machine whose devices are bound and whose modules are loaded."""
    machine = Machine(seed, **{**CHECKED, **options})
    try:
        boot(machine, devices, modules)
    except BaseException:
        machine.__exit__(*sys.exc_info())
        raise
    return machine


@contextmanager
def new_machine(
    seed: int = 0, *, devices: Devices = (), modules: Iterable[str] = (), **options: Any
) -> Iterator[Machine]:
    """Make a booted machine for a `with` block, as in a test of unittest.

    `devices` are plugged in and bound: "mouse", "camera" or functions that make devices.  `modules` are
    loaded, and `options` are keywords of Machine.  All checkers but "races" are on, and leaks are checked.
    An exception of the block gets the kernel log as a note.
    """
    machine = make(seed, devices, modules, options)
    try:
        with machine:
            yield machine
    except BaseException as error:
        error.add_note(f"kernel log:\n{_log(machine)}")
        raise


class Machines:
    """The machines of the current test (`sim_new_machine`)."""

    def __init__(self) -> None:
        self._machines: list[Machine] = []
        self._seed = 0

    def begin(self, nodeid: str) -> None:
        """Compute the seed of the test's machines from its node id."""
        self._seed = seed_of(nodeid)

    def __call__(
        self,
        seed: int | None = None,
        *,
        devices: Devices = (),
        modules: Iterable[str] = (),
        **options: Any,
    ) -> Machine:
        """Make a machine, as `new_machine` does.  The end of the test or hypothesis' example closes it."""
        machine = make(self._seed if seed is None else seed, devices, modules, options)
        if not _at_end_of_example(machine):
            self._machines.append(machine)
        return machine

    def watch(self, machine: Machine) -> None:
        """Close another machine with the test's, and show its log if the test fails."""
        self._machines.append(machine)

    def logs(self) -> list[tuple[str, str]]:
        """Return the kernel logs of the machines."""
        return [("kernel log", _log(machine)) for machine in self._machines]

    def close(self, failed: bool) -> None:
        """Close the machines, the last one first.  Raises what `close` raises unless the test failed."""
        errors: list[BaseException] = []
        while self._machines:
            machine = self._machines.pop()
            try:
                machine.__exit__(*((None,) * 3 if not failed else _failure()))
            except BaseException as error:  # noqa: BLE001 - raised below
                errors.append(error)
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise BaseExceptionGroup("machines were left with errors", errors)


def _failure() -> tuple[type[BaseException], BaseException, None]:
    return AssertionError, AssertionError(), None


def _at_end_of_example(machine: Machine) -> bool:
    """Close the machine at the end of hypothesis' example.  Return False outside of an example."""
    control = sys.modules.get("hypothesis.control")
    if control is None or not control.currently_in_test_context():
        return False

    def close() -> None:
        kind, error, traceback = sys.exc_info()
        if error is not None:
            error.add_note(f"kernel log:\n{_log(machine)}")
        machine.__exit__(kind, error, traceback)

    control.cleanup(close)
    return True


def _log(machine: Machine) -> str:
    return "\n".join(machine.log.lines()) or "(empty)"
