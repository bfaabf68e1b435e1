"""Lesson 3: the order in which the student plugs devices and loads modules decides which steps fail."""

import json

import pytest

from simkernel.lessons import Lesson, answer
from simkernel.shipped import shipped

LESSON = Lesson.load(shipped("scenarios") / "lessons" / "modules")
LOAD = "plug camera\ninsmod devclass\ninsmod video\ninsmod camera\nstream\n"
UNLOAD = "rmmod camera\nrmmod video\nrmmod devclass\n"


def ask(steps=None, **settings):
    return json.loads(answer(LESSON, settings if steps is None else {"steps": steps, **settings}))


def results(found):
    return [row[1].partition(":")[0] for row in found["texts"][0]["rows"]]


def loaded(found):
    return [row[3] for row in found["texts"][0]["rows"]]


def announced(found):
    return [row[2] for row in found["texts"][0]["rows"]]


def test_default_order_ends_with_a_module_in_use():
    found = ask()
    assert found["error"] is None and not found["goal"]["reached"]
    assert results(found) == ["done"] * 5 + ["EBUSY"]
    assert loaded(found)[-1] == "camera, video, devclass"
    assert [each["name"] for each in found["follow"]] == ["1. plug camera", "5. stream"]


@pytest.mark.parametrize(
    ("steps", "udev"),
    [
        (f"{LOAD}stop\n{UNLOAD}", False),
        (f"{LOAD}unplug camera\n{UNLOAD}", False),
        (f"plug camera\nmodprobe camera\nstream\nstop\n{UNLOAD}", False),
        (f"plug camera\nstream\nstop\n{UNLOAD}", True),
    ],
)
def test_goal_is_reached_by_an_order_in_which_no_step_fails(steps, udev):
    found = ask(steps, udev=udev)
    assert found["goal"]["reached"], found["goal"]
    assert found["metrics"]["frames"] > 0 and loaded(found)[-1] == ""


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        (UNLOAD, "no frame has come"),
        (f"{LOAD}stop\nrmmod camera\nrmmod video\n", "still loaded: devclass"),
        (f"insmod camera\n{LOAD}stop\n{UNLOAD}", "1. insmod camera"),
        ("# nothing\n", "no frame has come"),
    ],
)
def test_goal_names_the_missing_part(steps, why):
    goal = ask(steps)["goal"]
    assert not goal["reached"] and why in goal["text"]


def test_camera_without_udevd_is_announced_and_gets_no_driver():
    found = ask("plug camera\n")
    assert announced(found) == ["add 0:1 (MODALIAS simbus:v000051B5d00000010)"] and loaded(found) == [""]


def test_udevd_loads_the_modules_of_the_camera():
    found = ask("plug camera\n", udev=True)
    assert loaded(found) == ["camera, video, devclass"]
    events = announced(found)[0].split(", ")
    assert events.index("probe 0:1") < events.index("add camera0") < events.index("bind 0:1")


def test_insmod_without_dependencies_logs_the_missing_symbols():
    found = ask("insmod camera\n")
    assert results(found) == ["ENOENT"]
    assert any("camera: Unknown symbol devclass_register" in line for line in found["log"])


def test_device_goes_while_a_program_streams_and_its_module_does_not():
    found = ask(f"{LOAD}rmmod camera\nunplug camera\n")
    assert results(found)[-2:] == ["EBUSY", "done"]
    assert announced(found)[-1] == "remove camera0, remove video0, unbind 0:1, remove 0:1"


def test_not_every_module_is_a_driver():
    found = ask("plug camera\nplug mouse\nmodprobe camera\nmodprobe mouse\ninsmod hello\n")
    drivers = {name: drivers for name, _, drivers in found["texts"][1]["rows"]}
    assert {name for name, each in drivers.items() if each} == {"camera", "mouse"}
    assert {name for name, each in drivers.items() if not each} == {"devclass", "video", "input", "hello"}


@pytest.mark.parametrize(
    "step", ["jump", "plug", "plug printer", "insmod", "stream camera", "unplug  camera"]
)
def test_line_that_is_no_step_is_an_error_with_its_number(step):
    error = ask(f"plug camera\n{step}\n")["error"]
    assert "line 2 of the steps" in error and step in error


@pytest.mark.parametrize(
    ("steps", "why"),
    [("unplug camera\n", "camera is not plugged in"), ("plug camera\n" * 2, "plugged in already")],
)
def test_device_that_cannot_be_moved_is_a_step_that_fails(steps, why):
    found = ask(steps)
    assert why in results(found)[-1] and "steps that fail" in found["goal"]["text"] and found["error"] is None
