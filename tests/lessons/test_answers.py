"""Results that the machine returns for a lesson's settings, and errors that it returns for a student's
mistakes.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

from simkernel import SimulationError
from simkernel.lessons import Lesson, answer, lessons
from tests.lessons.conftest import FOLDER


def ask(lesson: Lesson, **settings: Any) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(answer(lesson, settings))
    return result


def test_answer_has_the_report_the_log_and_the_output(lesson: Lesson) -> None:
    result = ask(lesson, times="5", loud=True)
    assert list(result) == [
        "settings", "texts", "metrics", "goal", "error", "log", "printed", "follow", "recording",
    ]  # fmt: skip
    assert result["settings"]["times"] == 5
    assert result["texts"][:2] == [
        {"kind": "text", "text": "hello, Ms <b>&!", "detail": False},
        {"kind": "text", "text": "A detail.", "detail": True},
    ]
    assert result["texts"][2] == {
        "kind": "table",
        "title": "Greetings",
        "columns": ["number", "returned"],
        "rows": [[number, 3] for number in range(5)],
        "detail": False,
    }
    assert result["metrics"] == {"greetings": 5}
    assert result["goal"] == {"reached": True, "text": "the program greets 5 times, and 5 are wanted"}
    assert result["error"] is None
    assert any("hello from the module" in line for line in result["log"])
    assert result["printed"] == "hello from process 5\n" * 5
    assert result["recording"]["records"] > 0


def test_has_the_flows_that_the_lesson_follows(lesson: Lesson) -> None:
    result = ask(lesson)
    assert [each["name"] for each in result["follow"]] == ["the first greeting"]
    assert [each["flow"] for each in result["recording"]["flows"]] == [
        each["flow"] for each in result["follow"]
    ]


def test_has_the_same_bytes_each_time(lesson: Lesson) -> None:
    assert answer(lesson, {"times": 1}) == answer(lesson, {"times": "1"})


EXPLAINED = {
    "a value out of range": ({"times": 99}, "parameter times is a whole number from 0 to 9 times, not 99"),
    "an unknown name": ({"tims": 1}, "scenario greet has no parameter 'tims': did you mean times?"),
    "a syntax error": ({"program": "x = 1\ndef greet(:\n"}, "SyntaxError at program.py:2: invalid syntax"),
    "a name error": (
        {"program": "async def greet(app):\n    await app.sleep(1)\n    hello\n"},
        "NameError at program.py:3: name 'hello' is not defined",
    ),
    "a wrong use of simkernel": (
        {"program": "async def greet(app):\n    await app.sleep(-1)\n"},
        "ValueError at program.py:2: sleep length must be non-negative",
    ),
    "the lesson's own sentence": ({"title": "wrong"}, "the title must not be 'wrong'"),
    "an exit": ({"program": "import sys\nsys.exit(3)"}, "SystemExit at program.py:2: 3"),
    "a modelled error": (
        {"program": "async def greet(app):\n    await app.open('/nothing', 0)\n"},
        "FileNotFoundError at program.py:2: ENOENT: No such file or directory",
    ),
}


@pytest.mark.parametrize("mistake", EXPLAINED)
def test_a_mistake_is_one_line_with_its_place(lesson: Lesson, mistake: str) -> None:
    settings, text = EXPLAINED[mistake]
    result = ask(lesson, **settings)
    assert result["error"] == text
    assert result["settings"].keys() == {each.name for each in lesson.scenario.parameters}


def test_a_driver_that_fails_names_its_line_in_the_log(lesson: Lesson) -> None:
    head = "from simkernel.driverapi.module import Module\nMODULE = Module(license='GPL')\n"
    oops = head + "def init(this):\n    1 / 0\n"
    assert any("init at greeter.py:4 [greeter]" in line for line in ask(lesson, module=oops)["log"])
    broken = ask(lesson, module="MODULE = 1 / 0")
    assert broken["error"].startswith("OSError at __init__.py:")
    assert any("ZeroDivisionError at greeter.py:1" in line for line in broken["log"])


def test_a_flood_of_output_is_cut(lesson: Lesson) -> None:
    result = ask(lesson, program="for _ in range(9):\n    print('x' * 5000)\nasync def greet(app): pass\n")
    assert (len(result["printed"]), result["error"]) == (10_000, None)


def test_text_that_is_no_unicode_is_escaped(lesson: Lesson) -> None:
    text = answer(lesson, {"program": "print('\\ud800 \\xe4')\nasync def greet(app): pass\n"})
    assert json.loads(text.encode())["printed"] == "\ud800 \xe4\n"


def test_a_driver_leaves_no_file(lesson: Lesson, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ask(lesson)
    assert os.listdir(tmp_path) == []


# -- folders ----------------------------------------------------------------------


def test_a_lesson_is_a_folder() -> None:
    (lesson,) = lessons(FOLDER)
    assert (lesson.name, lesson.number) == ("greet", 9)
    assert lesson.title == "A program <em>greets</em> &amp; ends"
    assert lesson.plain_title == "A program greets & ends"
    assert lesson.lede.startswith("This page shows one program")


def test_lessons_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number, name in enumerate("cab", 9):
        shutil.copytree(FOLDER / "greet", tmp_path / name)
        page = tmp_path / name / "page.html"
        page.write_text(
            page.read_text("utf-8").replace('data-lesson="9"', f'data-lesson="{number}"'), "utf-8"
        )
    assert [each.name for each in lessons(tmp_path)] == ["c", "a", "b"]
    assert [each.number for each in lessons()] == list(range(1, 9))


@pytest.mark.parametrize(
    ("page", "text"),
    [
        (None, "page.html is missing"),
        ("<h1>A</h1>", 'has no <article data-lesson="NUMBER"> and no <p class="lede">TEXT</p>'),
    ],
)
def test_an_incomplete_folder_says_what_is_missing(tmp_path: Path, page: str | None, text: str) -> None:
    (tmp_path / "__init__.py").write_text("", "utf-8")
    if page is not None:
        (tmp_path / "page.html").write_text(page, "utf-8")
    with pytest.raises(SimulationError, match=text):
        Lesson.load(tmp_path)
