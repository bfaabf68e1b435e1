"""Register accesses, plugging and unplugging."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.engine import SimulationError
from simkernel.hardware import RW, Device, Register
from simkernel.hardware.bus import registers as sheet
from tests.hardware.bench import Bench


class Scratch(Device):
    """A device with one register to write and read."""

    vendor_id = 0x1234
    device_id = 0xABCD
    class_code = sheet.CLASS_OTHER
    revision = 7
    registers = (Register("SCRATCH", 0x10, RW, reset=5),)


def test_a_window_begins_with_the_header() -> None:
    bench = Bench()
    device = Scratch()
    slot = bench.bus.plug(device, line=9)
    assert bench.read(device, sheet.ID) == 0x1234ABCD
    assert bench.read(device, sheet.CLASS) == 0x00000007
    assert bench.read(device, sheet.INTERRUPT) == slot.line == 9
    assert bench.read(device, sheet.SERIAL) == device.serial != 0
    bench.write(device, sheet.ID, 0)
    assert bench.read(device, sheet.ID) == 0x1234ABCD


def test_an_access_is_charged() -> None:
    bench = Bench(readl_ns=700, writel_ns=30)
    device = Scratch()
    bench.bus.plug(device)
    bench.write(device, 0x10, 1)
    bench.read(device, 0x10)
    assert bench.engine.time() == 730


@pytest.mark.parametrize("address", [0, 0xEFFFFFFC, sheet.window(16), 0xFFFFFFFC, -4, sheet.window(1) + 2])
def test_an_access_outside_is_a_reported_bus_error(address: int) -> None:
    bench = Bench()
    device = Scratch()
    bench.bus.plug(device)
    assert bench.bus.readl(address) == sheet.ALL_ONES
    bench.bus.writel(address, 1)
    assert bench.bus.statistics.errors == len(bench.errors) == 2
    assert all(text.startswith("bus error: ") for text in bench.errors)
    assert bench.read(device, 0x10) == 5


def test_an_empty_slot_reads_all_ones_without_an_error() -> None:
    bench = Bench()
    device = Scratch()
    slot = bench.bus.plug(device)
    bench.bus.unplug(device)
    assert bench.bus.readl(slot.address + sheet.ID) == sheet.ALL_ONES
    bench.bus.writel(slot.address + 0x10, 1)
    assert bench.bus.statistics.aborts == 2
    assert not bench.errors


def test_an_unplugged_device_is_reset_when_it_is_plugged_again() -> None:
    bench = Bench()
    device = Scratch()
    bench.bus.plug(device)
    name, serial = device.name, device.serial
    bench.write(device, 0x10, 77)
    bench.bus.unplug(device)
    bench.bus.plug(device)
    assert bench.read(device, 0x10) == 5
    assert (device.name, device.serial) == (name, serial)


def test_names_are_given_by_kind_and_never_twice() -> None:
    bench = Bench()
    first, second, third = Scratch(), Scratch(), Scratch()
    bench.bus.plug(first)
    bench.bus.plug(second)
    bench.bus.unplug(first)
    bench.bus.plug(third)
    assert [each.name for each in (first, second, third)] == ["scratch0", "scratch1", "scratch2"]
    assert bench.bus.devices() == [third, second]
    fourth = Scratch()
    fourth.name = "scratch0"
    with pytest.raises(SimulationError, match="a device called scratch0"):
        bench.bus.plug(fourth)


def test_slots_are_bounded() -> None:
    bench = Bench(slots=3)
    bench.bus.plug(Scratch())
    bench.bus.plug(Scratch())
    with pytest.raises(SimulationError, match="all 2 slots are taken: unplug"):
        bench.bus.plug(Scratch())


def test_a_device_is_plugged_once_and_unplugged_once() -> None:
    bench, other = Bench(), Bench()
    device = Scratch()
    with pytest.raises(SimulationError, match="scratch is not plugged in"):
        bench.bus.unplug(device)
    bench.bus.plug(device)
    for bus in (bench.bus, other.bus):
        with pytest.raises(SimulationError, match="plugged in already"):
            bus.plug(device)
    with pytest.raises(SimulationError, match="not plugged into this bus"):
        other.bus.unplug(device)
    bench.bus.unplug(device)
    other.bus.plug(device)
    assert bench.bus.devices() == []


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"slot": 0}, "slot 0 is taken by hotplug0"),
        ({"slot": 16}, "slot 16 does not exist"),
        ({"line": 32}, "interrupt line 32 does not exist"),
        ({"line": -1}, "interrupt line -1 does not exist"),
    ],
)
def test_a_wrong_place_is_refused(options: dict[str, int], text: str) -> None:
    device = Scratch()
    with pytest.raises(SimulationError, match=text):
        Bench().bus.plug(device, **options)
    assert device.slot is None


def test_the_hotplug_controller_stays() -> None:
    bench = Bench()
    controller = bench.bus.slots[0].device
    assert controller is not None
    with pytest.raises(SimulationError, match="cannot be unplugged"):
        bench.bus.unplug(controller)


def test_the_hotplug_controller_reports_changed_slots() -> None:
    bench = Bench()
    controller = bench.bus.slots[0].device
    assert controller is not None
    device = Scratch()
    assert bench.read(controller, sheet.SLOTS) == 16
    bench.bus.plug(device, slot=3)
    assert bench.read(controller, sheet.PRESENT) == 0b1001
    assert bench.read(controller, sheet.CHANGED) == 0b1000
    bench.write(controller, sheet.CHANGED, 0b1000)
    assert bench.read(controller, sheet.CHANGED) == 0
    bench.bus.unplug(device)
    bench.bus.plug(device, slot=3)
    assert bench.read(controller, sheet.PRESENT) == 0b1001
    assert bench.read(controller, sheet.CHANGED) == 0b1000


def test_a_change_interrupts_when_enabled_also_one_of_before() -> None:
    bench = Bench()
    controller = bench.bus.slots[0].device
    assert controller is not None
    bench.bus.interrupts.unmask(sheet.HOTPLUG_LINE)
    bench.bus.plug(Scratch())
    bench.engine.run()
    assert bench.interrupts == []
    bench.write(controller, sheet.ENABLE, sheet.ENABLE_INTERRUPT)
    bench.engine.run()
    assert [line for _, line in bench.interrupts] == [sheet.HOTPLUG_LINE]


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=30))
def test_present_bits_follow_any_order_of_plugging(steps: list[tuple[int, bool]]) -> None:
    bench = Bench()
    devices = [Scratch() for _ in range(5)]
    controller = bench.bus.slots[0].device
    assert controller is not None
    for number, plug in steps:
        device = devices[number]
        if plug and device.slot is None:
            bench.bus.plug(device)
        elif not plug and device.slot is not None:
            bench.bus.unplug(device)
    expected = 1
    for device in devices:
        if device.slot is not None:
            assert bench.read(device, sheet.SERIAL) == device.serial
            expected |= 1 << device.slot.number
    assert bench.read(controller, sheet.PRESENT) == expected


def test_accesses_are_traced_with_the_names_of_registers() -> None:
    bench = Bench()
    device = Scratch()
    bench.bus.plug(device)
    records = bench.trace()
    bench.write(device, 0x10, 3)
    bench.read(device, 0x10)
    bench.read(device, 0x800)
    assert [(each.name, each.track, each.fields["register"], each.fields["value"]) for each in records] == [
        ("rwmmio_write", "scratch0", "SCRATCH", 3),
        ("rwmmio_read", "scratch0", "SCRATCH", 3),
        ("rwmmio_read", "scratch0", "reserved", 0),
    ]
