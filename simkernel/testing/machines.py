"""Booted machines for tests that run outside the simulation.  When a machine is closed, it is checked for
leaks.
"""

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
    """Return a seed that is computed only from `name`, so that the seed is the same on every host."""
    return int.from_bytes(blake2b(name.encode(), digest_size=4).digest(), "big")


def make(seed: int, devices: Devices, modules: Iterable[str], options: dict[str, Any]) -> Machine:
    """Return a machine with its devices bound to drivers and its modules loaded."""
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
    """Make a booted machine for a `with` block, for example in a unittest.

    `devices` are plugged in and bound: "mouse", "camera" or functions that make devices.  `modules` are
    loaded, and `options` are keyword arguments of Machine.  All checkers except "races" are enabled, and
    leaks are checked.  If the block raises, the exception gets the kernel log as a note.
    """
    machine = make(seed, devices, modules, options)
    try:
        with machine:
            yield machine
    except BaseException as error:
        error.add_note(f"kernel log:\n{_log(machine)}")
        raise


class Machines:
    """The machines of the current test, which the fixture `sim_new_machine` makes."""

    def __init__(self) -> None:
        self._machines: list[Machine] = []
        self._seed = 0

    def begin(self, nodeid: str) -> None:
        """Compute the seed of the test's machines from the node id of the test."""
        self._seed = seed_of(nodeid)

    def __call__(
        self,
        seed: int | None = None,
        *,
        devices: Devices = (),
        modules: Iterable[str] = (),
        **options: Any,
    ) -> Machine:
        """Make a machine, as `new_machine` does.

        It is closed at the end of the test or of hypothesis' example.
        """
        machine = make(self._seed if seed is None else seed, devices, modules, options)
        if not _at_end_of_example(machine):
            self._machines.append(machine)
        return machine

    def watch(self, machine: Machine) -> None:
        """Add a machine to the machines of the test.  It is closed with them, and its log is shown if the
        test fails.
        """
        self._machines.append(machine)

    def logs(self) -> list[tuple[str, str]]:
        """Return the kernel logs of the machines, as (title, text)."""
        return [("kernel log", _log(machine)) for machine in self._machines]

    def close(self, failed: bool) -> None:
        """Close the machines, the last one first, and raise the errors of closing. If the test has failed, do
        not check for leaks, kernel bugs and failed programs.
        """
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
            raise BaseExceptionGroup("several machines raised errors when they were closed", errors)


def _failure() -> tuple[type[BaseException], BaseException, None]:
    return AssertionError, AssertionError(), None


def _at_end_of_example(machine: Machine) -> bool:
    """Close the machine at the end of the current hypothesis example (a run of the test with generated
    values).

    Return False outside of an example.
    """
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
