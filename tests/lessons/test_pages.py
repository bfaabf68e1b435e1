"""The pages: a control for each parameter, and links between lessons."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.lessons import Lesson
from simkernel.lessons.pages import controls, site, step
from simkernel.scenario import Run, Scenario, ScenarioParameter


def scenario(*parameters: ScenarioParameter) -> Scenario:
    def nothing(run: Run) -> None:
        pass

    return Scenario(nothing, parameters)


def form(lesson: Lesson, *parameters: ScenarioParameter) -> str:
    return controls(attrs.evolve(lesson, scenario=scenario(*parameters)))


class Controls(HTMLParser):
    """A parser that collects the HTML attributes of each form control, by the control's name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: dict[str, dict[str, Any]] = {}
        self.labels: set[str | None] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag == "label":
            self.labels.add(given["for"])
        elif name := given.get("name"):
            self.found[name] = {"tag": tag, **given}


def test_each_kind_of_parameter_has_its_control(lesson: Lesson) -> None:
    parsed = Controls(controls(lesson))
    kinds = {name: (each["tag"], each.get("type")) for name, each in parsed.found.items()}
    assert kinds == {
        "times": ("input", "range"),
        "loud": ("input", "checkbox"),
        "word": ("select", None),
        "title": ("input", "text"),
        "program": ("textarea", None),
        "module": ("textarea", None),
    }
    assert parsed.labels == {each["id"] for each in parsed.found.values()}


def test_a_text_with_markup_is_text(lesson: Lesson) -> None:
    text = '"><script>alert(1)</script>\n&amp;'
    page = form(
        lesson,
        ScenarioParameter("code", str, text),
        ScenarioParameter("line", str, text[:-6], help="<b>", unit="<i>"),
    )
    assert "<script>" not in page and "<b>" not in page and "<i>" not in page
    assert "&amp;amp;</textarea>" in page


def test_a_word_in_backticks_is_code(lesson: Lesson) -> None:
    page = form(lesson, ScenarioParameter("n", int, 3, help="the `<app>` and its `n`"))
    assert ">the <code>&lt;app&gt;</code> and its <code>n</code></small>" in page


def test_a_number_without_a_range_is_typed(lesson: Lesson) -> None:
    assert 'type="text"' in form(lesson, ScenarioParameter("n", int, 3, minimum=0))
    assert 'type="submit"' not in form(lesson, ScenarioParameter("n", int, 3, minimum=0, maximum=9))


@pytest.mark.parametrize(
    ("low", "high", "default", "expected"),
    [
        (0, 200, 60, "10"),
        (2304, 212992, 2304, "1"),
        (0, 9, 5, "1"),
        (0.0, 1.0, 0.25, "0.01"),
        (1.5, 3.5, 1.5, "0.1"),
        (1000, 1000000, 2000, "1000"),
    ],
)
def test_step_of_a_slider(low: float, high: float, default: float, expected: str) -> None:
    parameter = ScenarioParameter("n", type(default), default, minimum=low, maximum=high)  # type: ignore[arg-type]
    assert step(parameter) == expected


@given(st.integers(-1000, 1000), st.integers(1, 10**7), st.integers(0, 10**7))
def test_a_slider_has_its_default_and_its_maximum(low: int, span: int, at: int) -> None:
    default = low + at % (span + 1)
    chosen = int(step(ScenarioParameter("n", int, default, minimum=low, maximum=low + span)))
    assert (default - low) % chosen == 0 == span % chosen
    assert chosen == 1 or span / chosen >= 20


def test_lessons_link_to_their_neighbours(lesson: Lesson) -> None:
    folders = ("one", "two", "three")
    found = [attrs.evolve(lesson, folder=lesson.folder, title=each, number=1) for each in folders]
    pages = site(found[:1], "local")
    assert set(pages) == {
        "index.html", "lesson.css", "lesson.mjs", "machine.mjs", "recording.css", "recording.mjs",
        "greet/index.html", "greet/view.mjs",
    }  # fmt: skip
    index = str(pages["index.html"]())
    assert 'href="greet/"' in index and lesson.lede in index
    page = str(pages["greet/index.html"]())
    assert page.index(lesson.title) < page.index('name="times"') < page.index("lesson.mjs")
    assert 'rel="prev"' not in page and 'rel="next"' not in page


def test_the_pages_name_no_other_origin(lesson: Lesson) -> None:
    for variant in ("local", "pyodide"):
        for name, make in site([lesson], variant).items():
            content = make()
            text = content if isinstance(content, str) else content.decode()
            without = text.replace("http://www.w3.org/2000/svg", "")
            assert "http://" not in without and "https://" not in without, name
