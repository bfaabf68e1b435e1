"""The uevent monitor, and udevd, which uses it."""

from __future__ import annotations

from typing import Any

import pytest

from simkernel import Machine, millis, seconds
from simkernel.hardware import Camera, Device, Mouse
from simkernel.uapi.errno import ENOBUFS
from simkernel.uapi.netlink import NETLINK_KOBJECT_UEVENT, NLM_F_REQUEST, NLMSG_MIN_TYPE, message
from simkernel.uapi.socket import AF_NETLINK, SO_RCVBUF, SOCK_RAW, SOL_SOCKET


class Nameless(Device):
    """A device without a driver."""

    vendor_id, device_id = 0xDEAD, 0xBEEF


async def listen(app: Any, heard: list[Any]) -> None:
    """A program that appends action, device path and SEQNUM of each uevent to `heard`."""
    monitor = await app.uevents()
    async for event in monitor:
        heard.append((event.action, event.devpath, int(event.variables["SEQNUM"])))


def test_events_come_in_order_and_none_twice() -> None:
    heard: list[Any] = []
    with Machine() as machine:
        machine.spawn(listen, heard)
        machine.run(until=millis(5))
        machine.plug(camera := Camera())
        machine.run(until=millis(50))
        machine.unplug(camera)
        machine.run(until=millis(100))
        sequences = [sequence for _, _, sequence in heard]
        assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
        assert sequences[-1] == machine.statistics["uevents"]
    actions = [(action, path.rpartition("/")[2]) for action, path, _ in heard]
    assert actions[0] == ("add", "0:1")
    assert ("add", "camera") in actions
    assert actions[-1] == ("remove", "0:1")


def test_messages_of_programs_are_ignored() -> None:
    heard: list[Any] = []

    async def liar(app: Any) -> None:
        sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT)
        await sock.sendto(b"add@/devices/of/mine\0ACTION=add\0SEQNUM=999\0", (0, 1))

    with Machine(udev=False) as machine:
        machine.spawn(listen, heard)
        machine.run(until=millis(5))
        machine.spawn(liar)
        machine.run(until=millis(50))
    assert heard == []


async def announce(app: Any, *texts: bytes) -> None:
    """Send each text to the kernel, which multicasts it as a uevent. Only root may do this."""
    sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT)
    for text in texts:
        await sock.sendto(message(NLMSG_MIN_TYPE, text, flags=NLM_F_REQUEST), (0, 0))


@pytest.mark.parametrize("noise", [b"\xff" * 40, b"no path\0A=1\0", b"add@/x\0no equals\0", b"@"])
def test_messages_that_are_no_events_are_skipped(noise: bytes) -> None:
    heard: list[Any] = []
    with Machine(udev=False) as machine:
        machine.spawn(listen, heard)
        machine.run(until=millis(1))
        machine.spawn(announce, noise, b"change@/devices/x\0ACTION=change\0")
        machine.run(until=millis(2))
    assert [each[:2] for each in heard] == [("change", "/devices/x")]


def test_an_overrun_is_reported_once_and_reading_continues() -> None:
    told: list[Any] = []

    async def slow(app: Any) -> None:
        monitor = await app.uevents()
        await monitor.sock.setsockopt(SOL_SOCKET, SO_RCVBUF, 1)
        await app.sleep(1)
        while True:
            try:
                event = await anext(monitor)
                told.append(int(event.variables["SEQNUM"]))
            except OSError as error:
                told.append(error.errno)

    with Machine(udev=False) as machine:
        machine.spawn(slow)
        machine.run(until=millis(5))
        for _ in range(4):
            machine.plug(Mouse())
        machine.run(until=seconds(2))
        missed = list(told)
        machine.plug(Mouse())
        machine.run(until=seconds(3))
        assert missed.count(ENOBUFS) == 1
        assert told[len(missed) :] == [machine.statistics["uevents"]]


def test_a_driver_is_loaded_for_a_plugged_device() -> None:
    with Machine() as machine:
        machine.plug(Camera())
        machine.plug(Nameless())
        machine.plug(Mouse())
        machine.run(until=millis(50))
        assert {module["name"] for module in machine.blocking().lsmod()} >= {"camera", "mouse", "devclass"}
        assert machine.statistics["processes"]["failed"] == 0


def test_udevd_ignores_messages_that_are_no_uevents() -> None:
    with Machine() as machine:
        machine.spawn(announce, b"\xff" * 40)
        machine.run(until=millis(1))
        machine.plug(Camera())
        machine.run(until=millis(10))
        assert "camera" in {module["name"] for module in machine.blocking().lsmod()}


def test_no_module_is_loaded_without_udevd() -> None:
    with Machine(udev=False) as machine:
        machine.plug(Camera())
        machine.run(until=millis(50))
        assert machine.blocking().lsmod() == []


def test_udevd_survives_an_overrun() -> None:
    with Machine() as machine:
        machine.plug(Camera())  # udevd is busy with this camera while uevents arrive
        machine.spawn(announce, *[b"change@/devices/x\0ACTION=change\0"] * 1000)
        machine.run(until=millis(50))
        assert machine.statistics["netlink"]["overruns"] > 0
        machine.plug(Mouse())
        machine.run(until=millis(100))
        assert "mouse" in {module["name"] for module in machine.blocking().lsmod()}


def test_a_flood_of_devices_does_not_end_udevd() -> None:
    with Machine() as machine:
        for _ in range(3):
            mice = [Mouse() for _ in range(10)]
            for mouse in mice:
                machine.plug(mouse)
            machine.run(until=machine.now + millis(1))
            for mouse in mice:
                machine.unplug(mouse)
        machine.run(until=seconds(1))
        machine.plug(Camera())
        machine.run(until=seconds(2))
        assert "camera" in {module["name"] for module in machine.blocking().lsmod()}
