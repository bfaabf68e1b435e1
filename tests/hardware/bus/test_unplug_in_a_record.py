"""If a trace subscriber unplugs a device while the device emits a trace record, the device has no further
effect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel import App, Machine, SimulationError, millis, seconds
from simkernel.engine import Record, micros
from simkernel.hardware import RO, RW, W1C, WO, Camera, Device, Mouse, Register, Walk
from simkernel.hardware.bus import registers as sheet
from tests.hardware.bench import Bench

START, DONE, RATIO, PLAIN = 0x10, 0x14, 0x18, 0x1C


class Busy(Device):
    """A device whose register hooks, power hooks and events emit trace records and schedule events."""

    vendor_id, device_id = 0x1234, 0xB5
    registers = (
        Register("START", START, WO),
        Register("DONE", DONE, W1C),
        Register("RATIO", RATIO, RO),
        Register("PLAIN", PLAIN, RW),
    )

    def act(self, what: str) -> None:
        self.emit(f"{what}_begins")
        self.dma_write(0, b"x")
        self.emit(f"{what}_ends")
        self.after(micros(1), self.tick, what)

    def power_on(self) -> None:
        self.ticks = 0
        self.act("power_on")

    def power_off(self) -> None:
        self.act("power_off")

    def write_start(self, value: int) -> None:
        assert self.plugged
        self.act("start")

    def read_ratio(self) -> int:
        assert self.plugged
        self.act("ratio")
        return 7

    def tick(self, what: str) -> None:
        assert self.plugged
        self.ticks += 1
        if self.ticks < 4:
            self.values[DONE] = 1
            self.act(f"tick_{self.ticks}")

    def asserts(self) -> bool:
        return self.values[DONE] != 0


def life(bench: Bench, device: Busy) -> list[int]:
    """Plug a device, access its registers, run the engine and unplug the device. Return the two values that
    were read from RATIO.
    """
    window = sheet.window(1)
    bench.handler = lambda line: bench.bus.writel(window + DONE, 1)
    bench.bus.plug(device, slot=1)
    ratios = []
    for ns in (0, 1500):
        bench.bus.writel(window + START, 1)
        ratios.append(bench.bus.readl(window + RATIO))
        bench.engine.charge(ns)
        bench.bus.writel(window + PLAIN, 5)
        bench.bus.readl(window + PLAIN)
    bench.engine.run()
    if device.slot is not None:
        bench.bus.unplug(device)
    bench.engine.run()
    return ratios


def at_record(bench: Bench, number: int, act: Callable[[], object]) -> None:
    """Call `act` while the trace record with index `number` is emitted."""

    def listen(record: Record) -> None:
        bench.records.append(record)
        if len(bench.records) - 1 == number:
            act()

    bench.engine.trace.subscribe(listen)


def total() -> int:
    bench = Bench()
    bench.trace()
    life(bench, Busy())
    return len(bench.records)


def unplug(bench: Bench, device: Busy) -> None:
    if device.slot is not None:
        bench.bus.unplug(device)


@pytest.mark.parametrize("number", range(total()))
def test_an_unplugged_device_has_no_further_effect(number: int) -> None:
    bench, device = Bench(), Busy()
    at_record(bench, number, partial(unplug, bench, device))
    ratios = life(bench, device)
    of_device = [each for each in bench.records if each.track == "busy0" or each.name.startswith("dma")]
    names = [each.name for each in of_device]
    assert names.count("unplug") == 1
    assert names[-1] == "unplug"
    reads = [each for each in of_device if each.fields.get("register") == "RATIO"]
    assert ratios == [7] * len(reads) + [sheet.ALL_ONES] * (2 - len(reads))
    assert bench.bus.slots[1].device is None
    assert bench.bus.readl(sheet.window(0) + sheet.PRESENT) == 1
    assert not bench.bus.interrupts.is_high(1)
    assert bench.engine.next_time() is None


@pytest.mark.parametrize("number", range(total()))
def test_a_device_that_is_replaced_within_a_record_is_not_touched(number: int) -> None:
    """If a device is replaced during an access or event, this access or event does not affect the
    replacement.
    """
    bench, device, other = Bench(), Busy(), Plain()

    def swap() -> None:
        if device.slot is not None:
            bench.bus.unplug(device)
            bench.bus.plug(other, slot=1)

    at_record(bench, number, swap)
    life(bench, device)
    if other.slot is not None:
        record = bench.records[number]
        if record.name == "rwmmio_write" and record.fields["register"] == "PLAIN":
            after = bench.records[number + 1 :]
            writes = [each for each in after if each.track == "plain0" and each.name == "rwmmio_write"]
            expected = 5 if writes and any(each.fields["offset"] == PLAIN for each in writes) else 0
            assert other.values[PLAIN] == expected
        assert bench.bus.readl(sheet.window(0) + sheet.PRESENT) == 0b11


class Plain(Device):
    """A device with one register, which only stores the written value."""

    registers = (Register("PLAIN", PLAIN, RW),)
    vendor_id, device_id = 0x1234, 0xB6


def test_a_device_that_unplugs_itself_in_a_hook_stops_there() -> None:
    class Shy(Device):
        registers = (Register("START", START, RW),)

        def write_start(self, value: int) -> None:
            bench.bus.unplug(self)
            self.after(1, self.emit, "late")

    bench, device = Bench(), Shy()
    bench.trace()
    bench.bus.plug(device)
    bench.write(device, START, 1)
    bench.engine.run()
    assert bench.records[-1].name == "unplug"


def test_a_device_is_not_plugged_in_again_while_its_code_runs() -> None:
    bench, device = Bench(), Busy()
    refused = []

    def replug() -> None:
        bench.bus.unplug(device)
        try:
            bench.bus.plug(device)
        except SimulationError as error:
            refused.append(str(error))
        bench.engine.call_later(0, bench.bus.plug, device)

    bench.bus.plug(device, slot=1)
    at_record(bench, 0, replug)
    bench.engine.run()
    assert refused == ["busy0 was unplugged while its code was running: plug it in after this code returns"]
    assert device.plugged


# -- with a kernel -------------------------------------------------------------------


async def viewer(app: App) -> None:
    try:
        camera = await app.genetlink("camera")
        await camera.do("stream-on")
        await camera.join("frames")
        async for event in camera.events("frame-ready"):
            if event["sequence"] == 2:
                await camera.do("stream-off")
                return
    except OSError:
        pass


def devices() -> Iterator[Device]:
    yield Camera()
    yield Mouse(Walk())


RECORDS = 3000


@given(data=st.data())
def test_the_machine_survives_unplug_and_plug_within_a_record(data: st.DataObject) -> None:
    numbers = data.draw(st.lists(st.integers(0, RECORDS), min_size=1, max_size=3, unique=True))
    again = data.draw(st.sampled_from(("never", "at once", "at the same instant", "later")))
    machine = Machine()
    places = list(devices())
    count = 0

    def go_and_come(device: Device) -> None:
        if device.slot is None:
            return
        machine.unplug(device)
        if again == "at once":
            try:
                machine.plug(device)
            except SimulationError as acting:
                assert "unplugged while its code was running" in str(acting)
        elif again != "never":
            delay = 0 if again == "at the same instant" else micros(50)
            machine.at(max(machine.now, machine.engine.time()) + delay, machine.plug, device)

    live: dict[str, bool] = {}

    def listen(record: Record) -> None:
        nonlocal count
        count += 1
        if record.track in live and record.name not in ("plug", "unplug"):
            assert live[record.track], record
        if record.name in ("plug", "unplug"):
            live[record.track] = record.name == "plug"
        if count in numbers:
            for device in places:
                go_and_come(device)

    machine.trace.subscribe(listen)
    for device in places:
        machine.plug(device)
    machine.run(until=millis(5))
    machine.spawn(viewer)
    machine.run(until=seconds(0.4))
    assert machine.statistics["oopses"] == 0
    for device in places:
        if device.slot is not None:
            machine.unplug(device)
    machine.run(until=seconds(0.5))
    assert machine.statistics["dma"]["allotted"] == 0
    machine.close()


@pytest.mark.parametrize("instants", [(0, 0, 0), (0, 0, 1), (0, 1, 1)])
def test_a_device_can_be_plugged_and_unplugged_at_one_instant(instants: tuple[int, int, int]) -> None:
    with Machine() as machine:
        device = Camera()
        first, second, third = (millis(1) + ns for ns in instants)
        machine.at(first, machine.plug, device)
        machine.at(second, machine.unplug, device)
        machine.at(third, machine.plug, device)
        machine.run(until=millis(100))
        assert machine.blocking().genetlink("camera").do("get-format")
        machine.unplug(device)
        with pytest.raises(SimulationError, match="not plugged in"):
            machine.unplug(device)
        machine.run(until=millis(200))
        assert machine.statistics["dma"]["allotted"] == 0
