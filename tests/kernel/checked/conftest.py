"""Fixtures for the tests of checkers: a machine with all checkers, into which a test loads a faulty driver or
its correct version.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from functools import cache
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


TEXTS = Path(__file__).with_name("reports.json")
"""The recorded reports of each test. They do not come from a Linux kernel: they only pin that simkernel's
reports stay the same. With RECORD_REPORTS=1, the tests record them again.
"""


@cache
def recorded() -> dict[str, list[list[str]]]:
    """Return the recorded reports by test name. A test has one list for each of its calls of
    `Checked.reports`.
    """
    content: dict[str, list[list[str]]] = json.loads(TEXTS.read_text())
    return content


def compare(calls: Sequence[Sequence[Report]]) -> None:
    """Compare the reports of a test with the recorded ones.  Line numbers of simkernel are omitted."""
    name = os.environ["PYTEST_CURRENT_TEST"].partition("::")[2].rpartition(" ")[0]
    texts = [[describe(report) for report in reports] for reports in calls]
    if os.environ.get("RECORD_REPORTS"):
        recorded()[name] = texts
        TEXTS.write_text(json.dumps(dict(sorted(recorded().items())), indent=1) + "\n")
    assert texts == recorded()[name][: len(texts)]


def describe(report: Report) -> str:
    """Return the text of a report without line numbers of simkernel and without the details that depend on
    the Python version.
    """
    text = "\n".join([f"{report.checker} at {report.time}", report.text, *report.places])
    text = re.sub(r"(simkernel/[\w/]+\.py):\d+", r"\1", text)
    return re.sub(r"\n *<listcomp> at [^\n]*|=+$|<listcomp> / ", "", text, flags=re.MULTILINE)


class Checked:
    """A machine with all checkers. Its driver runs `act(state, text)` for each write to /dev/faulty."""

    def __init__(self, bench: Bench, folder: Path, checks: tuple[str, ...] = KIT, **options: Any) -> None:
        self.bench = bench
        self.taken: list[list[Report]] = []
        self.perturbed = options.get("perturbation") is not None
        self.machine = bench._machine = Machine(udev=False, module_path=[folder], checks=checks, **options)

    def driver(self, body: str) -> None:
        """Load a driver. `body` defines its function `act(state, text)`, which may be `async`."""
        self.bench.module("faulty", DEVICE.replace("{body}", body))
        self.bench.root.insmod("faulty")

    def write(self, *texts: str, at: int = 0) -> None:
        """Start a process that opens /dev/faulty, sleeps, and writes each of `texts`. The sleep lasts `at`
        ns.
        """

        async def program(app: Any) -> None:
            fd = await app.open("/dev/faulty", O_WRONLY)
            await app.sleep(at / SECOND)
            for text in texts:
                await app.write(fd, text.encode())

        self.machine.spawn(program, name="writer")

    def reports(self) -> list[Report]:
        """Run until no event is left, and return the new reports. Compare them with the recorded ones, unless
        the machine has a `perturbation`, which can change the order in which tasks run.
        """
        self.machine.run()
        self.taken.append(self.machine.reports.take())
        if not self.perturbed:
            compare(self.taken)
        return self.taken[-1]


@pytest.fixture
def checked(bench: Bench) -> Iterator[Checked]:
    """A machine with all checkers."""
    yield Checked(bench, bench.folder)
