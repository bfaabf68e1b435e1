"""A device that a test defines: its register table, events and interrupt."""

from __future__ import annotations

from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.engine import SimulationError, micros, millis
from simkernel.hardware import RO, RW, W1C, WO, Device, Register
from simkernel.hardware.bus import device as module
from tests.hardware.bench import Bench

START, DONE, TEMPERATURE, LIMIT, STEP = 0x10, 0x14, 0x18, 0x1C, 0x20


class Thermometer(Device):
    """A device that measures for 2 ms on request, then interrupts."""

    vendor_id, device_id = 0x1234, 0x0001
    registers = (
        Register("START", START, WO),
        Register("DONE", DONE, W1C, writable=0b11),
        Register("TEMPERATURE", TEMPERATURE, RO, reset=20),
        Register("LIMIT", LIMIT, RW, writable=0xFF),
        Register("STEP", STEP, RW, reset=1, values=(1, 2, 5)),
    )

    def write_start(self, value: int) -> None:
        self.after(millis(2), self.measured)

    def measured(self) -> None:
        self.values[TEMPERATURE] += self.values[STEP]
        self.values[DONE] = 0b111
        self.emit("measured", at=self.now)

    def asserts(self) -> bool:
        return bool(self.values[DONE] & 0b11)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def thermometer(bench: Bench) -> Thermometer:
    device = Thermometer()
    bench.bus.plug(device)
    return device


def test_it_measures_and_interrupts_in_its_own_event(bench: Bench, thermometer: Thermometer) -> None:
    bench.write(thermometer, START, 1)
    bench.engine.run()
    assert bench.interrupts == [(millis(2) + 50, 1)]
    assert bench.read(thermometer, TEMPERATURE) == 21


def test_it_is_up_to_the_instant_of_an_access_made_ahead_of_the_clock(
    bench: Bench, thermometer: Thermometer
) -> None:
    records = bench.trace()
    bench.write(thermometer, START, 1)
    bench.engine.charge(millis(1))
    assert bench.read(thermometer, TEMPERATURE) == 20
    bench.engine.charge(millis(1))
    assert bench.read(thermometer, TEMPERATURE) == 21
    assert bench.engine.now == 0
    assert [each.fields["at"] for each in records if each.name == "measured"] == [millis(2) + 50]


def test_an_interrupt_from_within_an_access_is_taken_in_an_event_of_its_own(
    bench: Bench, thermometer: Thermometer
) -> None:
    bench.write(thermometer, START, 1)
    bench.engine.charge(millis(3))
    bench.read(thermometer, DONE)
    assert bench.interrupts == []
    taken = bench.engine.time()
    bench.engine.run()
    assert bench.interrupts == [(taken, 1)]


def test_an_interrupt_that_is_withdrawn_meanwhile_is_not_taken(
    bench: Bench, thermometer: Thermometer
) -> None:
    bench.write(thermometer, START, 1)
    bench.engine.charge(millis(3))
    bench.write(thermometer, DONE, 0b11)
    bench.engine.run()
    assert bench.interrupts == []


def test_the_handler_may_use_the_registers_of_the_device_that_interrupts(
    bench: Bench, thermometer: Thermometer
) -> None:
    def handler(line: int) -> None:
        assert bench.read(thermometer, DONE) & 0b11
        bench.write(thermometer, DONE, 0b11)
        if len(bench.interrupts) < 3:
            bench.write(thermometer, START, 1)

    bench.handler = handler
    bench.write(thermometer, START, 1)
    bench.engine.run()
    assert [line for _, line in bench.interrupts] == [1, 1, 1]
    assert bench.read(thermometer, TEMPERATURE) == 23


def test_access_rules(bench: Bench, thermometer: Thermometer) -> None:
    bench.write(thermometer, TEMPERATURE, 99)
    assert bench.read(thermometer, TEMPERATURE) == 20
    bench.write(thermometer, START, 99)
    assert bench.read(thermometer, START) == 0
    bench.write(thermometer, LIMIT, 0x1FF)
    assert bench.read(thermometer, LIMIT) == 0xFF
    bench.write(thermometer, LIMIT, -2)
    assert bench.read(thermometer, LIMIT) == 0xFE
    bench.write(thermometer, STEP, 3)
    assert bench.read(thermometer, STEP) == 1
    bench.write(thermometer, STEP, 5)
    assert bench.read(thermometer, STEP) == 5
    bench.write(thermometer, 0x100, 1)
    assert bench.read(thermometer, 0x100) == 0
    bench.run(millis(3))
    bench.write(thermometer, DONE, 0b101)
    assert bench.read(thermometer, DONE) == 0b110
    assert not bench.errors


@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF))
def test_a_mask_says_which_bits_can_be_written(reset: int, mask: int, value: int) -> None:
    class Masked(Device):
        registers = (
            Register("PLAIN", 0x10, RW, reset=reset, writable=mask),
            Register("STATUS", 0x14, W1C, reset=reset, writable=mask),
        )

    bench = Bench()
    device = Masked()
    bench.bus.plug(device)
    bench.write(device, 0x10, value)
    bench.write(device, 0x14, value)
    assert bench.read(device, 0x10) == (value & mask) | (reset & ~mask)
    assert bench.read(device, 0x14) == reset & ~(value & mask)


def test_nothing_happens_after_unplugging(bench: Bench, thermometer: Thermometer) -> None:
    records = bench.trace()
    bench.write(thermometer, START, 1)
    bench.run(millis(1))
    bench.bus.unplug(thermometer)
    bench.engine.run()
    assert "measured" not in [each.name for each in records]
    assert not thermometer.dma_write(bench.bus.memory.base, b"x")
    assert not bench.interrupts and not bench.errors


def test_unplugging_releases_the_line(bench: Bench, thermometer: Thermometer) -> None:
    bench.write(thermometer, START, 1)
    bench.engine.run()
    assert bench.bus.interrupts.is_high(1)
    bench.bus.unplug(thermometer)
    assert not bench.bus.interrupts.is_high(1)


def test_a_planned_event_can_be_cancelled(bench: Bench, thermometer: Thermometer) -> None:
    event = thermometer.after(micros(5), thermometer.measured)
    assert event.pending
    event.cancel()
    bench.engine.run()
    assert not event.pending
    assert bench.read(thermometer, TEMPERATURE) == 20


def test_an_event_has_the_flow_that_scheduled_it(bench: Bench, thermometer: Thermometer) -> None:
    records = bench.trace()
    flow = bench.engine.trace.new_flow()
    bench.write(thermometer, START, 1)
    bench.engine.run()
    assert [each.flow for each in records if each.name in ("measured", "irq_raise")] == [flow, flow]


def test_catching_up_leaves_the_callers_flow_alone(bench: Bench, thermometer: Thermometer) -> None:
    bench.engine.trace.new_flow()
    bench.write(thermometer, START, 1)
    mine = bench.engine.trace.new_flow()
    bench.engine.charge(millis(3))
    bench.read(thermometer, DONE)
    assert bench.engine.trace.flow == mine


def test_devices_inherit_registers_and_override_hooks(bench: Bench) -> None:
    class Quick(Thermometer):
        def write_start(self, value: int) -> None:
            self.measured()

    device = Quick()
    bench.bus.plug(device)
    assert device.name == "quick0"
    bench.write(device, START, 1)
    assert bench.read(device, TEMPERATURE) == 21


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ((Register("A", 0x12),), "multiple of 4"),
        ((Register("A", 0x1000),), "below 0x1000"),
        ((Register("A", 0x10), Register("B", 0x10)), "A and B are both at 0x10"),
        ((Register("A", 0x10), Register("A", 0x14)), "two registers are called A"),
        ((Register("A", 0x0C),), "SERIAL and A are both at 0xc"),
    ],
)
def test_a_mistake_in_a_table_is_found_when_the_class_is_made(table: tuple[Register, ...], text: str) -> None:
    with pytest.raises(SimulationError, match=text):
        type("Broken", (Device,), {"registers": table})


def test_a_hook_without_a_register_is_found_when_the_class_is_made() -> None:
    with pytest.raises(SimulationError, match=r"write_strat\(\) handles no register of the device: .* START"):
        type("Broken", (Thermometer,), {"write_strat": lambda self, value: None})


def test_the_example_at_the_top_of_the_file_works() -> None:
    bench = Bench()
    lines = (module.__doc__ or "").splitlines()
    begin = next(number for number, line in enumerate(lines) if "class Thermometer" in line)
    end = next(number for number, line in enumerate(lines) if line.startswith("`registers`"))
    names = {"Device": Device, "Register": Register, "RO": RO, "W1C": W1C, "WO": WO, "millis": millis}
    exec(dedent("\n".join(lines[begin:end])), {**names, "machine": bench.bus})
    (device,) = bench.bus.devices()
    bench.write(device, 0x10, 1)
    bench.engine.run()
    assert bench.read(device, 0x18) == 21
    assert len(bench.interrupts) == 1


def test_events_due_before_the_unplug_have_happened(bench: Bench, thermometer: Thermometer) -> None:
    records = bench.trace()
    bench.write(thermometer, START, 1)
    bench.engine.charge(millis(3))
    bench.bus.unplug(thermometer)
    assert [each.name for each in records] == ["rwmmio_write", "measured", "irq_raise", "unplug"]
    bench.engine.run()
    assert bench.interrupts == []
