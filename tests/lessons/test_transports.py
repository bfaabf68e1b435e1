"""Lesson 4: a program asks a driver the same question several times. The size of the question and the number
of times decide which transport is the fastest.
"""

import json
from itertools import pairwise

import pytest

from simkernel.lessons import Lesson, answer
from simkernel.shipped import shipped

LESSON = Lesson.load(shipped("scenarios") / "lessons" / "transports")
SIZES = LESSON.scenario.parameters[0].choices
DRIVER = ("netlink", "ioctl", "read", "sysfs", "mmap")
TIME, CALLS, COPIED = range(3)
CROSSING = {1: "65536", 2: "16384", 4: "4096", 6: "1024"}
"""A program asks one question N times. For each N: the smallest size of the question, in bytes, at which mmap
is the fastest transport.
"""


def ask(**settings):
    return json.loads(answer(LESSON, settings))


@pytest.fixture(scope="module")
def once():
    return {size: ask(size=size, number=1)["metrics"]["transports"] for size in SIZES}


def test_goal_is_missed_by_the_default():
    found = ask()
    assert found["error"] is None and not found["goal"]["reached"]


@pytest.mark.parametrize("number", CROSSING)
def test_goal_is_reached_by_the_smallest_size_at_which_mmap_wins(number):
    assert [size for size in SIZES if ask(size=size, number=number)["goal"]["reached"]] == [CROSSING[number]]


def test_mmap_wins_at_each_size_if_the_question_is_asked_often():
    for size in SIZES:
        goal = ask(size=size, number=20)["goal"]
        assert not goal["reached"] and "mmap is the fastest with" in goal["text"]


def test_smaller_size_is_measured_as_if_it_were_chosen():
    for smaller, size in pairwise(SIZES):
        assert ask(size=size)["metrics"]["smaller"] == ask(size=smaller)["metrics"]["transports"]


def test_page_states_the_calls_and_copies_of_a_question(once):
    small = once["64"]
    assert [small[name][CALLS] for name in DRIVER] == [3, 1, 2, 2, 1 + 3]
    assert small["mmap"][COPIED] == 0
    assert ask(size="64", number=2)["metrics"]["transports"]["mmap"][CALLS] == 2 + 3
    for size in SIZES:
        read, ioctl, netlink = (once[size][name] for name in ("read", "ioctl", "netlink"))
        assert read[COPIED] == 2 * int(size) < ioctl[COPIED] <= read[COPIED] + 24  # the argument of ioctl
        assert netlink[COPIED] >= 3 * int(size)


def test_page_guesses_that_ioctl_is_the_fastest_with_64_bytes(once):
    assert 'data-set="size=64&number=1"' in LESSON.page
    assert min(DRIVER, key=lambda name: once["64"][name][TIME]) == "ioctl"
    assert max(DRIVER, key=lambda name: once["64"][name][TIME]) == "netlink"


def test_page_states_that_another_program_is_slower_for_small_questions(once):
    for size in SIZES[:5]:
        times = [once[size][name][TIME] for name in ("pipe", "unix socket", "shared memory")]
        assert min(times) > max(once[size][name][TIME] for name in ("ioctl", "read", "mmap"))


def test_sysfs_ends_at_a_page(once):
    assert [size for size in SIZES if not once[size]["sysfs"]] == ["4096", "16384", "65536"]


def test_table_has_the_figures_and_the_reason_without_any():
    tables = {each["title"]: each["rows"] for each in ask(size="65536")["texts"] if each["kind"] == "table"}
    rows = {name: figures for table in tables.values() for name, *figures in table}
    assert rows["sysfs"] == ["too large", "", ""] and rows["mmap"][COPIED] == 0 and len(rows) == 8


def test_size_that_is_not_offered_is_an_error():
    assert "parameter size is one of 16, 64" in ask(size="65")["error"]
