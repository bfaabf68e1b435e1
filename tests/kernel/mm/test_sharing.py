"""Shared memory: between a file and its mappings, between two programs, and compared with the host."""

from __future__ import annotations

import errno
import mmap
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkernel import Machine, millis, seconds
from simkernel.application.app import App
from tests.examples import examples

PAGE = 4096
PAGES = 4


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(udev=False, unmodelled="raise") as machine:
        yield machine


# -- two programs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/dev/shm/area", "/tmp/area"])
def test_two_programs_share_a_file_by_its_path(machine: Machine, path: str) -> None:
    """Each program sees the bytes that the other one writes, without a system call. An eventfd wakes the
    reader.
    """
    seen = []

    async def writer(app: App) -> None:
        fd = await app.open(path, os.O_CREAT | os.O_RDWR)
        await app.ftruncate(fd, 2 * PAGE)
        bell = await app.eventfd(0, 0)
        await app.spawn(reader, bell)
        area = await app.mmap(fd, 2 * PAGE)
        await app.sleep(1)
        area[PAGE - 2 : PAGE + 2] = b"over"
        await app.eventfd_write(bell, 1)
        await app.sleep(1)
        seen.append(area[0:5])

    async def reader(app: App, bell: int) -> None:
        fd = await app.open(path, os.O_RDWR)
        area = await app.mmap(fd, 0)
        before = app.monotonic_ns()
        await app.eventfd_read(bell)
        seen.append((area[PAGE - 2 : PAGE + 2], app.monotonic_ns() - before > millis(900)))
        area[0:5] = b"reply"

    machine.spawn(writer)
    machine.run(until=seconds(3))
    assert seen == [(b"over", True), b"reply"]


def test_a_child_shares_memory_without_a_name(machine: Machine) -> None:
    """A child inherits the descriptor of a memfd. The last process that holds it frees the pages."""
    seen = []

    async def parent(app: App) -> None:
        fd = await app.memfd_create("shared", 0)
        await app.ftruncate(fd, PAGE)
        area = await app.mmap(fd, PAGE)

        async def child(app: App) -> None:
            mine = await app.mmap(fd, PAGE)
            mine[0:3] = b"abc"

        await app.waitpid(await app.spawn(child))
        seen.append(area[0:3])

    machine.spawn(parent)
    machine.run(until=seconds(1))
    assert seen == [b"abc"]
    assert machine.kernel.fs.anonymous.space.used == 0


def test_a_mapping_outlives_its_file_and_name(machine: Machine) -> None:
    process = machine.blocking()
    fd = process.open("/tmp/a", os.O_CREAT | os.O_RDWR)
    process.write(fd, b"hello")
    area = process.mmap(fd, 5)
    process.close(fd)
    process.unlink("/tmp/a")
    area[0:1] = b"j"
    assert area[:] == b"jello"
    tmp = next(mount.filesystem for mount in machine.kernel.fs.mounts if mount.root.path == "/tmp")
    assert tmp.space.used == PAGE
    area.close()
    assert tmp.space.used == 0


def test_permissions_of_mmap(machine: Machine) -> None:
    process = machine.blocking(uid=1000)
    process.close(process.open("/tmp/a", os.O_CREAT | os.O_RDWR))
    process.truncate("/tmp/a", PAGE)
    for flags, prot, kind, name in (
        (os.O_RDONLY, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, "EACCES"),
        (os.O_RDONLY, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE, None),
        (os.O_RDONLY, mmap.PROT_READ, mmap.MAP_SHARED, None),
        (os.O_WRONLY, mmap.PROT_READ, mmap.MAP_SHARED, "EACCES"),
        (os.O_WRONLY, mmap.PROT_WRITE, mmap.MAP_PRIVATE, "EACCES"),
    ):
        fd = process.open("/tmp/a", flags)
        try:
            process.mmap(fd, PAGE, flags=kind, prot=prot)
        except OSError as error:
            assert errno.errorcode[error.errno or 0] == name
        else:
            assert name is None


# -- comparison with the host --------------------------------------------------------------------------


class World:
    """A file of a few pages, and mappings of it."""

    def __init__(self, it: Any, folder: str, map: Any) -> None:
        self.it = it
        self.map = map
        self.fd = it.open(f"{folder}/file", os.O_CREAT | os.O_RDWR)
        it.ftruncate(self.fd, PAGES * PAGE)
        self.maps: list[Any] = []

    def add(self, first: int, count: int, shared: bool) -> Any:
        count = min(count, PAGES - first)
        flags = mmap.MAP_SHARED if shared else mmap.MAP_PRIVATE
        self.maps.append(self.map(self.fd, count * PAGE, flags=flags, offset=first * PAGE))
        if (
            not shared
        ):  # copy the pages now: mmap(2) leaves open whether a private mapping shows later changes
            for page in range(count):
                self.maps[-1][page * PAGE : page * PAGE + 1] = self.maps[-1][page * PAGE : page * PAGE + 1]
        return count

    def drop(self, which: int) -> Any:
        if self.maps:
            self.maps.pop(which % len(self.maps)).close()

    def poke(self, which: int, at: int, data: bytes) -> Any:
        if self.maps:
            area = self.maps[which % len(self.maps)]
            at %= len(area) - len(data)
            area[at : at + len(data)] = data

    def write(self, at: int, data: bytes) -> Any:
        return self.it.pwrite(self.fd, data, at % (PAGES * PAGE - len(data)))

    def read(self, at: int, size: int) -> Any:
        return self.it.pread(self.fd, size, at)

    def seen(self) -> Any:
        return [area[:] for area in self.maps]


steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, PAGES - 1), st.integers(1, PAGES), st.booleans()),
        st.tuples(st.just("drop"), st.integers(0, 9)),
        st.tuples(st.just("poke"), st.integers(0, 9), st.integers(0, 4 * PAGE), st.binary(max_size=9)),
        st.tuples(st.just("write"), st.integers(0, 4 * PAGE), st.binary(max_size=9)),
        st.tuples(st.just("read"), st.integers(0, 4 * PAGE), st.integers(0, 9000)),
        st.tuples(st.just("seen")),
    ),
    max_size=25,
)


@pytest.mark.skipif(sys.platform != "linux", reason="wants a Linux to compare with")
@settings(max_examples=examples(60), deadline=None)
@given(steps)
def test_file_and_memory_are_one_as_on_this_host(calls: list[tuple[Any, ...]]) -> None:
    with Machine(udev=False, unmodelled="raise") as machine, tempfile.TemporaryDirectory() as folder:
        simulated = machine.blocking()
        here = World(simulated, "/tmp", simulated.mmap)
        there = World(os, folder, mmap.mmap)
        try:
            for name, *arguments in [*calls, ("seen",)]:
                assert getattr(here, name)(*arguments) == getattr(there, name)(*arguments), name
        finally:
            os.close(there.fd)
            for area in there.maps:
                area.close()
