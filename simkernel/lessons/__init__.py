"""Lessons: each has a page, a scenario whose parameters are the controls of the page, and the result of a run
as JSON.
"""

from __future__ import annotations

from simkernel.lessons.answers import answer
from simkernel.lessons.lesson import Lesson, lessons

__all__ = ["Lesson", "answer", "lessons"]
