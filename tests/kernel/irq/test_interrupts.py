"""Interrupts: the handlers of a line, the time of their calls, and the kernel's reaction to a bad handler."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from simkernel import Machine, micros, millis, seconds
from simkernel.hardware.bus import RW, W1C, Device, Register
from simkernel.kernel.irq.descriptor import IRQ_HANDLED, IRQ_NONE, IRQ_WAKE_THREAD, IRQF_ONESHOT, IRQF_SHARED
from simkernel.kernel.irq.interrupts import Interrupts
from tests.kernel.conftest import Bench

STATUS, RING = 0x10, 0x14


class Bell(Device):
    """A device that raises its line on request, and lowers it when STATUS is written."""

    vendor_id, device_id = 0x51B5, 0x7E57
    registers = (Register("STATUS", STATUS, W1C), Register("RING", RING, RW))

    def asserts(self) -> bool:
        return bool(self.values[STATUS])

    def write_ring(self, value: int) -> None:
        self.values[STATUS] |= value

    def ring_at(self, delay: int, bits: int = 1) -> None:
        self.after(delay, self.write_ring, bits)


class Handler:
    """A handler that records the times of its calls, and makes the device lower its interrupt line."""

    def __init__(self, machine: Machine, bell: Bell, result: object = IRQ_HANDLED) -> None:
        self.machine = machine
        self.bell = bell
        self.result = result
        self.times: list[int] = []

    @property
    def window(self) -> int:
        assert self.bell.slot is not None
        return self.bell.slot.address

    def __call__(self, irq: int, cookie: object) -> Any:
        kernel = self.machine.kernel
        assert kernel.preempt.in_interrupt
        assert kernel.current() is None
        if not self.machine.bus.readl(self.window + STATUS):
            return IRQ_NONE
        self.times.append(self.machine.engine.now)
        self.machine.bus.writel(self.window + STATUS, 0xFFFF_FFFF)
        return self.result


@pytest.fixture
def machine() -> Any:
    with Machine(udev=False) as machine:
        yield machine


def interrupts(machine: Machine) -> Interrupts:
    return machine.kernel.interrupts


def plug(machine: Machine, line: int = 9) -> Bell:
    bell = Bell()
    machine.plug(bell, line=line)
    machine.run(until=machine.now + millis(1))
    return bell


def log(machine: Machine) -> list[str]:
    return [record.text for record in machine.log.records]


def test_a_handler_is_called_at_once(machine: Machine) -> None:
    bell = plug(machine)
    handler = Handler(machine, bell)
    interrupts(machine).request(None, 9, handler, "bell")
    at = machine.now
    bell.ring_at(micros(50))
    bell.ring_at(micros(70))
    machine.run(until=seconds(1))
    assert handler.times == [at + micros(50), at + micros(70)]
    line = interrupts(machine).lines[9]
    assert (line.count, [action.name for action in line.actions]) == (2, ["bell"])
    assert interrupts(machine).count >= 2


def test_a_line_that_was_high_before_interrupts_when_requested(machine: Machine) -> None:
    bell = plug(machine)
    bell.ring_at(0)
    machine.run(until=millis(2))
    handler = Handler(machine, bell)
    interrupts(machine).request(None, 9, handler, "bell")
    machine.run(until=millis(3))
    assert len(handler.times) == 1


def test_a_device_that_is_not_silenced_interrupts_again_at_once(machine: Machine) -> None:
    bell = plug(machine)
    calls = 0

    def lazy(irq: int, cookie: object) -> int:
        nonlocal calls
        calls += 1
        if calls == 5:
            assert bell.slot is not None
            machine.bus.writel(bell.slot.address + STATUS, 1)
        return IRQ_HANDLED

    interrupts(machine).request(None, 9, lazy, "bell")
    bell.ring_at(0)
    machine.run(until=millis(2))
    assert calls == 5


def test_all_handlers_of_a_shared_line_are_asked(machine: Machine) -> None:
    bells = [plug(machine), plug(machine)]
    handlers = [Handler(machine, bell) for bell in bells]
    for handler in handlers:
        interrupts(machine).request(None, 9, handler, "bell", handler, flags=IRQF_SHARED)
    bells[1].ring_at(micros(10))
    machine.run(until=seconds(1))
    assert [len(handler.times) for handler in handlers] == [0, 1]


@pytest.mark.parametrize(
    ("arguments", "number"),
    [
        ({"irq": 99}, errno.EINVAL),
        ({"irq": -1}, errno.EINVAL),
        ({"handler": None}, errno.EINVAL),
        ({"flags": IRQF_SHARED}, errno.EINVAL),
        ({"handler": None, "thread_function": print}, errno.EINVAL),
    ],
)
def test_requests_that_will_not_do(machine: Machine, arguments: dict[str, Any], number: int) -> None:
    full: dict[str, Any] = {"irq": 9, "handler": print, "name": "bell"} | arguments
    with pytest.raises(OSError) as raised:
        interrupts(machine).request(None, **full)
    assert raised.value.errno == number


@pytest.mark.parametrize(
    ("first", "second"),
    [(0, 0), (IRQF_SHARED, 0), (0, IRQF_SHARED), (IRQF_SHARED, IRQF_SHARED | IRQF_ONESHOT)],
)
def test_a_line_is_shared_by_agreement_only(machine: Machine, first: int, second: int) -> None:
    interrupts(machine).request(None, 9, print, "one", "cookie", flags=first)
    with pytest.raises(OSError) as raised:
        interrupts(machine).request(None, 9, print, "two", "other", flags=second)
    assert raised.value.errno == errno.EBUSY
    assert log(machine)[-1] == f"genirq: Flags mismatch irq 9. {second:08x} (two) vs. {first:08x} (one)"


def test_disabling_nests(machine: Machine) -> None:
    bell = plug(machine)
    handler = Handler(machine, bell)
    lines = interrupts(machine)
    lines.request(None, 9, handler, "bell")
    lines.disable(9)
    lines.disable(9)
    bell.ring_at(0)
    machine.run(until=millis(2))
    lines.enable(9)
    machine.run(until=millis(3))
    assert handler.times == []
    lines.enable(9)
    machine.run(until=millis(4))
    assert len(handler.times) == 1
    lines.enable(9)
    assert log(machine)[-1] == "WARNING: Unbalanced enable for IRQ 9"


def test_an_unhandled_interrupt_is_disabled(machine: Machine) -> None:
    bell = plug(machine)

    def deaf(irq: int, cookie: object) -> int:
        return IRQ_NONE

    interrupts(machine).request(None, 9, deaf, "bell")
    bell.ring_at(0)
    machine.run(until=seconds(2))
    assert interrupts(machine).lines[9].count == 100_000
    assert log(machine)[-4:] == [
        'irq 9: nobody cared (try booting with the "irqpoll" option)',
        "handlers:",
        "deaf",
        "Disabling IRQ #9",
    ]


def test_odd_spurious_interrupts_are_forgiven(machine: Machine) -> None:
    bell = plug(machine)
    handler = Handler(machine, bell, IRQ_NONE)
    interrupts(machine).request(None, 9, handler, "bell")
    for number in range(20):
        bell.ring_at(millis(200) * number)
    machine.run(until=seconds(5))
    assert interrupts(machine).lines[9].unhandled == 1


@pytest.mark.parametrize(("result", "shown"), [(None, "NoneType"), (7, "7"), ("x", "str")])
def test_a_bogus_return_value(machine: Machine, result: object, shown: str) -> None:
    bell = plug(machine)
    interrupts(machine).request(None, 9, Handler(machine, bell, result), "bell")
    bell.ring_at(0)
    machine.run(until=millis(2))
    assert f"irq event 9: bogus return value {shown}" in log(machine)


def test_wake_thread_without_a_thread(machine: Machine) -> None:
    bell = plug(machine)

    def handler(irq: int, cookie: object) -> int:
        assert bell.slot is not None
        machine.bus.writel(bell.slot.address + STATUS, 1)
        return IRQ_WAKE_THREAD

    interrupts(machine).request(None, 9, handler, "bell")
    bell.ring_at(0)
    machine.run(until=millis(2))
    assert "irq 9: handler returned IRQ_WAKE_THREAD but no thread function available." in log(machine)


# -- handlers of modules --------------------------------------------------------------

DRIVER = """
MODULE_ID = SimbusDeviceId(0x51B5, 0x7E57)
async def init(this):
    return await simbus_register_driver(this, (MODULE_ID,), lambda device: probe(this, device))
async def exit(this, driver):
    await simbus_unregister_driver(driver)
def probe(this, device):
    io = devm_ioremap(device)
    devm_request_irq(device, device.irq, handler, 0, "bell", (this, io))
"""


def bell_with(bench: Bench, handler: str) -> Bell:
    bench.module("m", DRIVER + handler)
    bench.load("m")
    bell = Bell()
    bench.machine.plug(bell)
    bench.pass_time(millis(1))
    bell.ring_at(0)
    bench.pass_time(millis(1))
    return bell


def test_a_handler_that_fails_has_not_handled(bench: Bench) -> None:
    bench_handler = """
def handler(irq, cookie):
    writel(1, cookie[1], 0x10)
    raise os_error(EIO)
"""
    bell_with(bench, bench_handler)
    kernel = bench.machine.kernel
    assert kernel.oopses.reports[0].where == "irq handler bell"
    assert kernel.interrupts.lines[1].unhandled == 1
    bench.pass_time(seconds(1))
    assert kernel.oopses.count == 1


SLEEPY = {
    "msleep": "msleep(this, 10)",
    "mutex_lock": "mutex_lock(mutex_init(this, 'm'))",
    "wait_for_completion": "wait_for_completion(init_completion(this, 'c'))",
    "free_irq": "free_irq(this, irq)",
    "cancel_work_sync": "cancel_work_sync(init_work(this, print))",
    "read_poll_timeout": "read_poll_timeout(this, int, bool, 1, 1)",
    "request_module": "request_module(this, 'hello')",
}


@pytest.mark.parametrize("function", SLEEPY)
def test_sleeping_in_a_handler_is_a_logged_bug(bench: Bench, function: str) -> None:
    bell_with(
        bench,
        f"""
def handler(irq, cookie):
    this, io = cookie
    {SLEEPY[function]}
    writel(1, io, 0x10)
    return IRQ_HANDLED
""",
    )
    kernel = bench.machine.kernel
    assert kernel.preempt.bugs == 1
    assert f"BUG: sleeping function called from invalid context at {function}" in bench.log
    assert "in_atomic(): 1, irqs_disabled(): 1, pid: 0, name: swapper/0" in bench.log
    assert kernel.interrupts.lines[1].unhandled == 0
    assert kernel.oopses.count == 0


def test_an_async_handler_is_a_logged_bug(bench: Bench) -> None:
    bell = bell_with(
        bench,
        """
async def handler(irq, cookie):
    raise AssertionError("ran")
""",
    )
    assert "BUG: scheduling while atomic: swapper/0/0/0x00010000" in bench.log
    bench.machine.unplug(bell)


def test_a_handler_that_keeps_a_spinlock_is_a_logged_bug(bench: Bench) -> None:
    bell_with(
        bench,
        """
def handler(irq, cookie):
    this, io = cookie
    spin_lock(spin_lock_init(this, "ring"))
    writel(1, io, 0x10)
    return IRQ_HANDLED
""",
    )
    assert "BUG: irq 1 returned with spinlock ring held" in bench.log
    assert not bench.machine.kernel.preempt.in_atomic
