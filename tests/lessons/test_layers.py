"""Lesson 2: only the driver can reach a register."""

import inspect
import json

import pytest

from simkernel.lessons import Lesson, answer
from simkernel.shipped import shipped

LESSON = Lesson.load(shipped("scenarios") / "lessons" / "layers")
SITUATIONS = LESSON.scenario.parameters[1].choices
USER, ROOT, UNBOUND = SITUATIONS
SOLVED = """\
async def program(app):
    camera = await app.genetlink("camera")
    await camera.do("set-control", control="gain", value=40)
"""
BY_IOCTL = """\
from simkernel.uapi.fcntl import O_RDWR
from simkernel.uapi.video.ioctls import VIDIOC_S_CTRL
from simkernel.uapi.video.structures import V4l2Control
from simkernel.uapi.video.v4l2_controls import V4L2_CID_GAIN

async def program(app):
    camera = await app.open("/dev/video0", O_RDWR)
    await app.ioctl(camera, VIDIOC_S_CTRL, bytearray(V4l2Control(V4L2_CID_GAIN, 40).pack()))
"""


def ask(**settings):
    return json.loads(answer(LESSON, settings))


def attempts(found):
    return {attempt: result.partition(":")[0] for attempt, result in found["texts"][0]["rows"]}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_default_program_finds_no_file_of_the_memory(situation):
    found = ask(situation=situation)
    assert found["error"] is None and found["printed"] == "open() fails: ENOENT\n"
    assert not found["goal"]["reached"] and "holds 16" in found["goal"]["text"]


def test_goal_is_reached_by_a_request_to_the_driver():
    for situation in (USER, ROOT):
        found = ask(program=SOLVED, situation=situation)
        assert found["goal"]["reached"] and "sendto()" in found["goal"]["text"] and found["error"] is None
        chosen = next(each for each in found["follow"] if each["chosen"])
        path = next(each["hops"] for each in found["recording"]["flows"] if each["flow"] == chosen["flow"])
        assert {"application", "kernel", "driver", "hardware"} == {hop[1] for hop in path}
        assert any("writes 0x28 to register GAIN" in hop[3] for hop in path)


def test_goal_is_reached_by_ioctl_as_root_only():
    assert "ioctl()" in ask(program=BY_IOCTL, situation=ROOT)["goal"]["text"]
    assert "EACCES" in ask(program=BY_IOCTL, situation=USER)["error"]


def test_goal_is_missed_by_another_value_or_control():
    for old, new in (("40", "41"), ("gain", "exposure")):
        assert not ask(program=SOLVED.replace(old, new))["goal"]["reached"]


def test_without_a_driver_no_program_reaches_the_camera():
    found = ask(program=SOLVED, situation=UNBOUND)
    assert "ENODEV" in found["error"] and not found["goal"]["reached"]


def test_page_guesses_what_is_left_without_a_driver():
    assert 'data-set="situation=root%2C+no+driver"' in LESSON.page
    found = attempts(ask(situation=UNBOUND))
    assert found["open /dev/video0, the camera as a file"] == "ENOENT"
    assert found["ask the driver for another exposure"] == "ENODEV"


def test_attempts_of_the_colleague_are_as_the_page_says():
    user, root, unbound = (list(attempts(ask(situation=each)).values()) for each in SITUATIONS)
    assert user == ["ENOENT", "EACCES", "EPERM", "works"]
    assert root == ["ENOENT", "works", "works", "works"]
    assert unbound == ["ENOENT", "ENOENT", "works", "ENODEV"]


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("async def program(app):\n    x = y\n", "NameError at program.py:2"),
        ("def program(app:\n", "SyntaxError at program.py:1"),
        ("x = 1\n", "write async def program(app)"),
    ],
)
def test_mistake_is_named_with_its_place(program, expected):
    assert expected in ask(program=program)["error"]


def test_page_shows_the_colleague_as_it_runs():
    source = inspect.getsource(inspect.getmodule(LESSON.scenario.function).colleague)
    assert source.replace(": App", "").replace(" -> None", "").strip() in LESSON.page


def test_page_names_the_register_that_the_program_writes():
    assert "0xF0001030" in LESSON.scenario.parameters[0].default
