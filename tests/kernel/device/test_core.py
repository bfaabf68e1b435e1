"""The device tree: classes, names, paths, and uevents of devices without a driver."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest

from simkernel import Machine, millis
from simkernel.kernel.device.core import DriverCore
from simkernel.kernel.device.device import Device, NodeAccess
from simkernel.uapi.uevent import Uevent


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(udev=False) as machine:
        yield machine


@pytest.fixture
def core(machine: Machine) -> DriverCore:
    return machine.kernel.devices


@pytest.fixture
def events(machine: Machine) -> list[Uevent]:
    seen: list[Uevent] = []
    machine.kernel.uevents.broadcast = lambda event, net: seen.append(event)
    return seen


def test_the_machine_boots_with_its_bus(core: DriverCore) -> None:
    assert list(core.buses) == ["simbus"]
    assert [device.devpath for device in core] == ["/devices/simbus0"]


def test_paths_of_class_devices(core: DriverCore) -> None:
    """The expected paths are those of `get_device_parent()`."""
    light, room = core.class_register(None, "light"), core.class_register(None, "room")
    root = next(iter(core))
    below_bus = core.device_create(None, light, root, "lamp0")
    below_class = core.device_create(None, room, below_bus, "room0")
    alone = core.device_create(None, light, None, "lamp1")
    assert below_bus.devpath == "/devices/simbus0/light/lamp0"
    assert below_class.devpath == "/devices/simbus0/light/lamp0/room0"
    assert alone.devpath == "/devices/virtual/light/lamp1"
    assert [device.name for device in core] == ["simbus0", "lamp0", "room0", "lamp1"]


def test_children_go_first(core: DriverCore, events: list[Uevent]) -> None:
    light = core.class_register(None, "light")
    top = core.device_create(None, light, None, "top")
    middle = core.device_create(None, light, top, "middle")
    for name in ("left", "right"):
        core.device_create(None, light, middle, name)
    del events[:]
    core.device_unregister(top)
    assert [(event.action, event.devpath.rpartition("/")[2]) for event in events] == [
        ("remove", "right"),
        ("remove", "left"),
        ("remove", "middle"),
        ("remove", "top"),
    ]
    assert light.devices == []
    core.device_unregister(top)
    assert len(events) == 4


def test_the_variables_of_a_uevent_have_an_order(core: DriverCore, events: list[Uevent]) -> None:
    """`dev_uevent()` adds node, driver, bus and class, then the device's own variables, then SEQNUM."""
    light = core.class_register(None, "light", lambda device: {"LIGHT": device.name})
    device = core.device_create(
        None, light, None, "lamp0", node="lamps/0", number=(81, 3), environment={"COLOUR": "red"}
    )
    core.changed(device, {"BULB": "broken"})
    add, change = events[-2:]
    common = ["MAJOR", "MINOR", "DEVNAME", "LIGHT", "COLOUR", "SEQNUM"]
    assert list(add.variables) == ["ACTION", "DEVPATH", "SUBSYSTEM", *common]
    assert list(change.variables) == ["ACTION", "DEVPATH", "SUBSYSTEM", "BULB", *common]
    assert change.variables["DEVNAME"] == "lamps/0"
    assert (change.action, change.variables["SUBSYSTEM"]) == ("change", "light")


def test_access_of_a_node_is_in_its_uevent(core: DriverCore, events: list[Uevent]) -> None:
    """DEVMODE, DEVUID and DEVGID are left out if they are 0 (`dev_uevent()`)."""
    accesses = {
        "a": NodeAccess(0o640, uid=5, gid=6), "b": NodeAccess(0o7777),
        "c": NodeAccess(uid=1), "d": NodeAccess(),
    }  # fmt: skip
    kind = core.class_register(None, "k", devnode=lambda device: accesses[device.name])
    found = {}
    for minor, name in enumerate(accesses):
        core.device_create(None, kind, None, name, number=(81, minor))
        variables = events[-1].variables
        found[name] = {
            key: value for key, value in variables.items() if key[:4] == "DEVM" or key[-2:] == "ID"
        }
    assert found == {
        "a": {"DEVMODE": "0640", "DEVUID": "5", "DEVGID": "6"}, "b": {"DEVMODE": "0777"},
        "c": {"DEVUID": "1"}, "d": {},
    }  # fmt: skip


def test_names_are_unique_where_they_stand(machine: Machine, core: DriverCore) -> None:
    light = core.class_register(None, "light")
    core.device_create(None, light, None, "lamp0")
    for name, number in (("lamp0", errno.EEXIST), ("", errno.EINVAL), ("a/b", errno.EINVAL)):
        with pytest.raises(OSError) as raised:
            core.device_create(None, light, None, name)
        assert raised.value.errno == number
    assert machine.log.records[-1].text == (
        "sysfs: cannot create duplicate filename '/devices/virtual/light/lamp0'"
    )
    with pytest.raises(FileExistsError):
        core.class_register(None, "light")


def test_a_class_goes_with_its_devices(core: DriverCore, events: list[Uevent]) -> None:
    light = core.class_register(None, "light")
    core.device_create(None, light, None, "lamp0")
    core.class_unregister(light)
    assert [(event.action, event.devpath) for event in events[-2:]] == [
        ("remove", "/devices/virtual/light/lamp0"),
        ("remove", "/class/light"),
    ]
    assert core.classes == {}


def test_a_device_without_bus_and_class_sends_no_uevent(
    machine: Machine, core: DriverCore, events: list[Uevent]
) -> None:
    device = Device(machine.kernel.locking, "dull")
    machine.kernel.processes.kthread("adder", core.device_add(device))
    machine.run(until=millis(1))
    assert device.registered
    assert events == []


def test_too_long_an_event_is_dropped_and_logged(
    machine: Machine, core: DriverCore, events: list[Uevent]
) -> None:
    light = core.class_register(None, "light")
    sequence = machine.kernel.uevents.sequence
    core.device_create(None, light, None, "lamp0", environment={"LONG": "x" * 2048})
    assert len(events) == 1
    assert machine.kernel.uevents.sequence == sequence
    assert "too small" in machine.log.records[-1].text
