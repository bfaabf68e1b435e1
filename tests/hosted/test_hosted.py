"""Inside the block `hosted`, a package uses the machine's system calls. Outside the block, the same package
is unchanged.
"""

from __future__ import annotations

import asyncio
import os
import pathlib
import select
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from simkernel import Machine, NotModelled, SimulationError, seconds
from simkernel.hosted import hosted

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="hosted programs need Python on Linux")

PROGRAM = """
import dataclasses, enum, fcntl, io, mmap, os, pathlib, select, selectors, shutil, socket, tempfile, time
from os import path, read as early
from pathlib import Path

class Kind(enum.Enum):
    ONE = 1

@dataclasses.dataclass
class Record:
    number: int

def late(name):
    import importlib
    return importlib.import_module(name)

def inside():
    import select, time
    return select, time

def bound(fd, size, read=os.read):
    return read(fd, size)

def write(where, text):
    with open(where, "w") as file:
        file.write(text)

def count(where):
    with open(where) as file:
        return sum(1 for line in file)
"""


@pytest.fixture
def machine() -> Iterator[Machine]:
    """A machine that has run for one simulated second."""
    with Machine() as machine:
        machine.run(until=seconds(1))
        yield machine


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a package with one module importable."""
    package = tmp_path / "guest"
    package.mkdir()
    (package / "__init__.py").write_text("from .program import Kind\n")
    (package / "program.py").write_text(PROGRAM)
    monkeypatch.syspath_prepend(tmp_path)


def test_every_import_of_the_package_uses_the_machine(machine: Machine) -> None:
    with hosted(machine, "guest") as host:
        from guest import program  # type: ignore[import-not-found]

        for name in (
            "fcntl",
            "io",
            "mmap",
            "os",
            "pathlib",
            "select",
            "selectors",
            "socket",
            "tempfile",
            "time",
        ):
            assert getattr(program, name) is host.import_module(name) is not sys.modules[name]
        assert program.path is program.os.path is not os.path
        assert program.inside() == (program.select, program.time)
        assert program.late("select") is program.select
        assert program.Path is program.pathlib.Path is not pathlib.Path
        assert program.Kind.ONE.value == program.Record(1).number


def test_other_importers_keep_their_modules(machine: Machine) -> None:
    before = dict(sys.modules)
    policy = asyncio.get_event_loop_policy()
    with hosted(machine, "guest"):
        import guest

        assert os.getpid() != guest.program.os.getpid()
        assert "os.path" in sys.modules and sys.modules["os.path"] is os.path
        assert time.monotonic() != guest.program.time.monotonic()
    assert {name for name in sys.modules if name not in before and "guest" in name} == set()
    assert sys.modules["os"] is os and sys.modules["select"] is select
    assert asyncio.get_event_loop_policy() is policy


def test_earlier_imports_are_restored(machine: Machine) -> None:
    import guest

    with hosted(machine, "guest"):
        import guest as anew

        assert anew is not guest
    import guest as again

    assert again is guest


def test_imports_are_restored_if_the_body_raises(machine: Machine) -> None:
    finders = list(sys.meta_path)
    with pytest.raises(RuntimeError), hosted(machine, "guest"):
        raise RuntimeError
    assert sys.meta_path == finders


def test_files_are_on_the_machine(machine: Machine) -> None:
    with hosted(machine, "guest") as host:
        from guest import program

        program.write("/tmp/song", "one\ntwo\nthree\n")
        assert program.count("/tmp/song") == 3
        assert program.Path("/tmp/song").read_bytes() == b"one\ntwo\nthree\n"
        assert sorted(host.os.listdir("/")) == ["dev", "proc", "run", "sys", "tmp", "var"]
        assert not Path("/tmp/song").exists() or Path("/tmp/song").read_text() != "one\ntwo\nthree\n"
        fd = host.os.open("/tmp/song", os.O_RDONLY)
        assert program.bound(fd, 3) == b"one"
        with pytest.raises(FileNotFoundError) as raised:
            host.open("/tmp/missing")
        assert raised.value.filename == "/tmp/missing"
        with program.tempfile.TemporaryDirectory() as folder:
            (program.Path(folder) / "deep" / "down").mkdir(parents=True)
            assert [*map(str, program.Path(folder).rglob("*"))] == [f"{folder}/deep", f"{folder}/deep/down"]
        assert not host.os.path.exists(folder)


def test_trees_are_copied_moved_and_removed(machine: Machine) -> None:
    with hosted(machine, "guest") as host:
        from guest import program

        folder = program.Path("/dev/shm/folder")
        folder.mkdir()
        (folder / "file").write_text("text" * 10_000)
        (folder / "link").symlink_to("file")
        host.os.utime(folder / "file", (3.25, 4.5))
        program.shutil.copytree(folder, "/dev/shm/copy", symlinks=True)
        assert host.os.stat("/dev/shm/copy/file").st_mtime_ns == 4_500_000_000
        assert host.os.readlink("/dev/shm/copy/link") == "file"
        assert program.shutil.move("/dev/shm/copy", "/dev/shm/there") == "/dev/shm/there"
        assert program.Path("/dev/shm/there/file").read_text() == "text" * 10_000
        program.shutil.rmtree("/dev/shm/there")
        assert [entry.name for entry in host.os.scandir("/dev/shm")] == ["folder"]
        assert all(isinstance(entry, host.os.DirEntry) for entry in host.os.scandir("/dev"))


def test_file_times_behave_as_in_python(machine: Machine, tmp_path: Path) -> None:
    real = tmp_path / "file"
    real.touch()
    with hosted(machine, "guest") as host:
        with host.open("/dev/shm/file", "w") as file:
            fd = file.fileno()
            for times in ((0.1, 1.7), (1e9 + 0.3, -2.6)):
                os.utime(real, times)
                host.os.utime(fd, times)
                found, expected = host.os.stat("/dev/shm/file"), os.stat(real)
                assert (found.st_atime_ns, found.st_mtime_ns) == (expected.st_atime_ns, expected.st_mtime_ns)
        with pytest.raises(ValueError, match="either 'times' or 'ns'"):
            host.os.utime("/dev/shm/file", (1, 2), ns=(1, 2))


def test_sleeping_advances_only_virtual_time(machine: Machine) -> None:
    with hosted(machine, "guest") as host:
        from guest import program

        begun, wall = program.time.monotonic(), time.monotonic()
        program.time.sleep(5)
        assert 5 <= program.time.monotonic() - begun < 5.001
        assert time.monotonic() - wall < 4
        assert host.time.gmtime().tm_year == 1970


def test_descriptors_can_be_selected(machine: Machine) -> None:
    with hosted(machine, "guest") as host:
        reader, writer = host.os.pipe()
        assert host.select.select([reader], [writer], [], 1) == ([], [writer], [])
        machine.at(machine.now + seconds(2), lambda: None)
        assert host.select.select([reader], [], [], 0.5) == ([], [], [])
        host.os.write(writer, b"now")
        with host.selectors.DefaultSelector() as selector:
            selector.register(reader, host.selectors.EVENT_READ, "the pipe")
            assert [key.data for key, _ in selector.select()] == ["the pipe"]
        poll = host.select.poll()
        poll.register(reader)
        assert poll.poll(10) == [(reader, select.POLLIN)]


def test_asyncio_uses_virtual_time(machine: Machine) -> None:
    with hosted(machine, "guest") as host:
        reader, writer = host.os.pipe()

        async def talk() -> tuple[bytes, float]:
            loop = asyncio.get_running_loop()
            said = loop.create_future()
            loop.add_reader(reader, lambda: said.done() or said.set_result(host.os.read(reader, 100)))
            loop.call_later(3, host.os.write, writer, b"hello")
            return await said, loop.time()

        said, when = asyncio.run(talk())
        assert said == b"hello"
        assert 4 <= when < 4.01


def test_mapped_memory_is_a_buffer(machine: Machine) -> None:
    with hosted(machine, "guest") as host:
        fd = host.os.memfd_create("shared")
        host.os.ftruncate(fd, 8192)
        one, two = host.mmap.mmap(fd, 8192), host.mmap.mmap(fd, 4096, offset=4096)
        one[4096:4101] = b"hello"
        assert two[:5] == b"hello" and bytes(memoryview(two)[:5]) == b"hello"
        assert isinstance(one, host.mmap.mmap) and len(two) == 4096
        one.close()
        assert one.closed and bytes(memoryview(two)[1:3]) == b"el"


def test_a_wrong_pointer_is_efault(machine: Machine) -> None:
    from simkernel.hosted.memory import HostMemory

    memory = HostMemory({})
    for address in (0, 8, 0x1234_5678_9000, 1 << 62):
        with pytest.raises(OSError, match="Bad address"):
            memory.read(address, 4)
        with pytest.raises(OSError, match="Bad address"):
            memory.write(address, b"four")
    memory.close()


def test_unsupported_calls_raise_an_error_with_a_reason(machine: Machine) -> None:
    with hosted(machine, "guest") as host:
        for call in (host.os.forkpty, host.os.openpty):
            with pytest.raises(NotModelled):
                call()
        with pytest.raises(FileNotFoundError, match="no executable files"):
            host.subprocess.run(["true"])
        with pytest.raises(AttributeError, match="no_such_module"):
            host.no_such_module


def test_invalid_package_names_are_refused(machine: Machine) -> None:
    for names, why in (
        ((), "needs the name"),
        (("no_such_package_anywhere",), "no package or module of that name"),
        (("os",), "a module of the standard library"),
        (("time",), "a module of the standard library"),
        (("guest.part",), "name the whole package, 'guest'"),
    ):
        with pytest.raises(SimulationError, match=why), hosted(machine, *names):
            pass


def test_program_can_run_as_an_ordinary_user(machine: Machine) -> None:
    with hosted(machine, "guest", uid=1000) as host:
        assert host.os.getuid() == 1000
        with pytest.raises(PermissionError):
            host.open("/dev/kmsg", "w")
