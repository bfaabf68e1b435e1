"""Files of the lessons' site, for the local server and for the static folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from html import escape
from pathlib import Path
from string import Template
from typing import Final

from simkernel import trace
from simkernel.lessons.lesson import Lesson
from simkernel.scenario import ScenarioParameter

TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
"""Media types by file suffix. A lesson's folder may have further files with these suffixes."""

_PAGES: Final = Path(__file__).parent / "web"
_PICTURE: Final = Path(trace.__file__).parent
_CONTROLS: Final = re.compile(r'(<section data-view="controls"[^>]*>)')
_CODE: Final = re.compile(r"`([^`]+)`")
_STEPS: Final = 20
"""Minimum number of steps of a slider."""

Site = dict[str, Callable[[], str | bytes]]


def site(lessons: Sequence[Lesson], machine: str) -> Site:
    """Return the files of the site: for each path, a function that returns the file's content. With `machine`
    "local", the server's computer runs the lessons; with "pyodide", the browser runs them.

    The default runs, NAME/default.json, are not included.
    """
    files: Site = {"index.html": partial(_index, lessons)}
    shared = {
        "lesson.css": _PAGES,
        "lesson.mjs": _PAGES,
        "recording.css": _PICTURE,
        "recording.mjs": _PICTURE,
    }
    files |= {name: (folder / name).read_bytes for name, folder in shared.items()}
    files["machine.mjs"] = (_PAGES / f"machine-{machine}.mjs").read_bytes
    for number, lesson in enumerate(lessons):
        neighbours = [("prev", "Previous", each) for each in lessons[:number][-1:]]
        neighbours += [("next", "Next", each) for each in lessons[number + 1 :][:1]]
        files[f"{lesson.name}/index.html"] = partial(_page, lesson, neighbours)
        for path in lesson.folder.iterdir():
            if path.suffix in TYPES and path.suffix != ".html" and path.is_file():
                files[f"{lesson.name}/{path.name}"] = path.read_bytes
    return files


def _shell(**texts: str) -> str:
    return Template((_PAGES / "shell.html").read_text("utf-8")).substitute(texts)


def _index(lessons: Sequence[Lesson]) -> str:
    items = "\n".join(
        f'<li value="{each.number}"><a href="{escape(each.name)}/">{each.title}</a><p>{each.lede}</p></li>'
        for each in lessons
    )
    body = (_PAGES / "index.html").read_text("utf-8").replace("<!-- lessons -->", items)
    return _shell(title="Lessons", root="", place="", body=body, links="", script="machine.mjs")


def _page(lesson: Lesson, neighbours: Sequence[tuple[str, str, Lesson]]) -> str:
    links = '<a href="../">All lessons</a>'
    for rel, word, each in neighbours:
        links += f' <a rel="{rel}" href="../{escape(each.name)}/">{word}: {each.title}</a>'
    body = _CONTROLS.sub(lambda found: found[1] + controls(lesson), lesson.page, count=1)
    place = f" · lesson {lesson.number}"
    title = escape(lesson.plain_title)
    return _shell(title=title, root="../", place=place, body=body, links=links, script="lesson.mjs")


def controls(lesson: Lesson) -> str:
    """Return the form with a control for each parameter, set to its default."""
    rows = "\n".join(map(_control, lesson.scenario.parameters))
    typed = any(each.kind is str and not each.choices for each in lesson.scenario.parameters)
    run = '<button type="submit">Run</button>' if typed else ""
    return f"""<form class="controls" aria-label="Settings of the machine" autocomplete="off">
{rows}
<p class="buttons">{run}<button type="button" data-do="reset">Start again</button>
<button type="button" data-do="stop" hidden>Stop the run</button></p>
</form>"""


def _control(parameter: ScenarioParameter) -> str:
    name, default, unit = parameter.name, parameter.default, escape(parameter.unit)
    value = escape(str(default))
    about = f' aria-describedby="help-{name}"' if parameter.help else ""
    attributes = f'id="set-{name}" name="{name}"{about}'
    label = name.replace("_", " ").capitalize()
    if isinstance(default, bool):
        kind, field = "check", f'<input type="checkbox" {attributes}{" checked" if default else ""}>'
    elif parameter.choices and not parameter.several:
        kind, field = "choice", f"<select {attributes}>{_options(parameter)}</select> {unit}"
    elif isinstance(default, str) and "\n" in default:
        rows = default.count("\n") + 1
        attributes += f' rows="{rows}" spellcheck="false" wrap="off"'
        kind, field = "code", f"<textarea {attributes}>\n{value}</textarea>"
    elif not isinstance(default, str) and parameter.minimum is not None and parameter.maximum is not None:
        limits = f'min="{parameter.minimum:.12g}" max="{parameter.maximum:.12g}" step="{step(parameter)}"'
        kind, field = "range", f'<input type="range" {attributes} {limits} value="{value}">'
        unit = f" {unit}" if unit else ""
        field = f'<output for="set-{name}" data-unit="{unit}">{value}{unit}</output> {field}'
    else:
        kind, field = "line", f'<input type="text" {attributes} value="{value}"> {unit}'
    words = _CODE.sub(r"<code>\1</code>", escape(parameter.help))
    text = f' <small id="help-{name}">{words}</small>' if words else ""
    return f'<div class="control {kind}"><label for="set-{name}">{label}</label> {field}{text}</div>'


def _options(parameter: ScenarioParameter) -> str:
    chosen = {parameter.default: " selected"}
    return "".join(f"<option{chosen.get(each, '')}>{escape(each)}</option>" for each in parameter.choices)


def step(parameter: ScenarioParameter) -> str:
    """Return the step of a slider: the largest power of ten that gives enough steps and with which the slider
    can be set to the default and to the maximum.
    """
    low, high, default = (
        Decimal(str(each)) for each in (parameter.minimum, parameter.maximum, parameter.default)
    )
    for exponent in _exponents(parameter):
        step = Decimal(10) ** exponent
        if (high - low) / step >= _STEPS and not (high - low) % step and not (default - low) % step:
            return f"{step:f}"
    return "1" if parameter.kind is int else "any"


def _exponents(parameter: ScenarioParameter) -> Iterator[int]:
    yield from range(9, 0 if parameter.kind is int else -7, -1)
