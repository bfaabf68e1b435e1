"""Lesson 6: the parts of a frame's time add up. Only a small size together with mmap reaches the goal."""

import json
from itertools import product

import pytest

from simkernel.lessons import Lesson, answer
from simkernel.shipped import shipped

LESSON = Lesson.load(shipped("scenarios") / "lessons" / "frame")
SOFTWARE = slice(3, None)
READ_OUT = 1


def ask(**settings):
    return json.loads(answer(LESSON, settings))


@pytest.fixture(scope="module")
def all_answers():
    sizes, ways = (parameter.choices for parameter in LESSON.scenario.parameters)
    return {(size, way): ask(size=size, pixels=way) for size, way in product(sizes, ways)}


def test_goal_is_reached_by_a_small_size_and_mmap_together_only(all_answers):
    reached = {settings for settings, found in all_answers.items() if found["goal"]["reached"]}
    assert reached == {("160x120", "mmap"), ("320x240", "mmap")}
    assert not ask()["goal"]["reached"]


def test_each_answer_is_without_error_and_offers_every_frame(all_answers):
    for found in all_answers.values():
        assert found["error"] is None
        flows = {each["flow"] for each in found["recording"]["flows"]}
        assert [each["flow"] in flows for each in found["follow"]] == [True] * 12
        assert sum(each["chosen"] for each in found["follow"]) == 1


def test_parts_add_up_to_the_time_that_the_text_gives(all_answers):
    for found in all_answers.values():
        parts = found["metrics"]["parts_ns"]
        assert f"{sum(parts) / 1e6:.3f} ms after its exposure begins" in found["texts"][0]["text"]
        assert f"software {sum(parts[SOFTWARE]) / 1e6:.3f} ms" in found["texts"][0]["text"]
        assert [row[1] for row in found["texts"][1]["rows"]] == [f"{part / 1000:.3f}" for part in parts]


def test_page_states_what_the_guess_adds(all_answers):
    small = all_answers["640x480", "netlink"]["metrics"]["parts_ns"]
    large = all_answers["1920x1080", "netlink"]["metrics"]["parts_ns"]
    assert f"takes {(sum(large) - sum(small)) / 1e6:.1f} ms longer" in LESSON.page
    assert f"read-out of the sensor takes {(large[READ_OUT] - small[READ_OUT]) / 1e6:.1f} ms" in LESSON.page
    assert f"copies together add {(sum(large[SOFTWARE]) - sum(small[SOFTWARE])) / 1e6:.1f} ms" in LESSON.page
    assert 6.5 < 1920 * 1080 / (640 * 480) < 7  # "almost seven times"


def test_page_states_what_mmap_saves(all_answers):
    sent = all_answers["640x480", "netlink"]["metrics"]
    mapped = all_answers["640x480", "mmap"]["metrics"]
    assert sum(sent["parts_ns"][SOFTWARE]) > 10 * sum(mapped["parts_ns"][SOFTWARE])
    earlier = 1 - sum(mapped["parts_ns"]) / sum(sent["parts_ns"])
    assert f"only {earlier:.1%} earlier".replace("%", " %") in " ".join(LESSON.page.split())
    size = 640 * 480 * 2
    assert 2 * size <= sent["copied"] < 2.01 * size
    assert mapped["copied"] < 1000


def test_small_size_by_netlink_leaves_the_share_above_the_limit(all_answers):
    found = all_answers["160x120", "netlink"]
    assert found["metrics"]["latest_ns"] < 10_000_000
    assert "0.113%" in found["goal"]["text"]


def test_frame_raises_one_interrupt_whatever_its_size(all_answers):
    for size in ("160x120", "1920x1080"):
        flows = all_answers[size, "netlink"]["recording"]["flows"]
        stations = [hop[2] for hop in flows[6]["hops"]]
        counts = [hop[4] for hop in flows[6]["hops"] if hop[2] == "interrupt line"]
        assert stations.count("interrupt line") == sum(counts) == 1


def test_wrong_setting_is_an_error_with_the_choices():
    assert "one of 160x120" in ask(size="1x1")["error"]
    assert "netlink, mmap" in ask(pixels="post")["error"]
