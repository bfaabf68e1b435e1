"""The drawings of lessons 1, 4 and 8, and the goals of all lessons, in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.lessons.browser import CHROMIUM, FLAGS, Visit, local_site, skip_without_browser

pytestmark = pytest.mark.long

CAMERA = (("mouse", "camera"),)
SOLVED = {
    "socket": ("request", (("mouse", "camera"), ("0a 00", "0b 00"))),
    "layers": ("program", (('open("/dev/mem", O_RDWR)', 'genetlink("camera")'),
                           ("await app.pwrite(memory, bytes([40, 0, 0, 0]), GAIN)",
                            'await memory.do("set-control", control="gain", value=40)'))),
    "modules": ("steps", (("rmmod camera", "stop\nrmmod camera\nrmmod video\nrmmod devclass"),)),
}  # fmt: skip

LINES = (
    ("    number = ", "    async with chip.mutex:\n        number = "),
    ("    await fsleep", "        await fsleep"),
    ("    writel(number", "        writel(number"),
)
RESYNC = """\
            while await app.poll([(mouse.event_socket, POLLIN)], 0):
                await mouse.event_socket.recv(65536)
            await ask(mouse, place)
            continue
"""
AFTER_GUESS = {
    "multicast": ("program", (("            continue\n", RESYNC),)),
    "interrupts": ("driver", (("schedule_work(self.work)", "self.deferred(None)"),)),
    "race": ("driver", LINES),
}


@pytest.fixture(scope="module")
def visit() -> Iterator[Visit]:
    api = skip_without_browser()
    with api.sync_playwright() as playwright, local_site() as address:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        visit = Visit(browser, address)
        yield visit
        visit.close()
        browser.close()


def edit(visit: Visit, name: str, changes: Any) -> None:
    code = visit.page.locator(f"textarea[name={name}]")
    text = code.input_value()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    code.fill(text)
    with visit.after_run():
        visit.press("Run")


@pytest.mark.parametrize("lesson", SOLVED)
def test_goal_is_reached_by_editing_the_code(visit: Visit, lesson: str) -> None:
    page = visit.open(lesson)
    assert page.get_attribute(".reached", "data-reached") == "false"
    edit(visit, *SOLVED[lesson])
    assert page.get_attribute(".reached", "data-reached") == "true"


def test_wrong_field_of_a_request_is_marked(visit: Visit) -> None:
    page = visit.open("socket")
    page.wait_for_selector(".fields li")
    assert page.locator(".fields .marked").count() == 0
    edit(visit, "request", CAMERA)
    page.wait_for_selector(".fields .marked")
    assert page.locator(".fields .marked code").all_inner_texts() == ["0a 00"]
    edit(visit, "request", (("0a 00", "0a zz"),))
    page.wait_for_selector(".fields", state="detached")
    assert "line 9 of the request: zz is not a byte" in page.inner_text(".error")


def test_each_size_that_is_tried_becomes_a_point_of_each_curve(visit: Visit) -> None:
    page = visit.open("transports")
    page.wait_for_selector(".tried circle")
    for points, size in enumerate(("1024", "4096"), 2):
        with visit.after_run():
            page.select_option("select[name=size]", size)
        page.wait_for_selector(f".tried[aria-label*='{points} sizes']")
        assert page.locator(".tried circle").count() == 4 * points
    assert page.locator(".tried path").count() == 4
    assert page.get_attribute(".reached", "data-reached") == "true"


def guess(visit: Visit, lesson: str) -> Any:
    page = visit.open(lesson)
    assert page.get_attribute(".reached", "data-reached") == "false"
    page.check("[data-right]")
    with visit.after_run():
        visit.press("Let the machine answer")
    assert page.get_attribute(".reached", "data-reached") == "false"
    return page


@pytest.mark.parametrize("lesson", AFTER_GUESS)
def test_goal_is_reached_by_editing_the_code_after_the_guess(visit: Visit, lesson: str) -> None:
    page = guess(visit, lesson)
    edit(visit, *AFTER_GUESS[lesson])
    assert page.get_attribute(".reached", "data-reached") == "true"


def test_goal_of_the_frame_is_reached_by_both_settings(visit: Visit) -> None:
    page = guess(visit, "frame")
    for name, value, reached in (("size", "320x240", "false"), ("pixels", "mmap", "true")):
        with visit.after_run():
            page.select_option(f"select[name={name}]", value)
        assert page.get_attribute(".reached", "data-reached") == reached


def test_steps_of_a_race_show_both_visitors_between_read_and_write(visit: Visit) -> None:
    page = guess(visit, "race")
    page.wait_for_selector(".schedules")
    assert page.locator(".schedules span").count() == 200
    assert page.locator(".schedules .fails").count() == 21
    places = []
    for _ in range(11):
        visit.press("Next step ▸")
        places.append(page.locator(".lines tbody td:nth-child(-n+2)").all_inner_texts())
    assert page.get_by_role("button", name="Next step ▸").is_disabled()
    assert "Step 12 of 12" in page.inner_text(".steps")
    both = [[who for who in place if who] for place in places]
    assert ["Anna", "Ben"] in both
    visit.press("◂ Back")
    assert "Step 11 of 12" in page.inner_text(".steps")
