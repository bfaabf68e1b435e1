"""A pytest plugin that runs each test of pyroute2 in isolation: in a new namespace of Linux, or on a new
machine.

Each test runs in a forked child of pytest, which sends its reports back. On Linux, the child enters a new
network namespace and a new mount namespace. On simkernel, pytest imports the tests and pyroute2 hosted on
a machine, and each child has a copy of that machine.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import select
import signal
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
from _pytest.runner import runtestprotocol

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 1 << 18
RESULTS: Final = {"passed": "pass", "failed": "FAIL", "skipped": "skip"}
WORLDS: Final = pytest.StashKey[ExitStack]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the plugin's command line options."""
    parser.addoption("--arm", choices=("linux", "simkernel"), default="linux")
    parser.addoption("--results", help="file for the results, with one JSON object per line")
    parser.addoption("--select", type=Path, help="file with the names of the tests to run, one per line")
    parser.addoption("--each", type=int, default=180, help="time limit for a test in seconds")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """If the tests run on simkernel, let pyroute2 and its tests use a simulated machine, not the host."""
    early_config.stash[WORLDS] = stack = ExitStack()
    early_config.add_cleanup(stack.close)
    if early_config.known_args_namespace.arm == "simkernel":
        from simkernel import Machine
        from simkernel.hosted import hosted

        machine = stack.enter_context(Machine(seed=1))
        machine.run()
        host = stack.enter_context(hosted(machine, *sorted(set(packages()))))
        host.os.environ.update(USER="root", SKIPDB="postgres", WORKSPACE=os.environ["WORKSPACE"])
        early_config.pluginmanager.register(OnMachine(host))
        host.logging.getLogger().addHandler(forwarding(host.logging.Handler)(1))
        host.logging.getLogger().setLevel(1)


def packages() -> Iterator[str]:
    """Yield the names of the packages to host: pyroute2, two packages that its tests need, and the tests'
    modules.
    """
    yield from ("pyroute2", "netaddr", "pytest_asyncio")
    for folder in map(Path, os.environ["PYTHONPATH"].split(os.pathsep)):
        if (folder / "conftest.py").exists() or folder.name.startswith("test"):
            yield from (each.stem for each in folder.glob("*.py"))
            yield from (each.name for each in folder.iterdir() if each.is_dir() and any(each.glob("*.py")))


def forwarding(base: Any) -> Any:
    """Return a class of log handlers that pass the records of a hosted program to the host's loggers, so that
    pytest sees them.
    """

    class Forwarding(base):  # type: ignore[misc]
        def emit(self, record: Any) -> None:
            logger = logging.getLogger(record.name)
            if logger.isEnabledFor(record.levelno):
                logger.handle(logging.makeLogRecord(vars(record)))

    return Forwarding


class OnMachine:
    """A pytest plugin for tests on simkernel. It creates temporary directories on the machine and replaces
    the program `ip`.
    """

    def __init__(self, host: Any) -> None:
        self._host = host

    def pytest_collection_finish(self) -> None:
        """Replace `subprocess.run` in the tests that run `ip`. Replace `pwd.getpwuid` by a function that
        always returns the user root.
        """
        from tests.hosted.pyroute2_arms.ip import Ip

        if (module := sys.modules.get("net_tools")) is not None:
            tools: Any = module
            tools.subprocess = SimpleNamespace(run=Ip(self._host.machine).run, PIPE=-1)
        if (module := sys.modules.get("utils")) is not None:
            users: Any = module
            users.pwd = SimpleNamespace(getpwuid=lambda _: SimpleNamespace(pw_name="root"))

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
        """Create the directory of the fixture `tmp_path` on the machine as well as on the host."""
        result = yield
        if fixturedef.argname == "tmp_path":
            self._host.os.makedirs(result, exist_ok=True)
        return result


def isolate() -> None:
    """Enter a new network namespace, and a new mount namespace in which no network namespace has a name
    yet.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS | CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    libc.mount(b"tmpfs", b"/run", b"tmpfs", 0, None)


def pytest_collection_finish() -> None:
    """Disable the wireguard socket and the database backup of pyroute2's fixture `context`. Few tests need
    them.

    Neither this host's kernel nor User-mode Linux supports wireguard. SQLite would write the backup to a file
    on the host.
    """
    if (module := sys.modules.get("pr2test.context_manager")) is not None:
        manager: Any = module
        manager.WireGuard = ExitStack
        teardown = manager.NDBContextManager.teardown

        def without_backup(self: Any) -> None:
            self.db_provider = None
            teardown(self)

        manager.NDBContextManager.teardown = without_backup


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests that are not listed in the file of the option --select."""
    if (path := config.option.select) is not None:
        names = set(path.read_text("utf-8").splitlines())
        items[:] = [item for item in items if item.nodeid in names]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Run a test in a forked child and log its reports."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reader, writer = os.pipe()
    if not (pid := os.fork()):
        os.close(reader)
        os.setsid()
        if item.config.option.arm == "linux":
            isolate()
        reports = [each._to_json() for each in runtestprotocol(item, log=False)]
        with open(writer, "w") as file:
            json.dump(reports, file, default=str)
        os._exit(0)
    os.close(writer)
    data = receive(reader, item.config.option.each)
    if data is None:
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    if data:
        reports = [pytest.TestReport._from_json(each) for each in json.loads(data)]
    else:
        reason = "the test does not end" if data is None else "the test's process has died"
        reports = [pytest.TestReport(item.nodeid, item.location, {}, "failed", reason, "call")]
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    write(item, reports)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def receive(reader: int, seconds: float) -> bytes | None:
    """Read a pipe until its end. Return the bytes, or None if it does not end in time."""
    data = b""
    with open(reader, "rb", buffering=0) as file:
        while select.select([file], [], [], seconds)[0]:
            part = file.read(1 << 16)
            if not part:
                return data
            data += part
    return None


def write(item: pytest.Item, reports: list[pytest.TestReport]) -> None:
    """Append the result of a test to the results file."""
    worst = next((each for each in reports if each.outcome != "passed"), reports[-1])
    text = str(worst.longrepr[2] if isinstance(worst.longrepr, tuple) else worst.longrepr or "")
    if worst.failed:
        lines = [line[2:].strip() for line in text.splitlines() if line.startswith("E ")]
        text = f"{worst.when}: {lines[-1] if lines else text.strip().splitlines()[-1] if text else ''}"
    if hasattr(worst, "wasxfail"):
        text = f"xfail {worst.wasxfail}"
    result = {"test": item.nodeid, "result": RESULTS[worst.outcome], "text": text[:300]}
    with open(item.config.option.results, "a") as file:
        file.write(json.dumps(result) + "\n")


if sys.platform != "linux":
    pytest.exit("the arms run on Linux")
