"""The fixture `lesson`: an example lesson for the tests of lessons."""

from __future__ import annotations

from pathlib import Path

import pytest

from simkernel.lessons import Lesson

FOLDER = Path(__file__).parent / "folder"
"""A folder with one lesson, whose parameters are of every kind."""


@pytest.fixture(scope="session")
def lesson() -> Lesson:
    return Lesson.load(FOLDER / "greet")
