"""A monitor of uevents hears events and nothing else."""

from __future__ import annotations

import pytest

from simkernel import Machine, millis
from simkernel.hardware import Camera
from simkernel.uapi.netlink import NETLINK_KOBJECT_UEVENT, NLM_F_REQUEST, NLMSG_MIN_TYPE, message
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW


async def announce(app, *texts: bytes) -> None:
    """Have the kernel announce anything, as root may."""
    sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT)
    for text in texts:
        await sock.sendto(message(NLMSG_MIN_TYPE, text, flags=NLM_F_REQUEST), (0, 0))


async def listen(app, heard: list[tuple[str, str]]) -> None:
    async for event in await app.uevents():
        heard.append((event.action, event.devpath))


@pytest.mark.parametrize("noise", [b"\xff" * 40, b"no path\0A=1\0", b"add@/x\0no equals\0", b"@"])
def test_what_is_no_event_is_passed_over(noise: bytes) -> None:
    heard: list[tuple[str, str]] = []
    with Machine(udev=False) as machine:
        machine.spawn(listen, heard)
        machine.run(until=millis(1))
        machine.spawn(announce, noise, b"change@/devices/x\0ACTION=change\0")
        machine.run(until=millis(2))
    assert heard == [("change", "/devices/x")]


def test_udevd_survives_it() -> None:
    with Machine() as machine:
        machine.spawn(announce, b"\xff" * 40)
        machine.run(until=millis(1))
        machine.plug(Camera())
        machine.run(until=millis(10))
        assert "camera" in {module["name"] for module in machine.blocking().lsmod()}
