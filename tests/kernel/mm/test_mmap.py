"""mmap(2), munmap(2), msync(2) and memfd_create(2): which arguments are refused (mm/mmap.c, mm/msync.c)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simkernel import Machine
from tests.kernel.refused import refused

PAGE = 4096
SHARED, PRIVATE, ANONYMOUS = 1, 2, 32
READ, WRITE = 1, 2
ASYNC, INVALIDATE, SYNC = 1, 2, 4


class World:
    """A process with a file of two pages, and a mapping of it."""

    def __init__(self, machine: Machine) -> None:
        self.app = machine.blocking()
        self.fd = self.open(os.O_RDWR | os.O_CREAT)
        self.app.ftruncate(self.fd, 2 * PAGE)
        self.mapping = self.app.mmap(self.fd, 2 * PAGE)
        self.address = self.mapping.address

    def open(self, flags: int) -> int:
        fd: int = self.app.open("/tmp/f", flags)
        return fd

    def mmap(self, length: int, prot: int, flags: int, fd: int, offset: int = 0) -> Any:
        return self.call("mmap", 0, length, prot, flags, fd, offset)

    def call(self, name: str, *arguments: Any) -> Any:
        return self.app.run(self.app.app.call(name, *arguments))


@pytest.fixture
def world() -> Iterator[World]:
    with Machine(udev=False) as machine:
        yield World(machine)


CALLS: list[tuple[Callable[[World], Any], str]] = [
    (lambda w: w.mmap(0, READ, SHARED, w.fd), "EINVAL"),
    (lambda w: w.mmap(1 << 60, READ, SHARED, w.fd), "ENOMEM"),
    (lambda w: w.mmap(PAGE, READ, SHARED, w.fd, 1), "EINVAL"),
    (lambda w: w.mmap(PAGE, READ, SHARED, w.fd, PAGE + 1), "EINVAL"),
    (lambda w: w.mmap(PAGE, READ, 0, w.fd), "EINVAL"),
    (lambda w: w.mmap(PAGE, READ, SHARED, 99), "EBADF"),
    (lambda w: w.mmap(PAGE, READ, SHARED, w.open(os.O_WRONLY)), "EACCES"),
    (lambda w: w.mmap(PAGE, READ, PRIVATE, w.open(os.O_WRONLY)), "EACCES"),
    (lambda w: w.mmap(PAGE, READ | WRITE, SHARED, w.open(os.O_RDONLY)), "EACCES"),
    (lambda w: w.mmap(PAGE, READ | WRITE, PRIVATE, w.open(os.O_RDONLY)), "ok"),
    (lambda w: w.mmap(PAGE, READ, SHARED, w.open(os.O_RDONLY)), "ok"),
    (lambda w: w.mmap(PAGE, READ, SHARED, w.app.pipe()[0]), "ENODEV"),
    (lambda w: w.mmap(PAGE, READ, SHARED | ANONYMOUS, -1), "ok"),
    (lambda w: w.call("munmap", w.address + 1, PAGE), "EINVAL"),
    (lambda w: w.call("munmap", w.address, 0), "EINVAL"),
    (lambda w: w.call("munmap", w.address, 1 << 60), "EINVAL"),
    (lambda w: w.call("munmap", 1 << 40, PAGE), "ok"),
    (lambda w: w.call("msync", w.address, PAGE, SYNC), "ok"),
    (lambda w: w.call("msync", w.address, PAGE, ASYNC | INVALIDATE), "ok"),
    (lambda w: w.call("msync", w.address, PAGE, 0), "ok"),
    (lambda w: w.call("msync", w.address, PAGE, ASYNC | SYNC), "EINVAL"),
    (lambda w: w.call("msync", w.address, PAGE, 8), "EINVAL"),
    (lambda w: w.call("msync", w.address + 1, PAGE, SYNC), "EINVAL"),
    (lambda w: w.call("msync", 1 << 40, PAGE, SYNC), "ENOMEM"),
    (lambda w: w.call("msync", 1 << 40, 0, SYNC), "ok"),
    (lambda w: w.call("memfd_create", "n" * 249, 0), "ok"),
    (lambda w: w.call("memfd_create", "n" * 250, 0), "EINVAL"),
    (lambda w: w.call("memfd_create", "name", 1 << 20), "EINVAL"),
]


@pytest.mark.parametrize(("call", "expected"), CALLS)
def test_arguments(world: World, call: Callable[[World], Any], expected: str) -> None:
    if expected == "ok":
        call(world)
    else:
        assert refused(lambda: call(world)) == expected
        world.mapping[0:1] = b"x"  # nothing has been unmapped


def test_a_private_mapping_does_not_change_the_file(world: World) -> None:
    world.mapping[:3] = b"abc"
    private = world.app.mmap(world.fd, PAGE, PRIVATE)
    private[:3] = b"xyz"
    assert world.app.pread(world.fd, 3, 0) == b"abc"
    assert private[:4] == b"xyz\0"


def test_mappings_of_a_file_share_its_pages(world: World) -> None:
    other = world.app.mmap(world.fd, PAGE, offset=PAGE)
    world.mapping[PAGE : PAGE + 2] = b"hi"
    assert other[:2] == b"hi"
    world.app.pwrite(world.fd, b"ho", PAGE)
    assert other[:2] == b"ho"
    other.close()
    assert world.mapping[PAGE : PAGE + 2] == b"ho"


def test_a_mapping_of_a_file_with_holes_joins_its_pages(world: World) -> None:
    app = world.app
    fd = app.memfd_create("holes")
    app.pwrite(fd, b"two", 2 * PAGE)
    app.pwrite(fd, b"zero", 0)
    memory = app.mmap(fd, 2 * PAGE + 3)
    assert (memory[:4], memory[PAGE : PAGE + 2], memory[2 * PAGE : 2 * PAGE + 3]) == (
        b"zero",
        b"\0\0",
        b"two",
    )
    memory[PAGE : PAGE + 3] = b"one"
    assert app.pread(fd, 3, PAGE) == b"one"
