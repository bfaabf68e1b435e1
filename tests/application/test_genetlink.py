"""A program uses the generic netlink client: replies, errors, events of groups, and overruns."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simkernel import Machine, millis, seconds
from simkernel.hardware import Camera, Mouse
from simkernel.uapi.netlink import NETLINK_GENERIC, message
from simkernel.uapi.poll import POLLIN
from simkernel.uapi.socket import AF_NETLINK, SO_RCVBUF, SOCK_RAW, SOL_SOCKET

ABSENT = """
name: absent
doc: A family that no module has.
attribute-sets: [{name: thing, attributes: [{name: number, type: u32}]}]
operations: {list: [{name: get, doc: A thing., attribute-set: thing, do: {request: {attributes: [number]}}}]}
"""


def told(
    program: Callable[..., Any], *, camera: Camera | None = None, mouse: Mouse | None = None
) -> list[Any]:
    """Run a program that appends its results to a list, and return the list."""
    seen: list[Any] = []
    with Machine() as machine:
        for device in (camera, mouse):
            if device is not None:
                machine.plug(device)
        machine.run(until=millis(20))
        machine.spawn(program, seen, uid=1000)
        for time in range(100, 200, 10):
            if mouse is not None:
                machine.at(millis(time), mouse.move, 1)
        machine.run(until=seconds(2))
    return seen


def test_an_answer_has_names_and_is_none_where_there_is_none() -> None:
    async def program(app: Any, seen: list[Any]) -> None:
        camera = await app.genetlink("camera")
        answer = await camera.do("set-format", width=640, height=480, pixel_format="GREY")
        seen.extend((answer.name, answer["pixel-format"], answer["frame-bytes"]))
        seen.append(await camera.do("set-control", control="gain", value=20))
        listed = await camera.dump("get-control")
        seen.append([each["control"] for each in listed])
        await camera.close()

    assert told(program, camera=Camera()) == [
        "set-format", "GREY", 640 * 480, None, ["exposure", "gain", "test-pattern"],
    ]  # fmt: skip


def test_an_error_says_all_that_the_kernel_says() -> None:
    async def program(app: Any, seen: list[Any]) -> None:
        camera = await app.genetlink("camera")
        for values in ({"width": 1}, {"width": 0}, {"device": "camera9"}):
            try:
                await camera.do("set-format", **values)
            except OSError as error:
                seen.append((error.errno, str(error)))

    wanted = (
        (errno.EINVAL, "Invalid argument: ", "1x480", "attribute 'width'"),
        (errno.ERANGE, "Numerical result out of range: ", "integer out of range", "attribute 'width'"),
        (errno.ENODEV, "No such device: ", "camera9", "attribute 'device'"),
    )
    for (number, text), (expected, *parts) in zip(told(program, camera=Camera()), wanted, strict=True):
        assert number == expected
        assert all(part in text for part in ("camera set-format: ", *map(str, parts)))


def test_only_the_events_that_were_asked_for_come() -> None:
    async def program(app: Any, seen: list[Any]) -> None:
        camera = await app.genetlink("camera")
        await camera.join("frames")
        await camera.do("stream-on")
        frames, ends = camera.events("frame-ready"), camera.events("stream-ended")
        seen.append((await anext(frames)).name)
        await camera.do("stream-off")
        seen.append((await anext(ends))["reason"])

    assert told(program, camera=Camera()) == ["frame-ready", "stopped"]


def test_a_socket_that_leaves_a_group_receives_no_more() -> None:
    async def program(app: Any, seen: list[Any]) -> None:
        mouse = await app.genetlink("mouse")
        await mouse.leave("motion")
        await mouse.join("motion")
        await mouse.join("motion")
        events = mouse.events()
        seen.extend([(await anext(events))["dx"] for _ in range(3)])
        await mouse.leave("motion")
        while await app.poll([(mouse.event_socket, POLLIN)], 0):
            await mouse.event_socket.recv(1000)
        seen.append(await app.poll([(mouse.event_socket, POLLIN)], 1000))

    assert told(program, mouse=Mouse()) == [1, 1, 1, []]


def test_an_overrun_is_reported_once_and_reading_continues() -> None:
    async def program(app: Any, seen: list[Any]) -> None:
        mouse = await app.genetlink("mouse")
        await mouse.join("motion")
        await mouse.event_socket.setsockopt(SOL_SOCKET, SO_RCVBUF, 1)
        await app.sleep(0.145)
        events = mouse.events("motion")
        while True:
            try:
                seen.append((await anext(events))["sequence"])
            except OSError as error:
                seen.append(f"errno {error.errno}")

    seen = told(program, mouse=Mouse())
    assert seen.count(f"errno {errno.ENOBUFS}") == 1
    numbers = [each for each in seen if isinstance(each, int)]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 9
    assert len(numbers) < 10


def test_messages_of_other_programs_are_ignored() -> None:
    """A program that runs as root can send to any port id and to any group of generic netlink. The client
    ignores such messages.
    """

    async def program(app: Any, seen: list[Any]) -> None:
        camera = await app.genetlink("camera")
        await camera.join("frames")
        root = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC)
        for noise in (b"\xff" * 40, message(camera.family.id, b"\x0b", seq=1)):
            await root.sendto(noise, (await app.getpid(), 0))
            await root.sendto(noise, (0, 1 << camera.family.groups["frames"] - 1))
        await camera.do("stream-on")
        seen.append((await anext(camera.events()))["sequence"])

    seen: list[Any] = []
    with Machine() as machine:
        machine.plug(Camera())
        machine.run(until=millis(20))
        machine.spawn(program, seen, uid=0)
        machine.run(until=seconds(1))
    assert seen == [0]


def test_a_family_that_no_module_has(tmp_path: Path) -> None:
    (tmp_path / "absent.yaml").write_text(ABSENT)
    with Machine(module_path=[tmp_path]) as machine:
        user = machine.blocking(uid=1000)
        with pytest.raises(FileNotFoundError, match="'absent'"):
            user.genetlink("absent")
        assert machine.statistics["modules"]["requests"] == 1
        assert not len(user.task.files)


def test_a_client_brings_its_own_specification(tmp_path: Path) -> None:
    with Machine() as machine:
        machine.plug(Camera())
        user = machine.blocking(uid=1000)
        camera = user.genetlink("camera", machine.specification("camera"))
        assert camera.do("get-device")["device"] == "camera0"
        assert camera.family.groups.keys() == {"frames", "devices"}
