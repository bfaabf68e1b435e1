"""fork() in a hosted program creates a process of the machine, with a copy of the program's memory."""

from __future__ import annotations

import hashlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simkernel import Blocking, Machine, NotModelled
from simkernel.hosted import hosted

if sys.platform != "linux":
    pytest.skip("hosted programs need Python on Linux", allow_module_level=True)


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the package `lodger` importable."""
    (tmp_path / "lodger.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("lodger", None)


def in_child(host: Any, function: Any) -> tuple[bytes, int]:
    """Call a function in a forked child. Return its result, sent through a pipe, and the child's exit
    status.
    """
    os = host.os
    reader, writer = os.pipe()
    if not (pid := os.fork()):
        os.write(writer, str(function()).encode())
        os._exit(3)
    os.close(writer)
    data = host.open(reader, "rb").read()
    return data, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_child_has_a_copy_of_the_memory_and_shares_descriptors() -> None:
    with Machine(seed=1) as machine, hosted(machine, "lodger") as host:
        memory = [1]
        with host.open("/tmp/file", "w+") as file:
            seen, status = in_child(host, lambda: memory.append(2) or host.os.write(file.fileno(), b"abc"))
            assert (seen, status, memory) == (b"3", 3, [1])
            assert host.os.lseek(file.fileno(), 0, 1) == 3


def test_child_has_its_own_pid_clock_and_random_numbers() -> None:
    with Machine(seed=1) as machine, hosted(machine, "lodger") as host:

        def child() -> object:
            host.time.sleep(1)
            return host.os.getpid(), host.os.getppid(), int(host.time.time()), host.os.urandom(4)

        seen, _ = in_child(host, child)
        pid, parent, second, chance = eval(seen)
        assert (parent, second) == (host.os.getpid(), 1) and pid > parent
        assert chance != host.os.urandom(4) and int(host.time.time()) == 1


def test_a_child_that_reaches_the_end_of_its_program_exits(capfd: pytest.CaptureFixture[str]) -> None:
    def program(app: Blocking, error: bool) -> None:
        with hosted(app, "lodger") as host:
            pid = host.os.fork()
            if not pid and error:
                raise ValueError("in the child")
            if pid:
                statuses.append(host.os.waitpid(pid, 0)[1])

    statuses: list[int] = []
    with Machine(seed=1) as machine:
        for error in (False, True):
            machine.spawn(program, error)
            machine.run()
    assert statuses == [0, 1 << 8]
    assert "ValueError: in the child" in capfd.readouterr().err


def test_a_child_can_be_killed() -> None:
    with Machine(seed=1) as machine, hosted(machine, "lodger") as host:
        if not (pid := host.os.fork()):
            host.time.sleep(1000)
        host.time.sleep(1)
        host.os.kill(pid, signal.SIGKILL)
        assert host.os.waitpid(pid, 0) == (pid, signal.SIGKILL)


def test_a_child_that_runs_on_ends_with_the_machine() -> None:
    with Machine(seed=1) as machine, hosted(machine, "lodger") as host:
        for _ in range(2):
            if not host.os.fork():
                host.time.sleep(1000)


def test_a_thread_can_fork() -> None:
    def thread() -> None:
        seen.append(in_child(host, lambda: host.threading.current_thread() is host.threading.main_thread()))

    seen: list[Any] = []
    with Machine(seed=1) as machine, hosted(machine, "lodger") as host:
        other = host.threading.Thread(target=thread)
        other.start()
        other.join()
    assert seen == [(b"True", 3)]


def test_a_child_has_one_thread() -> None:
    def child() -> str:
        try:
            host.threading.Thread(target=print).start()
        except NotModelled:
            return "refused"
        return "started"

    with Machine(seed=1) as machine, hosted(machine, "lodger") as host:
        assert in_child(host, child)[0] == b"refused"


def test_runs_with_forks_are_repeatable() -> None:
    def program(app: Blocking, label: str) -> None:
        with hosted(app, "lodger") as host:
            for number in range(3):
                if not (pid := host.os.fork()):
                    for _ in range(number):
                        host.time.sleep(host.random.random() / 100)
                    host.os._exit(number)
                log.append((label, host.os.waitpid(pid, 0), app.monotonic_ns()))

    digests = []
    for _ in range(2):
        log: list[Any] = []
        digest = hashlib.sha256()
        with Machine(seed=5) as machine:
            machine.trace.subscribe(lambda record, digest=digest: digest.update(repr(record).encode()))  # type: ignore[misc]
            for label in "ab":
                machine.spawn(program, label)
            machine.run()
        digests.append((log, digest.hexdigest()))
    assert digests[0] == digests[1] and len(log) == 6
