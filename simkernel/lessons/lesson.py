"""A lesson is a folder: `__init__.py` has its scenario, `page.html` its text, and `view.mjs` may draw a
view.
"""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Final, Self

import attrs

from simkernel.engine import SimulationError
from simkernel.scenario import Scenario
from simkernel.scenario.loading import PACKAGE, load
from simkernel.shipped import shipped

PAGE: Final = "page.html"
_PARTS: Final = {
    "number": (r'<article data-lesson="(\d+)">', '<article data-lesson="NUMBER">'),
    "title": (r"<h1>(.*?)</h1>", "<h1>TITLE</h1>"),
    "lede": (r'<p class="lede">(.*?)</p>', '<p class="lede">TEXT</p>'),
}
"""Required parts of a page. Each part has a pattern that finds it, and a template for the error message if it
is missing.
"""


@attrs.frozen
class Lesson:
    """A lesson. `title` and `lede` are inner HTML."""

    folder: Path
    page: str
    number: int
    title: str
    lede: str
    scenario: Scenario

    @property
    def name(self) -> str:
        """Name of the folder, which is also a component of the URL."""
        return self.folder.name

    @property
    def plain_title(self) -> str:
        """The title without HTML elements, for a browser's tab."""
        return unescape(re.sub(r"<[^>]*>", "", self.title))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a lesson's folder. Raise SimulationError if a part is missing. Errors of the scenario's code
        are raised unchanged.
        """
        for needed in (PACKAGE, PAGE):
            if not (folder / needed).is_file():
                raise SimulationError(f"{folder} is not a lesson: {needed} is missing")
        page = (folder / PAGE).read_text("utf-8")
        found = {name: re.search(pattern, page, re.DOTALL) for name, (pattern, _) in _PARTS.items()}
        texts = {name: " ".join(match[1].split()) for name, match in found.items() if match}
        if missing := [form for name, (_, form) in _PARTS.items() if name not in texts]:
            raise SimulationError(f"{folder / PAGE} has no {' and no '.join(missing)}")
        number, title, lede = int(texts["number"]), texts["title"], texts["lede"]
        return cls(folder, page, number, title, lede, load(folder / PACKAGE))


def lessons(folder: Path | None = None) -> list[Lesson]:
    """Return the lessons in `folder`, by default the shipped ones, in the order of their numbers."""
    inside = shipped("scenarios") / "lessons" if folder is None else folder
    found = [Lesson.load(page.parent) for page in inside.glob(f"*/{PAGE}")]
    return sorted(found, key=lambda lesson: (lesson.number, lesson.name))
