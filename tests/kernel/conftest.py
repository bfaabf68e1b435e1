"""Fixtures for tests of the kernel: a machine, and a folder from which it loads kernel modules."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from functools import cache
from hashlib import blake2b
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from simkernel import Machine
from simkernel.blocking.process import Blocking
from simkernel.kernel.module.module import ModuleState

PREAMBLE = """
from simkernel.driverapi.compiler import *
from simkernel.driverapi.completion import *
from simkernel.driverapi.delay import *
from simkernel.driverapi.dev_printk import *
from simkernel.driverapi.device import *
from simkernel.driverapi.dma import *
from simkernel.driverapi.fs import *
from simkernel.driverapi.interrupt import *
from simkernel.driverapi.io import *
from simkernel.driverapi.iopoll import *
from simkernel.driverapi.ktime import *
from simkernel.driverapi.mm import *
from simkernel.driverapi.module import *
from simkernel.driverapi.mutex import *
from simkernel.driverapi.netlink import *
from simkernel.driverapi.poll import *
from simkernel.driverapi.printk import *
from simkernel.driverapi.rcupdate import *
from simkernel.driverapi.simbus import *
from simkernel.driverapi.spinlock import *
from simkernel.driverapi.sysfs import *
from simkernel.driverapi.timer import *
from simkernel.driverapi.uaccess import *
from simkernel.driverapi.wait import *
from simkernel.driverapi.workqueue import *
from simkernel.uapi.errno import *
"""

EXPORTS = ("exports", "exports_gpl")


class Bench:
    """Modules written by a test, and the machine that they are loaded into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._machine: Machine | None = None

    def write(self, name: str, text: str) -> None:
        """Write a file that contains `text` without its common indentation."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))

    def module(self, name: str, body: str = "", **declared: Any) -> None:
        """Write the source of a module: imports of all driverapi names, `MODULE = Module(...)`, then `body`.

        `exports` and `exports_gpl` name functions of the body, which then comes first.
        """
        exported = {key: f"({', '.join(declared.pop(key))},)" for key in EXPORTS if key in declared}
        values = {key: repr(value) for key, value in ({"license": "GPL"} | declared).items()} | exported
        declaration = f"MODULE = Module({', '.join(f'{key}={value}' for key, value in values.items())})\n"
        parts = (dedent(body), "\n", declaration) if exported else (declaration, dedent(body))
        self.write(f"{name}.py", PREAMBLE + "".join(parts))

    @property
    def machine(self) -> Machine:
        """The machine. It is booted at the first access, and it loads no module automatically."""
        if self._machine is None:
            self._machine = Machine(udev=False, module_path=[self.folder])
        return self._machine

    @property
    def root(self) -> Blocking:
        """A process of root."""
        return self.machine.blocking(uid=0)

    def load(self, name: str, **parameters: Any) -> Any:
        """Load a module by insmod. Return the value that the module's `init` has returned."""
        self.root.insmod(name, **parameters)
        return self.data(name)

    def delete_module(self, name: str) -> None:
        """Call delete_module(2) directly, without the checks that rmmod(8) makes first."""
        root = self.root
        root.run(root.app.call("delete_module", name))

    def data(self, name: str) -> Any:
        """Return the object that the `init` of a loaded module has returned."""
        module = self.machine.kernel.modules.find(name)
        assert module is not None
        return module.data

    def pass_time(self, ns: int) -> None:
        """Advance the simulated time by `ns`."""
        self.machine.run(until=self.machine.now + ns)

    @property
    def log(self) -> list[str]:
        """The texts of the kernel log."""
        return [record.text for record in self.machine.log.records]

    def states(self) -> dict[str, str]:
        """Return the load state of each module, such as "Live", by name."""
        modules = self.machine.kernel.modules
        return {m.name: m.state.value for m in modules if m.state is not ModuleState.UNFORMED}

    def close(self) -> None:
        """Switch the machine off."""
        if self._machine is not None:
            self._machine.close()


RUNS = Path(__file__).with_name("runs.json")
"""For each test that uses the fixture `bench`, a digest of the kernel log, the clock and the counters at the
end of the test. The digests do not come from a Linux kernel: they only pin that simkernel's runs stay the
same. With RECORD_RUNS=1 and the option `-n 0`, the tests record them again.
"""


@cache
def pinned() -> dict[str, str]:
    """Return the recorded digest of each test."""
    content: dict[str, str] = json.loads(RUNS.read_text())
    return content


def digest(machine: Machine) -> str:
    """Return the digest of a machine's log, clock and counters.  Line numbers of simkernel are omitted."""
    log = [(each.level, each.facility, each.time, each.text) for each in machine.log.records]
    counters = json.dumps(machine.statistics, sort_keys=True)
    text = re.sub(r"(simkernel/[\w/]+\.py):\d+", r"\1", repr((log, machine.now, counters)))
    return blake2b(text.encode(), digest_size=6).hexdigest()


@pytest.fixture
def bench(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A folder for modules and a machine that finds them. After the test, the fixture compares the
    machine's digest with `RUNS`.
    """
    bench = Bench(tmp_path)
    yield bench
    name = request.node.nodeid.removeprefix("tests/")
    plain = bench._machine is not None and not request.config.getoption("--checks")
    found = digest(bench.machine) if plain else None
    if found is not None and os.environ.get("RECORD_RUNS"):
        pinned()[name] = found
        RUNS.write_text(json.dumps(dict(sorted(pinned().items())), indent=0) + "\n")
    bench.close()
    assert found in (None, pinned().get(name, found)), "the log, the clock or a counter differs; see RUNS"
