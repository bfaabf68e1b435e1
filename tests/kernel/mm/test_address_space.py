"""An address space: the addresses of mappings and of system call buffers, and the accesses by the kernel that
fail.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from simkernel import Machine
from simkernel.kernel.mm.address_space import RAM_SIZE, AddressSpace
from simkernel.kernel.mm.vma import VmArea
from tests.kernel.refused import refused

PAGE = 4096
BASE, STACK_TOP, LOWEST = 0x7FFF_F7FF_F000, 0x7FFF_FFFF_F000, 0x1_0000
READ, WRITE, SHARED, PRIVATE = 1, 2, 1, 2


def area(size: int, prot: int = READ | WRITE, memory: int | None = None) -> VmArea:
    made = VmArea(size, prot, SHARED, None, 0)
    made.memory = memoryview(bytearray(size if memory is None else memory))
    return made


def test_areas_lie_below_each_other_in_the_highest_gap() -> None:
    table: dict[VmArea, None] = {}
    space = AddressSpace(table)
    made = [area(size) for size in (1, PAGE, 2 * PAGE + 1)]
    assert [space.insert(each) for each in made] == [BASE - PAGE, BASE - 2 * PAGE, BASE - 5 * PAGE]
    assert (space.mapped, list(table)) == (5 * PAGE, made)
    assert [each.end for each in made] == [BASE, BASE - PAGE, BASE - 2 * PAGE]
    space.remove(made[1])
    space.remove(made[1])
    assert (space.mapped, list(table)) == (4 * PAGE, [made[0], made[2]])
    assert space.insert(area(PAGE + 1)) == BASE - 7 * PAGE, "the gap is too small"
    assert space.insert(area(PAGE)) == BASE - 2 * PAGE, "the gap fits"
    for address, expected in (
        (BASE - 1, made[0]), (BASE - PAGE, made[0]), (BASE, None), (BASE - 7 * PAGE - 1, None),
        (BASE - 5 * PAGE, made[2]), (BASE - 2 * PAGE - 1, made[2]),
    ):  # fmt: skip
        assert space.find(address) is expected
    closed: list[VmArea] = []
    made[0].closed = closed.append
    space.clear()
    assert (space.areas, table, space.mapped, closed) == ([], {}, 0, [made[0]])


def test_limits_of_an_address_space() -> None:
    """Three limits of an address space: RLIMIT_AS, the number of areas, and the lowest address."""
    space = AddressSpace({}, limit=3 * PAGE)
    space.insert(area(2 * PAGE))
    assert refused(lambda: space.insert(area(PAGE + 1))) == "ENOMEM"
    space.insert(area(PAGE))
    space = AddressSpace({}, limit=1 << 62)
    assert refused(lambda: space.insert(area(BASE - LOWEST + 1, memory=0))) == "ENOMEM"
    assert space.insert(area(BASE - LOWEST, memory=0)) == LOWEST
    space = AddressSpace({})
    space.areas = [area(PAGE)] * 65530
    assert refused(lambda: space.insert(area(1))) == "ENOMEM"


def test_the_kernel_reads_and_writes_over_the_borders_of_areas() -> None:
    space = AddressSpace({})
    first, second = area(PAGE), area(PAGE)
    space.insert(first)
    space.insert(second)
    space.write(BASE - PAGE - 3, b"abcdef")
    assert space.read(BASE - PAGE - 3, 6) == b"abcdef"
    assert second.memory is not None and bytes(second.memory[-3:]) == b"abc"
    assert first.memory is not None and bytes(first.memory[:3]) == b"def"
    assert (space.read(0, 0), space.read(BASE - 1, 1)) == (b"", b"\0")
    for address, size in ((BASE - 1, 2), (BASE, 1), (BASE - 2 * PAGE - 1, 1)):
        assert refused(lambda address=address, size=size: space.read(address, size)) == "EFAULT"
    assert refused(lambda: space.write(BASE - 2, b"xyz")) == "EFAULT"
    assert space.read(BASE - 2, 2) == b"xy", "the bytes before the fault are written"
    short = area(PAGE, memory=10)
    space.insert(short)
    assert space.read(short.start + 8, 2) == bytes(2)
    assert refused(lambda: space.read(short.start + 9, 2)) == "EFAULT"


@pytest.mark.parametrize("prot", [0, READ, WRITE, READ | WRITE])
def test_the_protection_of_an_area_limits_the_kernel(prot: int) -> None:
    space = AddressSpace({})
    address = space.insert(area(PAGE, prot))
    calls: list[tuple[int, Any]] = [
        (READ, lambda: space.read(address, 1)), (WRITE, lambda: space.write(address, b"x")),
    ]  # fmt: skip
    for needed, call in calls:
        if prot & needed:
            call()
        else:
            assert refused(call) == "EFAULT"


class Huge:
    """A buffer as large as the stack."""

    def __len__(self) -> int:
        return STACK_TOP - BASE


def test_buffers_of_a_call_lie_on_the_stack() -> None:
    space = AddressSpace({})
    first, second, empty = memoryview(bytearray(20)), memoryview(b"constant"), memoryview(bytearray())
    places = [space.map_buffer(each) for each in (first, second, empty)]
    assert places == [STACK_TOP - 32, STACK_TOP - 48, STACK_TOP - 64]
    space.write(places[0] + 18, b"ab")
    assert (bytes(first[18:]), space.read(places[1] + 1, 3)) == (b"ab", b"ons")
    assert refused(lambda: space.write(places[0] + 19, b"ab")) == "EFAULT"
    assert refused(lambda: space.write(places[1], b"x")) == "EFAULT"
    assert refused(lambda: space.read(places[1] + 8, 1)) == "EFAULT"
    space.unmap_buffer(places[1])
    assert refused(lambda: space.read(places[1], 1)) == "EFAULT"
    assert space.read(places[0], 1) == b"\0"
    assert space.map_buffer(memoryview(bytes(16))) == STACK_TOP - 80
    assert refused(lambda: space.map_buffer(Huge())) == "ENOMEM"  # type: ignore[arg-type]


def test_addresses_of_a_process() -> None:
    """mmap(2) and munmap(2): whole areas, alignment, and ranges with several areas."""
    with Machine(udev=False) as machine:
        app = machine.blocking()
        fd = app.open("/tmp/f", os.O_RDWR | os.O_CREAT)
        zero, null = app.open("/dev/zero", os.O_RDWR), app.open("/dev/null", os.O_RDWR)
        app.ftruncate(fd, 3 * PAGE)
        call = lambda name, *arguments: app.run(app.app.call(name, *arguments))  # noqa: E731
        places = [int(call("mmap", 0, size, READ, SHARED, fd, 0)) for size in (PAGE, 2 * PAGE - 1, 10)]
        assert places == [BASE - PAGE, BASE - 3 * PAGE, BASE - 4 * PAGE]
        for address, length in (
            (places[0] + 1, PAGE),
            (places[0], 0),
            (places[0], -1),
            ((1 << 47) - PAGE, PAGE + 1),
        ):
            assert refused(lambda a=address, n=length: call("munmap", a, n)) == "EINVAL"
        call("munmap", LOWEST, PAGE)
        assert refused(lambda: call("munmap", places[1], PAGE)) == "EINVAL", "a part is not modelled"
        assert app.task.mm.mapped == 4 * PAGE
        call("munmap", places[2], 3 * PAGE)
        assert [each.start for each in app.task.mm.areas] == [places[0]]
        call("munmap", places[0], 1)
        assert app.task.mm.mapped == 0
        memory = call("mmap", 0, 3 * PAGE, READ | WRITE, SHARED | 32, -1, 0).memory
        assert (len(memory), memory.readonly) == (3 * PAGE, False)
        assert call("mmap", 0, 5, READ, SHARED, fd, PAGE).memory.readonly
        for arguments, error in (
            ((0, 0, READ, SHARED, fd, 0), "EINVAL"), ((0, -1, READ, SHARED, fd, 0), "ENOMEM"),
            ((0, (1 << 47) + 1, READ, SHARED, fd, 0), "ENOMEM"),
            *(((0, RAM_SIZE + 1, READ, flags | 32, -1, 0), "ENOMEM") for flags in (SHARED, PRIVATE)),
            ((0, RAM_SIZE + 1, READ, PRIVATE, fd, 0), "ENOMEM"),
            ((0, RAM_SIZE + 1, READ, PRIVATE, zero, 0), "ENOMEM"),
            ((0, RAM_SIZE + 1, READ, PRIVATE, null, 0), "ENODEV"),
            ((0, PAGE, READ, SHARED, fd, -PAGE), "EOVERFLOW"),
            ((0, PAGE, READ, SHARED, fd, 1 << 63), "EOVERFLOW"),
            ((0, PAGE, READ, SHARED | 0x40000, fd, 0), "EINVAL"), ((0, PAGE, READ, 0, fd, 0), "EINVAL"),
        ):  # fmt: skip
            assert refused(lambda arguments=arguments: call("mmap", *arguments)) == error, arguments
        assert [record.text for record in machine.log.records if "mmap flags" in record.text] == [
            "simkernel: mmap flags 0x40000 are not modelled: EINVAL"
        ]
