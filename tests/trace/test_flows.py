"""Flow ids of trace records: no flow begins without a tracer, and each event that no request causes begins a
flow.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from simkernel import Machine, micros, millis
from simkernel.engine import Record
from simkernel.hardware import RW, W1C, Device, Register
from simkernel.trace import Diagram
from simkernel.uapi.netlink import NETLINK_USERSOCK
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW

ASKER, SERVER, OTHER = 100, 200, 300


async def ask(app: Any, portid: int, *times: int) -> None:
    """Send a message to the server at each time in `times`, which are µs since the boot. Then sleep for a
    second.
    """
    sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
    await sock.bind((portid, 0))
    for time in times:
        await app.sleep((micros(time) - app.monotonic_ns()) / 1e9)
        await sock.sendto(b"question", (SERVER, 0))
    await app.sleep(1)


async def answer(app: Any) -> None:
    """Reply to every request after some time."""
    sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
    await sock.bind((SERVER, 0))
    while True:
        _, sender = await sock.recvfrom(100)
        await app.sleep(500e-6)
        await sock.sendto(b"answer", sender)


def test_an_untraced_message_does_not_continue_a_flow() -> None:
    with Machine(udev=False) as machine:
        records: list[Record] = []
        machine.spawn(answer)
        machine.spawn(ask, ASKER, 1000)
        machine.spawn(ask, OTHER, 2500)
        unsubscribe = machine.trace.subscribe(records.append)
        machine.run(until=micros(2000))
        unsubscribe()
        old = {each.flow for each in records}
        records.clear()
        machine.run(until=micros(2800))
        machine.trace.subscribe(records.append)
        machine.run(until=micros(3500))
    sent = [each.flow for each in records if each.name == "netlink_unicast"]
    assert len(sent) == 1
    assert len(old) > 1
    assert not old & {*sent}


class Metronome(Device):
    """A device that ticks by itself or, with `by_itself=False`, on request. Like the devices of
    the guide, it does not handle flow ids.
    """

    vendor_id, device_id = 0x1234, 0x0002
    registers = (Register("START", 0x10, RW), Register("STATUS", 0x14, W1C))

    def __init__(self, *, by_itself: bool = True) -> None:
        self.by_itself = by_itself

    def power_on(self) -> None:
        if self.by_itself:
            self.after(millis(1), self.tick)

    def write_start(self, ticks: int) -> None:
        self.after(micros(100), self.prepare)

    def prepare(self) -> None:
        self.emit("prepare")
        self.after(micros(100), self.tick)

    def tick(self) -> None:
        self.values[0x14] = 1
        self.emit("tick")
        self.after(millis(1), self.tick)

    def asserts(self) -> bool:
        return self.values[0x14] != 0


DRIVER = """
from simkernel.driverapi.interrupt import IRQ_HANDLED, devm_request_irq
from simkernel.driverapi.io import devm_ioremap, readl, writel
from simkernel.driverapi.ktime import ktime_get
from simkernel.driverapi.module import Module
from simkernel.driverapi.simbus import SimbusDeviceId, module_simbus_driver
from simkernel.driverapi.timer import millis, mod_timer, timer_delete, timer_setup
from simkernel.driverapi.workqueue import cancel_work_sync, init_work, schedule_delayed_work

DEVICES = (SimbusDeviceId(0x1234, 0x0002),)
MODULE = Module(license="GPL", devices=DEVICES)


class MetronomeDriver:
    def __init__(self, this, undo):
        self.this = this
        self.timer = timer_setup(this, self.expired)
        self.work = init_work(this, self.poll)
        undo.callback(timer_delete, self.timer)
        undo.callback(cancel_work_sync, self.work)

    def probe(self, device):
        self.io = devm_ioremap(device)
        devm_request_irq(device, device.irq, self.interrupt, 0, "metronome")
        self.arm()
        schedule_delayed_work(self.work, millis(2))

    def remove(self, device):
        pass

    def arm(self):
        mod_timer(self.timer, ktime_get(self.this) + millis(2))

    def expired(self, timer):
        self.arm()

    def poll(self, work):
        schedule_delayed_work(work, millis(2))

    def interrupt(self, irq, cookie):
        writel(readl(self.io, 0x14), self.io, 0x14)
        return IRQ_HANDLED


init, exit = module_simbus_driver(DEVICES, MetronomeDriver)
"""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Return a machine that can load the driver of `Metronome`. The driver does not handle flow ids."""
    (tmp_path / "metronome.py").write_text(DRIVER, "utf-8")
    with Machine(module_path=[tmp_path]) as machine:
        machine.run(until=millis(5))
        yield machine


def watched(machine: Machine, *actions: Callable[[], object]) -> list[Record]:
    """Run the machine for 10 ms. Call the first action immediately, and each further action 5 ms after the
    previous one. Return the records of the trace.
    """
    records: list[Record] = []
    machine.trace.subscribe(records.append)
    begin = machine.now
    for number, action in enumerate(actions):
        machine.at(begin + millis(5 * number), action)
    machine.run(until=begin + millis(10))
    return records


def flows(records: list[Record], name: str, /, **fields: object) -> list[int]:
    """Return the flow ids of all records with the name `name` and the field values `fields`, without
    duplicates.
    """
    found = [each.flow for each in records if each.name == name and fields.items() <= each.fields.items()]
    return list(dict.fromkeys(found))


def test_a_plug_begins_a_flow_that_ends_with_its_driver(machine: Machine) -> None:
    device = Metronome(by_itself=False)
    records = watched(machine, lambda: machine.plug(device), lambda: machine.unplug(device))
    (plug,), (unplug,) = flows(records, "plug"), flows(records, "unplug")
    assert 0 < plug < unplug
    assert flows(records, "probe") == [plug]
    assert flows(records, "remove") == [unplug]


def test_each_interrupt_of_a_device_that_acts_by_itself_is_a_flow(machine: Machine) -> None:
    records = watched(machine, lambda: machine.plug(Metronome()))
    ticks = flows(records, "tick")
    assert len(ticks) == 9
    assert 0 not in ticks
    assert ticks == flows(records, "irq_raise")[1:] == flows(records, "irq_handler_entry", name="metronome")
    assert ticks == flows(records, "rwmmio_write", register="STATUS")
    assert not {*ticks} & {*flows(records, "plug")}


def test_each_expiry_of_a_timer_and_of_a_delay_is_a_flow(machine: Machine) -> None:
    records = watched(machine, lambda: machine.plug(Metronome(by_itself=False)))
    expiries, polls = flows(records, "timer_expire_entry"), flows(records, "workqueue_execute_start")
    assert len(expiries) == len(polls) == 4
    assert 0 not in expiries + polls
    assert len({*expiries, *polls}) == 7  # the first expiry and poll are in the flow of the plug event
    assert expiries[0] == polls[0] == flows(records, "plug")[0]


def test_events_of_a_request_are_in_its_flow_until_the_interrupt(machine: Machine) -> None:
    device = Metronome(by_itself=False)
    machine.plug(device)
    machine.run(until=millis(6))

    def start() -> None:
        assert device.slot is not None
        machine.trace.new_flow()
        machine.bus.writel(device.slot.address + 0x10, 1)

    records = watched(machine, start)
    (request,) = flows(records, "rwmmio_write", register="START")
    assert flows(records, "prepare") == [request]
    ticks = flows(records, "tick")
    assert ticks[0] == request
    assert len(ticks) == 10


def test_a_second_request_under_a_finished_flow_stays_in_it(machine: Machine) -> None:
    device = Metronome(by_itself=False)
    machine.plug(device)
    machine.run(until=millis(6))

    def start() -> None:
        assert device.slot is not None
        machine.trace.flow = 1000
        machine.bus.writel(device.slot.address + 0x10, 1)

    begin = machine.now
    machine.at(begin + micros(500), start)
    records = watched(machine, start)
    assert flows(records, "prepare") == [1000]


def test_an_interrupt_without_a_cause_begins_a_flow(machine: Machine) -> None:
    device = Metronome(by_itself=False)
    machine.plug(device)

    def fault() -> None:
        device.values[0x14] = 1
        device.drive()

    records = watched(machine, fault, fault)
    assert len(flows(records, "irq_raise")) == 2
    assert 0 not in flows(records, "irq_raise") + flows(records, "irq_handler_entry")


def test_no_flow_begins_without_a_listener(machine: Machine) -> None:
    before = machine.trace.flows
    machine.plug(Metronome())
    machine.run(until=millis(20))
    assert machine.trace.flows == before


def test_a_device_without_code_for_flows_is_drawn(machine: Machine) -> None:
    file = io.StringIO()
    with Diagram(file) as diagram:
        machine.trace.subscribe(diagram)
        machine.plug(Metronome())
        machine.run(until=millis(10))
    drawn = file.getvalue()
    assert "raises line" in drawn
    assert "readl STATUS gives 0x1" in drawn
    assert "more flows that begin with tick (metronome0) are not shown" in drawn
