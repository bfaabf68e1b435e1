"""Hosted programs: sockets and files that are never closed, close-on-exec flags, and atexit functions."""

from __future__ import annotations

import gc
import socket
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simkernel import Machine
from simkernel.hosted import hosted

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="hosted programs need Python on Linux")

PROGRAM = """
import atexit, os, select, socket, tempfile

class Cycle:
    def __init__(self, held):
        self.held, self.own = held, self

def lose(count):
    for _ in range(count):
        Cycle(socket.socket(socket.AF_UNIX))
        Cycle(open("/tmp/cycle", "a")).held.write("text")

def fail():
    files = open("/tmp/one", "w"), open("/tmp/two", "wb"), open("/tmp/three", "wb", buffering=0)
    files[0].write("text")
    files[1].write(b"text")
    lines = socket.socketpair()[0].makefile("w")
    lines.write("text")
    temporary = tempfile.NamedTemporaryFile(), tempfile.TemporaryDirectory(), os.scandir("/")
    watched = select.epoll(), select.poll()
    raise ValueError("text")
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the program `leaver` importable."""
    (tmp_path / "leaver.py").write_text(PROGRAM)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.fixture
def host(installed: None) -> Iterator[Any]:
    """A machine that hosts the program `leaver`."""
    with Machine() as machine, hosted(machine, "leaver") as host:
        yield host


def test_a_socket_without_references_is_closed(host: Any) -> None:
    one, other = host.socket.socketpair()
    with pytest.warns(ResourceWarning, match="unclosed <socket fd="):
        del other
    assert one.recv(10) == b""


def test_a_detached_or_closed_socket_does_not_warn(host: Any) -> None:
    one, other = host.socket.socketpair()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fd = one.detach()
        other.close()
        del one, other
    host.os.close(fd)


def test_descriptors_are_close_on_exec(host: Any) -> None:
    one, other = host.socket.socketpair()
    server, client = host.socket.socket(socket.AF_UNIX), host.socket.socket(socket.AF_UNIX)
    server.bind("/tmp/server")
    server.listen()
    client.connect("/tmp/server")
    accepted, _ = server.accept()
    made: list[Any] = [
        one,
        other,
        server,
        client,
        accepted,
        one.dup(),
        host.socket.fromfd(one.fileno(), 1, 1),
    ]
    made += [host.open("/tmp/file", "w"), host.select.epoll(), *host.os.pipe(), host.os.dup(one.fileno())]
    made += [host.os.open("/tmp/file", 0), host.os.eventfd(0), host.os.memfd_create("name")]
    for each in made:
        fd = each if isinstance(each, int) else each.fileno()
        assert host.fcntl.fcntl(fd, host.fcntl.F_GETFD) == host.fcntl.FD_CLOEXEC, each
        flags = host.open(f"/proc/self/fdinfo/{fd}").read().splitlines()[1].split()[1]
        assert int(flags, 8) & host.os.O_CLOEXEC, each
        assert not host.os.get_inheritable(fd)
    host.os.set_inheritable(fd, True)
    assert host.fcntl.fcntl(fd, host.fcntl.F_GETFD) == 0
    for each in made:
        host.os.close(each) if isinstance(each, int) else each.close()


def test_an_error_in_a_hosted_program_causes_no_unraisable_exception(
    installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ignored: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: ignored.append(found.exc_value))
    with Machine() as machine:
        with pytest.raises(ValueError, match="text") as raised, hosted(machine, "leaver") as host:
            host.import_module("leaver").fail()
        with machine.blocking() as process:
            kept = [process.read(process.open(f"/tmp/{name}", 0), 10) for name in ("one", "two")]
    assert kept == [b"text", b"text"], "the files are written at the end"
    del raised, host
    gc.collect()
    assert ignored == []


def test_atexit_functions_run_at_the_end_in_the_machine(installed: None) -> None:
    with Machine() as machine:
        with hosted(machine, "leaver") as host:
            atexit, program = host.import_module("atexit"), host.import_module("leaver")
            atexit.register(program.os.rmdir, "/tmp/folder")
            atexit.register(program.os.rename, "/tmp/other", "/tmp/folder")
            atexit.register(program.os.mkdir, "/tmp/never")
            atexit.unregister(program.os.mkdir)
            program.os.mkdir("/tmp/other")
        with machine.blocking() as process:
            assert process.run(process.app.entries("/tmp")) == []


@pytest.mark.parametrize("count", [10, pytest.param(3000, marks=pytest.mark.long)])
def test_garbage_collection_does_not_change_a_run(installed: None, count: int) -> None:
    def run(threshold: int) -> list[object]:
        before = gc.get_threshold()
        gc.set_threshold(threshold)
        try:
            with Machine() as machine, hosted(machine, "leaver") as host:
                host.import_module("leaver").lose(count)
                found = [
                    machine.now,
                    len(host.os.listdir("/proc/self/fd")),
                    host.os.stat("/tmp/cycle").st_size,
                ]
            return [*found, machine.now]
        finally:
            gc.set_threshold(*before)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first = run(1)
        assert first == run(100_000)
        assert gc.isenabled()
