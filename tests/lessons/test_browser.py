"""The pages in Chromium: with a keyboard, on a narrow screen, in dark mode, with a local Python and with
Pyodide.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from simkernel.lessons import Lesson, answer
from simkernel.scenario import ScenarioParameter
from tests.lessons.browser import (
    AXE,
    CHROMIUM,
    FLAGS,
    Visit,
    all_lessons,
    local_site,
    pyodide_site,
    skip_without_browser,
)

pytestmark = pytest.mark.long

LESSONS = {lesson.name: lesson for lesson in all_lessons()}
LOOP = "while True:\n    pass\n"
PROGRAM = "async def greet(app):\n    return 7\n"
FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex='0']"
each_lesson = pytest.mark.parametrize("name", LESSONS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = skip_without_browser()
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def local() -> Iterator[str]:
    with local_site() as address:
        yield address


@pytest.fixture(scope="module")
def pyodide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pyodide_site(tmp_path_factory.mktemp("export") / "site") as address:
        yield address


@pytest.fixture(scope="module", params=["local", "pyodide"])
def window(request: pytest.FixtureRequest, browser: Any) -> Iterator[Visit]:
    """Return a window with the test lesson. All tests with a local Python share one window, and all tests
    with Pyodide another, because Pyodide takes seconds to start.
    """
    visit = Visit(browser, request.getfixturevalue(request.param))
    visit.open("greet")
    yield visit
    visit.close()


@pytest.fixture
def visit(window: Visit) -> Iterator[Visit]:
    """Return the shared window. After the test, set the lesson back to its default settings."""
    yield window
    with window.after_run():
        window.press("Start again")
    assert window.page.locator("[role=alert]").count() == 0
    assert not window.page.is_visible("[data-do=stop]")
    assert window.page.locator("td").count() == 4 and window.page.url.endswith("/greet/")


@pytest.fixture
def here(browser: Any, local: str) -> Iterator[Visit]:
    """Return a window of the local site, which simulates in Python processes on this host. Tests of the pages
    use this window, because the pages are the same with Pyodide.
    """
    visit = Visit(browser, local)
    yield visit
    visit.close()


# -- both machines ----------------------------------------------------------------


def test_paints_the_default_run_before_the_machine_is_ready(browser: Any, pyodide: str) -> None:
    visit = Visit(browser, pyodide)
    page = visit.open("greet", ready=False)
    assert not page.evaluate("'ready' in document.body.dataset")
    assert "hello, Ms <b>&." in page.inner_text("[data-view=answer]")
    assert page.locator("[data-view=recording] svg").count()
    visit.close()


def test_a_student_guesses_changes_the_code_and_reaches_the_goal(visit: Visit) -> None:
    page = visit.page
    assert "token" not in page.url
    goal = page.locator(".reached")
    assert goal.text_content().startswith("○ Not reached yet: the program greets 2 times")
    with visit.after_run():
        page.check("text=four times")
        visit.press("Let the machine answer")
    assert goal.text_content().startswith("✓ Goal reached: the program greets 5 times")
    assert page.is_visible(".because") and page.locator("label.right").inner_text().strip() == "five times"
    assert page.url.endswith("/greet/?times=5")
    assert page.locator("[data-view=own]").text_content().count("•") == 5
    with visit.after_run():
        page.fill("[name=program]", PROGRAM)
        visit.press("Run")
    assert page.locator("td").nth(1).text_content() == "7"


MISTAKES = {
    "a wrong name": (
        "async def greet(app):\n    await app.nap()\n",
        "AttributeError at program.py:2: 'App' object has no attribute 'nap'",
    ),
    "the end of the program": ("import sys\nsys.exit(3)\n", "SystemExit at program.py:2: 3"),
    "the end of Python": ("import os\nos._exit(3)\n", "The code ended the Python process"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_a_line_and_the_page_recovers(visit: Visit, mistake: str) -> None:
    program, text = MISTAKES[mistake]
    with visit.after_run():
        visit.page.fill("[name=program]", program)
        visit.press("Run")
    assert visit.page.inner_text("[role=alert]").startswith(text)


def test_an_endless_loop_is_stopped_and_the_page_recovers(visit: Visit) -> None:
    with visit.after_run():
        visit.page.fill("[name=program]", LOOP)
        visit.press("Run")
        visit.press("Stop the run")
    assert visit.page.inner_text("[role=alert]") == "The run was stopped."


def test_a_run_is_stopped_after_ten_seconds(visit: Visit) -> None:
    with visit.after_run():
        visit.page.fill("[name=program]", LOOP)
        visit.press("Run")
    text = "The run took longer than 10 seconds and was stopped. The program may have an endless loop."
    assert visit.page.inner_text("[role=alert]") == text


NAMES = """
import errno, os, socket
print(errno.EINVAL, errno.errorcode[22], os.strerror(22), int(socket.AF_NETLINK), int(socket.SO_RCVBUF))
async def greet(app):
    return 0
"""


def test_linux_has_the_same_numbers_in_both_machines(visit: Visit) -> None:
    with visit.after_run():
        visit.page.fill("[name=program]", NAMES)
        visit.press("Run")
    assert visit.page.inner_text("[data-view=answer] pre").strip() == "22 EINVAL Invalid argument 16 8"


# -- CPython and Pyodide ----------------------------------------------------------


def settings(lesson: Lesson) -> list[dict[str, str]]:
    """Return four dicts of settings: an empty one, the first value of each parameter, the last value of each
    parameter, and code that raises an error. If the lesson has no code parameter, the fourth dict has the
    last value of the lesson's first parameter.
    """
    parameters = lesson.scenario.parameters
    ends = [{each.name: str(end(each, last)) for each in parameters} for last in (False, True)]
    wrong = {each.name: f"{each.default}\n1 / 0\n" for each in parameters if "\n" in str(each.default)}
    return [{}, *ends, wrong or {each.name: str(end(each, True)) for each in parameters[:1]}]


def end(parameter: ScenarioParameter, last: bool) -> object:
    if parameter.kind is bool:
        return str(last).lower()
    if parameter.choices:
        return parameter.choices[-last]
    limit = parameter.maximum if last else parameter.minimum
    return parameter.default if limit is None else parameter.kind(limit)


def test_pyodide_and_cpython_give_the_same_bytes(browser: Any, pyodide: str) -> None:
    visit = Visit(browser, pyodide)
    page = visit.open()
    page.evaluate(
        "async () => { const {start} = await import('./machine.mjs');"
        "await new Promise(ready => { window.machine = start({ready, said() {}}); }); }"
    )
    for lesson in LESSONS.values():
        for given in settings(lesson):
            text = page.evaluate("([name, given]) => machine.run(name, given)", [lesson.name, given])
            assert json.loads(text) == json.loads(answer(lesson, given)), (lesson.name, given)
            assert text == answer(lesson, given), (lesson.name, given)
    visit.close()


# -- every page -------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["", *LESSONS])
def test_axe_finds_nothing(browser: Any, local: str, name: str, scheme: str) -> None:
    if not AXE.is_file():
        pytest.skip("no .ci/npm/axe-core: .ci/run fetches it")
    visit = Visit(browser, local, color_scheme=scheme, bypass_csp=True)
    page = visit.open(name)
    if name:
        with visit.after_run():
            page.check("[data-right]")
            visit.press("Let the machine answer")
        page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    page.add_script_tag(path=str(AXE))
    found = page.evaluate("axe.run()")["violations"]
    assert [
        (each["id"], each["nodes"][0]["html"], each["nodes"][0]["failureSummary"]) for each in found
    ] == []
    red, green, blue = page.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    )
    assert (red + green + blue < 200) == (scheme == "dark")
    visit.close()


@pytest.mark.parametrize("name", ["", *LESSONS])
def test_a_narrow_screen_does_not_scroll_sideways(browser: Any, local: str, name: str) -> None:
    visit = Visit(browser, local, viewport={"width": 390, "height": 800})
    page = visit.open(name)
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    visit.close()


@each_lesson
def test_the_keyboard_reaches_every_control_in_order(here: Visit, name: str) -> None:
    page = here.open(name)
    usable = "each => each.checkVisibility() && !each.disabled"
    order = f"[...document.querySelectorAll({FOCUSABLE!r})].filter({usable})"
    page.evaluate(f"window.order = {order}; window.at = () => order.indexOf(document.activeElement)")
    page.evaluate("document.activeElement.blur()")
    reached = []
    for _ in range(page.evaluate("order.length")):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("at()"))
    radios = page.evaluate("order.map((each, at) => each.type === 'radio' ? at : -1).filter(at => at >= 0)")
    wanted = [at for at in range(page.evaluate("order.length")) if at not in radios[1:]]
    assert reached[: len(wanted)] == wanted


@each_lesson
def test_the_guess_is_made_by_keyboard_and_the_machine_answers(here: Visit, name: str) -> None:
    page = here.open(name)
    page.focus(".guess input")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Let the machine answer"
    with here.after_run():
        page.keyboard.press("Enter")
    assert page.locator(".verdict").text_content()
    assert page.is_visible(".because")
    assert page.locator("[data-view=answer]").inner_text()


def test_sliders_code_and_buttons_work_by_keyboard(here: Visit) -> None:
    page = here.open("greet")
    page.focus("[name=times]")
    with here.after_run():
        page.keyboard.press("ArrowRight")
    assert page.text_content("output").strip() == "3 times" and page.url.endswith("?times=3")
    page.focus("[name=loud]")
    with here.after_run():
        page.keyboard.press("Space")
    page.focus("[name=program]")
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(PROGRAM)
    with here.after_run():
        page.keyboard.press("Control+Enter")
    assert page.locator("td").nth(1).text_content() == "7"
    page.focus("[data-do=reset]")
    with here.after_run():
        page.keyboard.press("Enter")
    assert page.url.endswith("/greet/")


@each_lesson
def test_nothing_moves_by_itself_with_reduced_motion(browser: Any, local: str, name: str) -> None:
    visit = Visit(browser, local, reduced_motion="reduce")
    page = visit.open(name)
    assert page.evaluate("document.getAnimations().length") == 0
    moving = "each => getComputedStyle(each).transitionDuration !== '0s'"
    assert page.evaluate(f"[...document.querySelectorAll('*')].filter({moving}).length") == 0
    visit.close()


@each_lesson
def test_the_text_stands_without_script(browser: Any, local: str, name: str) -> None:
    visit = Visit(browser, local, java_script_enabled=False)
    visit.page.goto(f"{visit.base}{name}/")
    text = visit.page.inner_text("body")
    assert LESSONS[name].plain_title in text and "The machine needs JavaScript" in text
    assert visit.page.locator(".controls").count() == 1
    visit.close()


# -- addresses --------------------------------------------------------------------


def test_a_reload_keeps_the_settings(here: Visit) -> None:
    page = here.open("greet")
    with here.after_run():
        page.fill("[name=program]", PROGRAM)
        here.press("Run")
    with here.after_run(fresh=True):
        page.reload()
    assert page.input_value("[name=program]") == PROGRAM
    assert page.locator("td").nth(1).text_content() == "7"


def test_a_link_carries_the_settings_and_no_token(here: Visit) -> None:
    with here.after_run(fresh=True):
        page = here.open("greet", "?times=4&loud=true&word=bye&title=Dr")
    assert "token" not in page.url and page.url.endswith("?times=4&loud=true&word=bye&title=Dr")
    assert page.inner_text("[data-view=answer] p").startswith("bye, Dr <b>&!")
    assert page.evaluate("Object.values(sessionStorage)") == ["token-of-the-test"]


def test_long_code_stays_in_the_tab(here: Visit) -> None:
    page = here.open("greet")
    long = PROGRAM + "# " + "x" * 5000
    with here.after_run():
        page.fill("[name=program]", long)
        here.press("Run")
    assert page.url.endswith("?program=%7E") and "stays in this tab" in page.inner_text(".controls .note")
    with here.after_run(fresh=True):
        page.reload()
    assert page.input_value("[name=program]") == long
    with here.after_run():
        here.press("Start again")
    assert page.locator(".controls .note").count() == 0


def test_a_tab_without_the_token_says_what_to_open(browser: Any, local: str) -> None:
    visit = Visit(browser, local.partition("#")[0])
    page = visit.open("greet")
    assert "open the address that `simkernel lessons` has printed" in page.text_content("#status")
    assert "hello, Ms" in page.inner_text("[data-view=answer]")
    visit.close()


def test_a_new_tab_gets_the_token_from_another_one(here: Visit) -> None:
    here.open()
    here.page = here.context.new_page()
    here.fragment = ""
    with here.after_run(fresh=True):
        page = here.open("greet", "?times=4")
    assert page.text_content("#status").startswith("The machine is the Python of this computer.")
    assert page.locator("td").count() == 8


def test_the_index_leads_to_each_lesson_with_the_token(here: Visit) -> None:
    page = here.open()
    assert "token" not in page.url
    links = page.locator(".lessons a")
    assert [each.get_attribute("href") for each in links.all()] == [f"{name}/" for name in LESSONS]
    links.last.click()
    page.wait_for_selector("body[data-ready]")
    with here.after_run():
        here.press("Run")
    assert page.locator("[role=alert]").count() == 0
