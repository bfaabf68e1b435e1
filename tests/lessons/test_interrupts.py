"""Lesson 7: work that the driver defers waits for a CPU. The student must change the driver to reach the
goal.
"""

import json

import pytest

from simkernel.lessons import Lesson, answer
from simkernel.shipped import shipped

LESSON = Lesson.load(shipped("scenarios") / "lessons" / "interrupts")
DRIVER = LESSON.scenario.values({})["driver"]
IN_HANDLER = DRIVER.replace("schedule_work(self.work)\n        return", "self.deferred(None)\n        return")
MS = 1_000_000


def ask(**settings):
    return json.loads(answer(LESSON, settings))


def rows(found):
    return [row[0] for part in found["texts"] if part["kind"] == "table" for row in part["rows"]]


@pytest.fixture(scope="module")
def deferred():
    return ask(neighbours=2)


@pytest.fixture(scope="module")
def in_handler():
    return ask(neighbours=2, driver=IN_HANDLER)


def test_goal_is_unsolved_by_every_setting_of_the_shipped_driver():
    for neighbours in range(4):
        for cpus in (1, 2):
            assert not ask(neighbours=neighbours, cpus=cpus)["goal"]["reached"]


def test_goal_is_reached_by_work_in_the_handler(in_handler):
    assert in_handler["goal"] == {"reached": True, "text": "all 40 movements arrive in time."}
    assert in_handler["error"] is None
    assert in_handler["metrics"]["neighbours_share"] >= 80


def test_goal_needs_two_neighbours_and_one_cpu():
    assert "must be two" in ask(neighbours=1, driver=IN_HANDLER)["goal"]["text"]
    assert "2 CPUs" in ask(neighbours=2, cpus=2, driver=IN_HANDLER)["goal"]["text"]


def test_default_run_has_no_late_movement():
    found = ask()
    assert max(found["metrics"]["delays_ns"]) < 0.4 * MS
    assert found["metrics"]["late"] == 0


def test_page_states_the_worst_time_of_deferred_work(deferred):
    worst = max(deferred["metrics"]["delays_ns"])
    assert f"up to {worst / 1e6:.1f} ms; after 8 ms" in LESSON.page
    assert 11 * MS < worst < 13 * MS  # "about 12 ms"
    assert deferred["metrics"]["late"] == 40


def test_slowest_movement_waits_twice_for_a_cpu(deferred, in_handler):
    (table,) = (part for part in deferred["texts"] if part["kind"] == "table")
    waits = [float(row[2]) for row in table["rows"] if "has the CPU" in row[0]]
    assert len(waits) == 2
    assert all(5000 < wait < 6200 for wait in waits)
    assert sum("has the CPU" in row for row in rows(in_handler)) == 1


def test_long_work_in_the_handler_takes_the_time_of_the_neighbours():
    found = ask(neighbours=2, driver=IN_HANDLER.replace("udelay(self.this, 300)", "udelay(self.this, 7000)"))
    assert found["metrics"]["neighbours_share"] < 30
    assert not found["goal"]["reached"]


def test_goal_needs_every_movement_as_the_mouse_made_it():
    silent = IN_HANDLER.replace("nlmsg_multicast(self", "(lambda *_: None)(self")
    changed = IN_HANDLER.replace('move.to_bytes(4, "little")', "bytes(4)")
    for driver in (silent, changed):
        assert "as the mouse made them" in ask(neighbours=2, driver=driver)["goal"]["text"]


MISSPELT = DRIVER.replace("schedule_work(self.work)\n", "schedule_wrok(self.work)\n")
MISTAKES = {
    "oops": (MISSPELT, "pointer.py:26 [pointer]"),
    "no module": ("", "pointer.py has no MODULE"),
    "syntax": ("x = (", "'(' was never closed at pointer.py:1"),
}  # fmt: skip


@pytest.mark.parametrize("driver, text", MISTAKES.values(), ids=MISTAKES)
def test_mistake_in_the_driver_is_in_the_kernel_log(driver, text):
    found = ask(neighbours=2, driver=driver)
    assert text in "\n".join(found["log"])
    assert "log" in found["goal"]["text"]
    assert not found["goal"]["reached"]


def test_wrong_setting_is_an_error_with_the_range():
    assert "from 0 to 3" in ask(neighbours=4)["error"]
    assert "from 1 to 2" in ask(cpus="many")["error"]
