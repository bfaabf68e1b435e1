"""The kernel's side of the hardware bus: devices that are plugged and unplugged, their drivers, and
uevents.
"""

from __future__ import annotations

import errno
from typing import Any

import pytest

from simkernel import Machine, millis, seconds
from simkernel.hardware.bus import Device as Hardware
from simkernel.uapi.netlink import NETLINK_KOBJECT_UEVENT
from tests.kernel.conftest import Bench


class Lamp(Hardware):
    """A device that has only the four registers that every device has."""

    vendor_id, device_id = 0x51B5, 0x1A3B
    class_code = 0x42
    revision = 7


class Listener:
    """A socket that receives uevents. `take` returns the uevents since its last call."""

    def __init__(self, bench: Bench) -> None:
        self.sock = bench.root.socket(proto=NETLINK_KOBJECT_UEVENT)
        self.sock.bind((0, 1))
        self.sock.setblocking(False)

    def take(self) -> list[list[str]]:
        events = []
        while True:
            try:
                events.append(self.sock.recv(8192).decode().rstrip("\0").split("\0"))
            except BlockingIOError:
                return events

    def headlines(self) -> list[str]:
        return [event[0] for event in self.take()]


DRIVER = """
ID = SimbusDeviceId(0x51B5, 0x1A3B)
async def init(this):
    state = []
    async def probe(device):
        state.append(("probe", device.name, device.driver.name))
        PROBE
        state.append(("bound", device.name))
    async def remove(device):
        state.append(("remove", device.name))
        REMOVE
    state.insert(0, await simbus_register_driver(this, (ID,), probe, remove))
    return state
async def exit(this, state):
    await simbus_unregister_driver(state[0])
"""


def write_driver(bench: Bench, name: str = "lamp", probe: str = "pass", remove: str = "pass") -> None:
    bench.module(name, DRIVER.replace("PROBE", probe).replace("REMOVE", remove))


def test_a_device_that_is_plugged_in_is_announced(bench: Bench) -> None:
    listener = Listener(bench)
    bench.machine.plug(Lamp(), slot=3)
    bench.pass_time(millis(1))
    sequence = bench.machine.kernel.uevents.sequence
    assert listener.take() == [
        [
            "add@/devices/simbus0/0:3",
            "ACTION=add",
            "DEVPATH=/devices/simbus0/0:3",
            "SUBSYSTEM=simbus",
            "SIMBUS_CLASS=0042",
            "SIMBUS_ID=51B5:1A3B",
            "SIMBUS_SLOT_NAME=0:3",
            "MODALIAS=simbus:v000051B5d00001A3B",
            f"SEQNUM={sequence}",
        ]
    ]
    assert "simbus 0:3: [51b5:1a3b] class 0x42 rev 7 irq 3" in bench.log


def test_the_events_of_a_life(bench: Bench) -> None:
    write_driver(
        bench,
        probe="device.data = device_create(this, KIND[0], device, 'lamp0')",
        remove="device_unregister(device.data)",
    )
    text = (bench.folder / "lamp.py").read_text()
    (bench.folder / "lamp.py").write_text(
        text.replace("    state = []", "    state = []; KIND = [class_register(this, 'light')]").replace(
            "unregister_driver(state[0])", "unregister_driver(state[0]); class_unregister(state[1])"
        ).replace("    return state", "    state.insert(1, KIND[0]); return state")
    )  # fmt: skip
    listener = Listener(bench)
    lamp = Lamp()
    bench.machine.plug(lamp)
    bench.pass_time(millis(1))
    bench.load("lamp")
    bench.machine.unplug(lamp)
    bench.pass_time(millis(1))
    bench.root.rmmod("lamp")
    events = listener.take()
    assert [event[0] for event in events] == [
        "add@/devices/simbus0/0:1",
        "add@/class/light",
        "add@/devices/simbus0/0:1/light/lamp0",
        "bind@/devices/simbus0/0:1",
        "add@/bus/simbus/drivers/lamp",
        "add@/module/lamp",
        "remove@/devices/simbus0/0:1/light/lamp0",
        "unbind@/devices/simbus0/0:1",
        "remove@/devices/simbus0/0:1",
        "remove@/bus/simbus/drivers/lamp",
        "remove@/class/light",
        "remove@/module/lamp",
    ]
    bind, unbind = events[3], events[7]
    assert bind[3:5] == ["SUBSYSTEM=simbus", "DRIVER=lamp"]
    assert any(line.startswith("MODALIAS=") for line in bind)
    assert not any(line.startswith(("DRIVER=", "MODALIAS=")) for line in unbind)
    numbers = [int(event[-1].removeprefix("SEQNUM=")) for event in events]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert "left behind" not in " ".join(bench.log)


def test_probe_and_remove(bench: Bench) -> None:
    write_driver(bench, probe="await msleep(this, 5)")
    lamp = Lamp()
    bench.machine.plug(lamp)
    bench.pass_time(millis(1))
    state = bench.load("lamp")
    assert state[1:] == [("probe", "0:1", "lamp"), ("bound", "0:1")]
    bench.machine.unplug(lamp)
    bench.pass_time(millis(1))
    assert state[3:] == [("remove", "0:1")]
    bench.machine.plug(lamp)
    bench.pass_time(millis(10))
    assert state[4:] == [("probe", "0:1", "lamp"), ("bound", "0:1")]
    bench.root.rmmod("lamp")
    assert state[6:] == [("remove", "0:1")]


def test_a_device_unplugged_during_the_probe_is_removed_afterwards(bench: Bench) -> None:
    write_driver(bench, probe="await msleep(this, 50)")
    state = bench.load("lamp")
    lamp = Lamp()
    bench.machine.plug(lamp)
    bench.pass_time(millis(10))
    bench.machine.unplug(lamp)
    bench.pass_time(millis(100))
    assert [entry[0] for entry in state[1:]] == ["probe", "bound", "remove"]
    assert [device.name for device in bench.machine.kernel.devices] == ["simbus0"]


def test_an_unplug_and_plug_before_the_interrupt_is_handled(bench: Bench) -> None:
    write_driver(bench)
    state = bench.load("lamp")
    lamp = Lamp()
    bench.machine.plug(lamp)
    bench.pass_time(millis(1))
    bench.machine.unplug(lamp)
    bench.machine.plug(lamp)
    bench.pass_time(millis(1))
    assert [entry[0] for entry in state[1:]] == ["probe", "bound", "remove", "probe", "bound"]


def test_a_plug_and_unplug_before_the_interrupt_is_handled(bench: Bench) -> None:
    listener = Listener(bench)
    lamp = Lamp()
    bench.machine.plug(lamp)
    bench.machine.unplug(lamp)
    bench.pass_time(millis(1))
    assert listener.take() == []


def test_several_at_once_come_by_slot(bench: Bench) -> None:
    listener = Listener(bench)
    for slot in (5, 2, 9):
        bench.machine.plug(Lamp(), slot=slot)
    bench.pass_time(millis(1))
    assert listener.headlines() == [f"add@/devices/simbus0/0:{slot}" for slot in (2, 5, 9)]


@pytest.mark.parametrize(
    ("probe", "line"),
    [
        ("raise os_error(ENODEV)", None),
        ("raise os_error(ENXIO)", None),
        ("raise os_error(EIO)", "lamp 0:1: probe with driver lamp failed with error -5"),
        ("1 / 0", "lamp 0:1: probe with driver lamp failed with error -14"),
    ],
)
def test_a_probe_that_fails(bench: Bench, probe: str, line: str | None) -> None:
    write_driver(bench, probe=f"devm_add_action(device, state.append, ('released', device.name)); {probe}")
    bench.machine.plug(Lamp())
    state = bench.load("lamp")
    assert [entry[0] for entry in state[1:]] == ["probe", "released"]
    assert [text for text in bench.log if "failed with error" in text] == ([line] if line else [])
    (device,) = bench.machine.kernel.simbus.type.devices
    assert device.driver is None
    assert device.data is None


def test_the_first_driver_that_takes_it_has_it(bench: Bench) -> None:
    write_driver(bench, "shy", probe="raise os_error(ENODEV)")
    write_driver(bench, "bold")
    write_driver(bench, "late")
    for name in ("shy", "bold", "late"):
        bench.load(name)
    bench.machine.plug(Lamp())
    bench.pass_time(millis(1))
    (device,) = bench.machine.kernel.simbus.type.devices
    assert device.driver is not None
    assert device.driver.name == "bold"
    assert len(bench.data("late")) == 1


def test_managed_resources_go_last_first_after_remove(bench: Bench) -> None:
    write_driver(
        bench,
        probe="for n in range(3): devm_add_action(device, state.append, ('action', n))\n"
        "        dmam_alloc_coherent(device, 64)\n"
        "        devm_request_irq(device, device.irq, lambda irq, cookie: IRQ_NONE, 0, 'lamp', device)",
    )
    lamp = Lamp()
    bench.machine.plug(lamp)
    state = bench.load("lamp")
    kernel = bench.machine.kernel
    assert kernel.dma.allotted == 64
    line = kernel.interrupts.lines[1]
    assert (line.count, [action.name for action in line.actions]) == (0, ["lamp"])
    bench.machine.unplug(lamp)
    bench.pass_time(millis(1))
    assert state[3:] == [("remove", "0:1"), ("action", 2), ("action", 1), ("action", 0)]
    assert kernel.dma.allotted == 0
    assert not line.actions


def test_a_managed_action_that_fails_is_an_oops_and_the_others_go_on(bench: Bench) -> None:
    write_driver(
        bench,
        probe="devm_add_action(device, state.append, ('first',)); devm_add_action(device, lambda: 1 / 0)",
    )
    lamp = Lamp()
    bench.machine.plug(lamp)
    state = bench.load("lamp")
    bench.machine.unplug(lamp)
    bench.pass_time(millis(1))
    assert state[-1] == ("first",)
    assert bench.machine.kernel.oopses.count == 1


def test_a_child_left_behind_is_removed_and_logged(bench: Bench) -> None:
    write_driver(bench, probe="device_create(this, class_register(this, 'light'), device, 'lamp0')")
    bench.load("lamp")
    lamp = Lamp()
    bench.machine.plug(lamp)
    bench.pass_time(millis(1))
    listener = Listener(bench)
    bench.machine.unplug(lamp)
    bench.pass_time(millis(1))
    assert listener.headlines() == [
        "unbind@/devices/simbus0/0:1",
        "remove@/devices/simbus0/0:1/light/lamp0",
        "remove@/devices/simbus0/0:1",
    ]
    assert "simbus 0:1: its child lamp0 was left behind" in bench.log


def test_a_driver_left_behind_is_unregistered(bench: Bench) -> None:
    write_driver(bench)
    path = bench.folder / "lamp.py"
    path.write_text(path.read_text().replace("await simbus_unregister_driver(state[0])", "pass"))
    bench.machine.plug(Lamp())
    state = bench.load("lamp")
    bench.root.rmmod("lamp")
    assert state[-1] == ("remove", "0:1")
    assert "lamp: left behind: driver lamp" in bench.log
    assert bench.machine.kernel.simbus.type.drivers == []


def test_unload_waits_for_a_probe_that_is_under_way(bench: Bench) -> None:
    """`rmmod` waits until a running probe has returned. In Linux, `bus_for_each_drv()` holds a reference to
    the driver during the probe, and `klist_remove()` waits until this reference is released.
    """
    write_driver(bench, probe="await msleep(this, 5)")
    state = bench.load("lamp")
    bench.machine.plug(Lamp())
    bench.pass_time(millis(1))
    bench.root.rmmod("lamp")
    assert [each[0] for each in state[1:]] == ["probe", "bound", "remove"]
    assert "left behind" not in " ".join(bench.log)


def test_a_driver_that_has_gone_is_not_probed(bench: Bench) -> None:
    """`next_driver()` skips drivers that `klist_remove()` has removed."""
    write_driver(bench, "lamp", probe="await msleep(this, 5); raise os_error(ENODEV)")
    write_driver(bench, "other")
    bench.load("lamp")
    other = bench.load("other")
    bench.machine.plug(Lamp())
    bench.pass_time(millis(1))
    bench.root.rmmod("other")
    bench.pass_time(millis(10))
    assert other[1:] == []


def test_a_drivers_name_is_its_own(bench: Bench) -> None:
    write_driver(bench, "lamp")
    write_driver(bench, "other")
    path = bench.folder / "other.py"
    path.write_text(path.read_text().replace("probe, remove)", "probe, remove, name='lamp')"))
    bench.load("lamp")
    with pytest.raises(OSError):
        bench.load("other")
    assert "Error: Driver 'lamp' is already registered, aborting..." in bench.log


# -- deferred probing ------------------------------------------------------------------


def test_a_deferred_probe_is_tried_again_when_something_is_bound(bench: Bench) -> None:
    class Fuse(Hardware):
        vendor_id, device_id = 0x51B5, 0xF05E

    write_driver(bench, probe="if len(state) < 4: raise os_error(EPROBE_DEFER)")
    write_driver(bench, "fuse")
    path = bench.folder / "fuse.py"
    path.write_text(path.read_text().replace("0x1A3B", "0xF05E"))
    bench.machine.plug(Lamp())
    state = bench.load("lamp")
    bench.load("fuse")
    binding = bench.machine.kernel.devices.binding
    assert [device.name for device in binding.deferred] == ["0:1"]
    for _ in range(3):
        bench.machine.plug(Fuse())
        bench.pass_time(millis(1))
    assert [entry[0] for entry in state[1:]] == ["probe", "probe", "probe", "bound"]
    assert binding.deferred == ()
    assert not any("failed with error" in text for text in bench.log)


def test_a_deferred_device_that_goes_is_forgotten(bench: Bench) -> None:
    write_driver(bench, probe="raise os_error(EPROBE_DEFER)")
    lamp = Lamp()
    bench.machine.plug(lamp)
    bench.load("lamp")
    bench.machine.unplug(lamp)
    bench.pass_time(millis(1))
    assert bench.machine.kernel.devices.binding.deferred == ()


# -- modules, uevents and udev ----------------------------------------------------------


def test_udevd_loads_the_driver_by_modalias(bench: Bench) -> None:
    bench.module(
        "lamp", DRIVER.replace("PROBE", "pass").replace("REMOVE", "pass"), aliases=("simbus:v*d00001A3B*",)
    )
    with Machine(module_path=[bench.folder]) as machine:
        machine.plug(Lamp())
        machine.run(until=seconds(1))
        module = machine.kernel.modules.find("lamp")
        assert module is not None
        assert [entry[0] for entry in module.data[1:]] == ["probe", "bound"]


def test_registers_of_an_unplugged_device_read_as_all_ones(bench: Bench) -> None:
    write_driver(
        bench,
        probe="device.data = devm_ioremap(device); state.append(readl(device.data, 0))",
        remove="writel(1, device.data, 0); state.append(readl(device.data, 0))",
    )
    lamp = Lamp()
    bench.machine.plug(lamp)
    state = bench.load("lamp")
    bench.machine.unplug(lamp)
    bench.pass_time(millis(1))
    assert state[2] == 0x51B5_1A3B
    assert state[-1] == 0xFFFF_FFFF
    assert not any("bus error" in text for text in bench.log)


def test_registers_after_the_driver_is_gone_are_a_bus_error(bench: Bench) -> None:
    write_driver(bench, probe="state.append(devm_ioremap(device))")
    lamp = Lamp()
    bench.machine.plug(lamp)
    io: Any = bench.load("lamp")[2]
    bench.root.rmmod("lamp")
    assert io.bus.readl(io.base) == 0xFFFF_FFFF
    assert any("bus error" in text for text in bench.log)


def test_a_class_that_fails_over_an_event_is_an_oops_and_no_event(bench: Bench) -> None:
    write_driver(
        bench,
        probe="device.data = device_create(this, class_register(this, 'light', lambda it: {'A': 1 / 0}), "
        "device, 'lamp0')",
    )
    bench.load("lamp")
    listener = Listener(bench)
    bench.machine.plug(Lamp())
    bench.pass_time(millis(1))
    assert "add@/devices/simbus0/0:1/light/lamp0" not in listener.headlines()
    assert bench.machine.kernel.oopses.reports[0].where == "uevent of lamp0"


def test_a_task_killed_while_it_probes_leaves_the_device_to_others(bench: Bench) -> None:
    write_driver(bench, probe="dmam_alloc_coherent(device, 64); await msleep(this, 10_000)")
    lamp = Lamp()
    bench.machine.plug(lamp)
    bench.pass_time(millis(1))

    async def loader(app: Any) -> None:
        await app.insmod("lamp")

    process = bench.machine.spawn(loader)
    bench.pass_time(millis(10))
    kernel = bench.machine.kernel
    task = kernel.processes.find(process.pid)
    kernel.processes.runner.end(task, 9)
    bench.machine.unplug(lamp)
    bench.pass_time(seconds(20))
    assert kernel.dma.allotted == 0
    assert [device.name for device in kernel.devices] == ["simbus0"]
    assert bench.states() == {"lamp": "Loading"}


@pytest.mark.parametrize("name", ["", "a/b", "a\0b"])
def test_names_that_are_none(bench: Bench, name: str) -> None:
    bench.module("m", f"def init(this): class_register(this, {name!r})")
    with pytest.raises(OSError) as raised:
        bench.load("m")
    assert raised.value.errno == errno.EINVAL
