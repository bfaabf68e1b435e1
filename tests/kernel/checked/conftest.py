"""Fixtures for the tests of checkers: a machine with all checkers, into which a test loads a faulty driver or
its correct version.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simkernel import Machine
from simkernel.engine import SECOND
from simkernel.kernel.lib.report import KIT, Report
from simkernel.uapi.fcntl import O_WRONLY
from tests.kernel.conftest import Bench

DEVICE = """
class State:
    def __init__(self, this):
        self.this = this
        self.one, self.other = mutex_init(this, "one"), mutex_init(this, "other")
        self.spin = spin_lock_init(this, "spin")

{body}

def write(file, data, position):
    pending = act(file.cdev.data, data.decode())
    return len(data) if pending is None else finish(pending, len(data))

async def finish(pending, count):
    await pending
    return count

OPERATIONS = FileOperations(write=write)

def init(this):
    state = State(this)
    number = alloc_chrdev_region(this, 0, 1, "faulty")
    state.cdev = cdev_init(this, OPERATIONS, data=state)
    cdev_add(state.cdev, number)
    state.kind = class_register(this, "faulty")
    device_create(this, state.kind, None, "faulty", node="faulty", number=number)
    return state

def exit(this, state):
    class_unregister(state.kind)
    cdev_del(state.cdev)
    unregister_chrdev_region(this, state.cdev.number, 1)
"""


class Checked:
    """A machine with all checkers, and a driver whose `act(state, text)` runs for each write."""

    def __init__(self, bench: Bench, folder: Path, checks: tuple[str, ...] = KIT, **options: Any) -> None:
        self.bench = bench
        self.machine = bench._machine = Machine(udev=False, module_path=[folder], checks=checks, **options)

    def driver(self, body: str) -> None:
        """Load a driver with this `act(state, text)`, plain or `async def`."""
        self.bench.module("faulty", DEVICE.replace("{body}", body))
        self.bench.root.insmod("faulty")

    def write(self, *texts: str, at: int = 0) -> None:
        """Start a process that writes each text, the first after `at` ns."""

        async def program(app: Any) -> None:
            fd = await app.open("/dev/faulty", O_WRONLY)
            await app.sleep(at / SECOND)
            for text in texts:
                await app.write(fd, text.encode())

        self.machine.spawn(program, name="writer")

    def reports(self) -> list[Report]:
        """Run until nothing is left to happen; return the reports."""
        self.machine.run()
        return self.machine.reports.take()


@pytest.fixture
def checked(bench: Bench) -> Iterator[Checked]:
    """A machine with all checkers."""
    yield Checked(bench, bench.folder)
