"""pyroute2, unmodified, runs on a simulated socket and in simulated time.

Its parameters `use_socket` and `use_event_loop` replace the socket and the event loop.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from simkernel import Machine, millis, seconds
from simkernel.blocking import Blocking
from simkernel.blocking.loop import event_loop
from simkernel.hardware import Camera
from simkernel.uapi.genetlink import CTRL_CMD_GETFAMILY, GENL_ID_CTRL
from simkernel.uapi.netlink import NETLINK_GENERIC, NLM_F_DUMP, NLM_F_REQUEST
from simkernel.uapi.socket import AF_NETLINK, SOCK_DGRAM

pytest.importorskip("pyroute2", reason="pyroute2 is not installed: it runs on Linux only")

from pyroute2.netlink import ctrlmsg, genlmsg
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.generic import AsyncGenericNetlinkSocket, GenericNetlinkSocket

SET_FORMAT, STREAM_ON, STREAM_OFF, READ_FRAME, FRAME_READY = 4, 7, 8, 9, 11
"""Commands of drivers/camera/camera.yaml."""
YUYV = 1


class Format(genlmsg):
    """The attribute set "format" of the family `camera`, as a message class of pyroute2."""

    nla_map = (
        ("UNSPEC", "none"),
        ("DEVICE", "asciiz"),
        ("WIDTH", "uint32"),
        ("HEIGHT", "uint32"),
        ("PIXEL_FORMAT", "uint32"),
        ("INTERVAL", "uint32"),
        ("LINE_BYTES", "uint32"),
        ("FRAME_BYTES", "uint32"),
    )


class Frame(genlmsg):
    """The attribute set "frame" of the family `camera`, as a message class of pyroute2."""

    nla_map = (
        ("UNSPEC", "none"),
        ("DEVICE", "asciiz"),
        ("SEQUENCE", "uint32"),
        ("BYTES", "uint32"),
        ("CHECKSUM", "uint32"),
        ("TIMES", "hex"),
        ("OFFSET", "uint32"),
        ("DATA", "cdata"),
    )


@pytest.fixture
def machine() -> Iterator[Machine]:
    """Return a machine with a camera whose driver is loaded."""
    with Machine(seed=7) as machine:
        machine.plug(Camera())
        machine.run(until=millis(100))
        yield machine


@pytest.fixture
def user(machine: Machine) -> Blocking:
    """Return an unprivileged process of the machine."""
    return machine.blocking(uid=1000)


def client(machine: Machine, user: Blocking, kind: Any = GenericNetlinkSocket) -> Any:
    """Return a pyroute2 socket in the machine."""
    sock = user.socket(AF_NETLINK, SOCK_DGRAM, NETLINK_GENERIC)
    return kind(use_socket=sock, use_event_loop=event_loop(machine), ext_ack=True)


def request(command: int, kind: type[Any] = genlmsg, **attributes: Any) -> Any:
    """Return a generic netlink message of pyroute2 with a command and attributes."""
    message = kind()
    message["cmd"] = command
    message["version"] = 1
    message["attrs"] = [(name.upper(), value) for name, value in attributes.items()]
    return message


def test_it_resolves_nlctrl(machine: Machine, user: Blocking) -> None:
    with client(machine, user) as generic:
        generic.bind("nlctrl", ctrlmsg, pid=0)
        assert generic.prid == GENL_ID_CTRL
        assert generic.mcast_groups == {"notify": GENL_ID_CTRL}


def test_it_lists_the_families(machine: Machine, user: Blocking) -> None:
    with client(machine, user) as generic:
        generic.bind("nlctrl", ctrlmsg, pid=0)
        families = generic.nlm_request(
            request(CTRL_CMD_GETFAMILY, ctrlmsg), GENL_ID_CTRL, NLM_F_REQUEST | NLM_F_DUMP
        )
        assert {"nlctrl", "camera"} <= {each.get_attr("CTRL_ATTR_FAMILY_NAME") for each in families}


def test_it_reads_a_policy(machine: Machine, user: Blocking) -> None:
    with client(machine, user) as generic:
        assert len(generic.policy("nlctrl")) > 1


def test_a_family_that_is_not_there(machine: Machine, user: Blocking) -> None:
    with client(machine, user) as generic, pytest.raises(NetlinkError) as error:
        generic.bind("no-such-family", genlmsg, pid=0)
    assert error.value.code == 2


def test_errors_of_the_kernel_for_mistakes(machine: Machine, user: Blocking) -> None:
    with client(machine, user) as formats:
        formats.bind("camera", Format, pid=0)
        with pytest.raises(NetlinkError) as error:
            formats.nlm_request(request(SET_FORMAT, Format, width=0), formats.prid, NLM_F_REQUEST)
    assert error.value.code == 34
    assert "range" in str(error.value)


def test_it_drives_the_camera(machine: Machine, user: Blocking) -> None:
    with client(machine, user) as formats, client(machine, user) as frames:
        formats.bind("camera", Format, pid=0)
        frames.bind("camera", Frame, pid=0)
        frames.add_membership("frames")
        (chosen,) = formats.nlm_request(
            request(SET_FORMAT, Format, width=640, height=480, pixel_format=YUYV), formats.prid, NLM_F_REQUEST
        )
        assert chosen.get_attr("FRAME_BYTES") == 640 * 480 * 2
        frames.put(request(STREAM_ON), frames.prid)
        before = machine.now
        for _ in range(3):
            ready = next(each for each in frames.get() if each["cmd"] == FRAME_READY)
            sequence = ready.get_attr("SEQUENCE")
            parts = frames.nlm_request(request(READ_FRAME, Frame, sequence=sequence), frames.prid)
            frame = b"".join(part.get_attr("DATA") for part in parts)
            assert len(frame) == ready.get_attr("BYTES") >= 640 * 480 * 2
            assert zlib.crc32(frame[:-4]) == ready.get_attr("CHECKSUM")
        assert machine.now - before > 2 * millis(16)
        frames.put(request(STREAM_OFF), frames.prid)
    assert machine.statistics["netlink"]["overruns"] == 0


def test_its_asynchronous_client(machine: Machine, user: Blocking) -> None:
    loop = event_loop(machine)

    async def resolve(family: str, delay: float) -> tuple[int, float]:
        sock = user.socket(AF_NETLINK, SOCK_DGRAM, NETLINK_GENERIC)
        async with AsyncGenericNetlinkSocket(use_socket=sock) as generic:
            await asyncio.sleep(delay)
            await generic.bind(family, genlmsg, pid=0)
            return generic.prid, loop.time()

    async def both() -> Any:
        return await asyncio.gather(resolve("camera", 2), resolve("nlctrl", 1))

    (camera, late), (nlctrl, early) = loop.run_until_complete(both())
    loop.close()
    assert nlctrl == GENL_ID_CTRL < camera
    assert 1 < early - 0.1 < 1.01 < 2 < late - 0.1 < 2.01


def test_nothing_is_left(machine: Machine, user: Blocking) -> None:
    before = machine.statistics["netlink"]["sockets"]
    with client(machine, user) as generic:
        generic.bind("camera", genlmsg, pid=0)
        assert machine.statistics["netlink"]["sockets"] == before + 1
    machine.run(until=machine.now + seconds(1))
    assert machine.statistics["netlink"]["sockets"] == before
