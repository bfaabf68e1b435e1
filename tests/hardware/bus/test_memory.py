"""Physical memory: regions do not overlap, and no access crosses the end of a region."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.engine import Engine, SimulationError
from simkernel.hardware import Bus, Device
from simkernel.hardware.bus import Memory
from tests.hardware.bench import Bench


class Master(Device):
    """A device that only does DMA."""


def test_a_region_is_zeroed_aligned_and_shared() -> None:
    memory = Memory()
    address = memory.allocate(1000, 4096)
    assert address % 4096 == 0
    assert bytes(memory.view(address, 1000)) == bytes(1000)
    memory.view(address + 10, 3)[:] = b"abc"
    assert bytes(memory.view(address + 9, 5)) == b"\0abc\0"


def test_a_freed_region_is_gone_and_its_place_is_used_again() -> None:
    memory = Memory()
    first, second = memory.allocate(64), memory.allocate(64)
    memory.free(first)
    with pytest.raises(SimulationError, match="not within an allocated region"):
        memory.view(first, 1)
    assert memory.allocate(64) == first
    assert second > first
    assert (len(memory), memory.allotted) == (2, 128)


def test_memory_is_bounded() -> None:
    memory = Memory(size=1000)
    memory.allocate(900)
    with pytest.raises(MemoryError):
        memory.allocate(200)


@pytest.mark.parametrize(("size", "align"), [(0, 64), (-1, 64), (10, 0), (10, 48)])
def test_a_senseless_allotment_is_refused(size: int, align: int) -> None:
    with pytest.raises(SimulationError, match="power of two"):
        Memory().allocate(size, align)


def test_freeing_an_unallocated_address_is_refused() -> None:
    memory = Memory()
    address = memory.allocate(64)
    with pytest.raises(SimulationError, match="no region begins at this address"):
        memory.free(address + 1)


@pytest.mark.parametrize(("offset", "size"), [(-1, 1), (0, 65), (63, 2), (64, 1)])
def test_dma_does_not_reach_one_byte_out_of_a_region(offset: int, size: int) -> None:
    bus = Bus(Engine())
    device = Master()
    bus.plug(device)
    address = bus.memory.allocate(64)
    assert device.dma_read(address, 64) == bytes(64)
    assert device.dma_read(address + offset, size) is None
    assert not device.dma_write(address + offset, bytes(size))
    assert bus.statistics.errors == 2


requests = st.lists(
    st.one_of(
        st.tuples(st.just("allot"), st.integers(1, 300), st.sampled_from([1, 4, 64, 256])),
        st.tuples(st.just("free"), st.integers(0, 10), st.just(0)),
    ),
    max_size=40,
)


@given(requests)
def test_regions_never_overlap(steps: list[tuple[str, int, int]]) -> None:
    memory = Memory(size=4096)
    regions: dict[int, int] = {}
    for step, number, align in steps:
        if step == "free" and regions:
            address = sorted(regions)[number % len(regions)]
            memory.free(address)
            del regions[address]
        elif step == "allot":
            try:
                address = memory.allocate(number, align)
            except MemoryError:
                continue
            assert address % align == 0
            regions[address] = number
    spans = sorted((start, start + size) for start, size in regions.items())
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert all(memory.base <= start and end <= memory.base + memory.size for start, end in spans)
    assert (len(memory), memory.allotted) == (len(regions), sum(regions.values()))


@given(st.integers(-200, 900), st.binary(max_size=300), st.integers(0, 300))
def test_dma_changes_its_target_or_no_memory(offset: int, data: bytes, split: int) -> None:
    bench = Bench()
    bus, errors = bench.bus, bench.errors
    device = Master()
    bus.plug(device)
    regions = [bus.memory.allocate(256, 256) for _ in range(3)]
    before = {region: bytes([number + 1]) * 256 for number, region in enumerate(regions)}
    for region, content in before.items():
        bus.memory.view(region, 256)[:] = content
    bus.memory.free(regions[1])
    address = regions[0] + offset
    inside = [region for region in (regions[0], regions[2]) if region <= address <= region + 256 - len(data)]
    written = device.dma_write(address, data[:split], data[split:])
    expected = {region: bytearray(before[region]) for region in (regions[0], regions[2])}
    if written:
        start = address - inside[0]
        expected[inside[0]][start : start + len(data)] = data
        assert device.dma_read(address, len(data)) == data
    elif data:
        assert not inside
    assert {region: bytearray(bus.memory.view(region, 256)) for region in expected} == expected
    assert written == (not errors) == (bus.statistics.errors == 0)
