"""The error of a faulty device names the device and its register or function, not its driver."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.engine import DeviceError, micros
from simkernel.hardware import RO, RW, WO, Device, Register
from simkernel.hardware.bus import registers as sheet
from tests.hardware.bench import Bench

LEVEL, RATIO, START = 0x10, 0x14, 0x18


class Faulty(Device):
    """A device that a test can make faulty. A write of 0 to START runs `action` at once. A write of
    another value runs it after 1 µs.
    """

    vendor_id, device_id = 0xBAD, 1
    registers = (Register("LEVEL", LEVEL, RW), Register("RATIO", RATIO, RO), Register("START", START, WO))
    ratio: Any = 0
    level: Any = False
    action: Callable[[Any], object] = staticmethod(lambda device: None)

    def read_ratio(self) -> Any:
        return self.ratio

    def write_start(self, value: int) -> None:
        if value:
            self.after(micros(1), self.started)
        else:
            self.action(self)

    def started(self) -> None:
        self.action(self)

    def asserts(self) -> Any:
        return self.level() if callable(self.level) else self.level


def plugged(**attributes: Any) -> tuple[Bench, Faulty]:
    bench, device = Bench(), Faulty()
    vars(device).update(attributes)
    bench.bus.plug(device)
    return bench, device


no_register_value = st.one_of(
    st.integers(max_value=-1),
    st.integers(min_value=1 << 32),
    st.floats(),
    st.none(),
    st.text(max_size=3),
    st.binary(max_size=4),
    st.lists(st.integers(), max_size=2),
)


@given(no_register_value)
def test_a_value_that_no_register_holds_names_the_register(value: Any) -> None:
    bench, device = plugged(ratio=value)
    device.values[LEVEL] = value
    for offset, name in ((LEVEL, "LEVEL"), (RATIO, "RATIO")):
        with pytest.raises(DeviceError, match=f"faulty0: .* read of {name}: the register has the value"):
            bench.read(device, offset)
    assert bench.read(device, sheet.SERIAL) == device.serial


@given(st.integers(0, 0xFFFFFFFF) | st.booleans())
def test_every_other_value_is_read_as_it_is(value: int) -> None:
    bench, device = plugged(ratio=value)
    device.values[LEVEL] = value
    assert bench.read(device, LEVEL) == bench.read(device, RATIO) == value


def test_an_identity_above_16_bits_is_an_error_when_it_is_read() -> None:
    class Huge(Faulty):
        vendor_id = 0x12345

    bench, device = Bench(), Huge()
    bench.bus.plug(device)
    with pytest.raises(DeviceError, match=r"huge0: .* read of ID"):
        bench.read(device, sheet.ID)


WRONG: dict[str, tuple[Callable[[Any], object], str]] = {
    "an exception": (lambda device: 1 // 0, "ZeroDivisionError"),
    "a line that does not exist": (
        lambda device: device.bus.interrupts.drive(32, device, device.name),
        "interrupt line 32 does not exist: use 0 to 31",
    ),
    "a negative line": (
        lambda device: device.bus.interrupts.drive(-1, device, device.name),
        "interrupt line -1 does not exist: use 0 to 31",
    ),
    "a line by name": (lambda device: device.bus.interrupts.drive("irq", device, device.name), "TypeError"),
    "text by DMA": (lambda device: device.dma_write(device.region, "text"), "TypeError"),
    "an address that is no int": (lambda device: device.dma_write(None, b"x"), "TypeError"),
    "a plan for the past": (lambda device: device.after(-5000, device.started), "is in the past"),
    "a plan for half a nanosecond": (lambda device: device.after(0.5, device.started), "int"),
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize(("value", "place"), [(1, "in started"), (0, "write of START")])
def test_an_error_of_a_device_names_the_device_and_the_place(what: str, value: int, place: str) -> None:
    action, why = WRONG[what]
    bench, device = plugged(action=action)
    device.__dict__["region"] = bench.bus.memory.allocate(64)
    with pytest.raises(DeviceError, match=f"^faulty0: .*{place}: ") as raised:
        bench.write(device, START, value)
        bench.engine.run()
    assert why in f"{type(raised.value.__cause__).__name__}: {raised.value}"
    assert not any(bench.bus.interrupts.is_high(line) for line in range(32))
    bench.bus.unplug(device)
    bench.bus.plug(Faulty())
    bench.engine.run()


def test_an_error_of_asserts_names_the_place() -> None:
    bench, device = plugged(level=False)
    device.level = lambda: 1 // 0
    with pytest.raises(DeviceError, match="faulty0: ZeroDivisionError in the device's write of LEVEL"):
        bench.write(device, LEVEL, 1)


@pytest.mark.parametrize("address", [-5, 0, 1 << 40])
def test_dma_outside_of_memory_is_a_bus_error(address: int) -> None:
    def action(device: Device) -> None:
        assert not device.dma_write(address, b"x")
        assert device.dma_read(address, 1) is None

    bench, device = plugged(action=action)
    bench.write(device, START, 1)
    bench.engine.run()
    assert len(bench.errors) == 2
    assert all("faulty0: DMA" in text for text in bench.errors)


def test_an_error_of_a_device_is_not_an_oops_of_its_driver(tmp_path: Any) -> None:
    from tests.kernel.conftest import Bench as Modules

    modules = Modules(tmp_path)
    modules.module(
        "m",
        """
        def probe(device):
            readl(devm_ioremap(device), 0x10).to_bytes(4, 'little')
        async def init(this):
            await simbus_register_driver(this, (SimbusDeviceId(0xBAD, 1),), probe)
        """,
    )
    device = Faulty()
    modules.machine.plug(device)
    device.values[LEVEL] = -5
    modules.pass_time(1_000_000)
    with pytest.raises(DeviceError, match="read of LEVEL: the register has the value -5"):
        modules.root.insmod("m")
    assert modules.machine.kernel.oopses.count == 0
    modules.close()
