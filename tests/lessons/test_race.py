"""Lesson 8: some schedules make the driver miscount, and a mutex prevents it in every schedule."""

import json
import subprocess
import sys

import pytest

from simkernel.lessons import Lesson, answer
from simkernel.shipped import shipped

LESSON = Lesson.load(shipped("scenarios") / "lessons" / "race")
DRIVER = LESSON.scenario.values({})["driver"]
READ = "    number = readl(chip.io, COUNT)\n"
SLEEP = "    await fsleep(chip.this, 50)  # the chip wakes up, which takes 50 us\n"
WRITE = "    writel(number + 1, chip.io, COUNT)\n"
BODY = READ + SLEEP + WRITE
LOCK = "    async with chip.mutex:\n"
INNER = BODY.replace("    ", " " * 8)
LOCKED = DRIVER.replace(BODY, LOCK + INNER)


def ask(**settings):
    return json.loads(answer(LESSON, settings))


def texts(found):
    return " ".join(part["text"] for part in found["texts"] if part["kind"] == "text")


@pytest.fixture(scope="module")
def racing():
    return ask(schedules=200)


@pytest.fixture(scope="module")
def locked():
    return ask(schedules=200, driver=LOCKED)


def test_driver_is_as_the_page_shows_it():
    assert BODY in DRIVER
    assert BODY.replace("  # the chip wakes up, which takes 50 us", "").rstrip() in LESSON.page
    assert LOCKED != DRIVER


def test_default_run_counts_right_and_is_not_the_goal():
    found = ask()
    assert found["metrics"]["failed"] == []
    assert "the chip counts them all" in texts(found)
    assert not found["goal"]["reached"]


@pytest.mark.long
def test_some_schedules_fail_as_many_as_the_page_states(racing):
    failed = racing["metrics"]["failed"]
    assert f"In {len(failed)} of 200." in LESSON.page
    assert racing["metrics"]["tried"] == 200
    assert not racing["goal"]["reached"]


def test_shown_run_is_a_failing_one_with_one_delay_and_has_both_visitors_between_read_and_write(racing):
    assert racing["metrics"]["plan"] == "0,25+1000000"
    assert "0,25+1000000" in LESSON.page
    rows = racing["metrics"]["rows"]
    reads = [row[3] for row in rows if row[3].startswith("the chip answers")]
    writes = [row[3] for row in rows if row[3].startswith("the chip gets")]
    assert len(reads) == len(writes) == 2
    assert len(set(reads)) == len(set(writes)) == 1
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    code = DRIVER.splitlines()
    assert [code[row[2] - 1] for row in rows if row[3] == reads[0]] == [READ.rstrip()] * 2


def test_goal_is_reached_by_a_lock_around_the_three_lines(locked):
    assert locked["goal"]["reached"]
    assert locked["error"] is None
    assert locked["metrics"]["failed"] == []


def test_locked_run_shows_visits_that_overlap(locked):
    rows = locked["metrics"]["rows"]
    assert rows[0][3] == "calls write()"
    first = rows[0][1]
    other_begins = next(at for at, row in enumerate(rows) if row[1] != first)
    assert any(row[1] == first for row in rows[other_begins:])
    numbers = [row[3] for row in rows if row[3].startswith("the chip gets")]
    assert len(set(numbers)) == 2


def test_goal_needs_all_schedules():
    goal = ask(schedules=20, driver=LOCKED)["goal"]
    assert goal == {"reached": False, "text": "20 of 200 schedules run, and all of them hold."}


SPIN = LOCKED.replace("mutex import mutex_init", "spinlock import spin_lock_init").replace(
    "mutex_init(", "spin_lock_init("
).replace("async with", "with")  # fmt: skip
TWICE = LOCKED.replace(LOCK, LOCK + "      " + LOCK.strip() + "\n")
HELD = DRIVER.replace(BODY, "    await chip.mutex.lock()\n" + BODY)
WRONG = {
    "lock around the write": (DRIVER.replace(WRITE, LOCK + "    " + WRITE), "the chip counts 4"),
    "no sleep": (DRIVER.replace(SLEEP, ""), "the chip counts 5"),
    "lock taken twice": (TWICE, "write() never returns for Anna"),
    "lock never released": (HELD, "never returns for Anna"),
    "spinlock": (SPIN, "sleeping function called"),
    "sleeps for ever": (DRIVER.replace("    await fsleep", "    while True: await fsleep"), "never returns"),
    "does nothing": (DRIVER.replace(BODY, "    pass\n"), "the chip counts 0"),
    "no file": (DRIVER.replace("        devm_device_create_file", "        #"), "a visitor gets ENOENT"),
    "error": (DRIVER.replace(WRITE, "    raise OSError(5, '')\n"), "a visitor gets EIO"),
    "oops": (DRIVER.replace("number + 1", "numer + 1"), "unhandled exception in turnstile: NameError"),
    "syntax": (DRIVER.replace("number + 1", "number +"), "insmod fails with ENOEXEC"),
    "no module": ("", "insmod fails with ENOEXEC"),
}  # fmt: skip


@pytest.mark.parametrize("driver, text", WRONG.values(), ids=WRONG)
def test_wrong_driver_does_not_reach_the_goal_and_the_text_says_why(driver, text):
    found = ask(schedules=60, driver=driver)
    assert text in texts(found)
    assert found["error"] is None
    assert not found["goal"]["reached"]
    assert found["metrics"]["failed"]


PLACES = {
    "oops": "add at turnstile.py:19 [turnstile]",
    "syntax": "invalid syntax at turnstile.py:19",
    "spinlock": "BUG: scheduling while atomic",
}


@pytest.mark.parametrize("mistake", PLACES)
def test_kernel_log_names_the_place_of_a_mistake(mistake):
    assert PLACES[mistake] in "\n".join(ask(schedules=60, driver=WRONG[mistake][0])["log"])


def test_wrong_setting_is_an_error_with_the_range():
    assert "from 1 to 200" in ask(schedules=0)["error"]


WITHOUT_GREENLET = """
import sys
sys.modules["greenlet"] = None
from simkernel.lessons import Lesson, answer
from simkernel.shipped import shipped
print(answer(Lesson.load(shipped("scenarios") / "lessons" / "race"), {"schedules": 40}))
"""


@pytest.mark.long
def test_answer_without_greenlet_has_the_same_bytes():
    done = subprocess.run([sys.executable, "-c", WITHOUT_GREENLET], capture_output=True, text=True)
    assert done.stdout == answer(LESSON, {"schedules": 40}) + "\n", done.stderr
