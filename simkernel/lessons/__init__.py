"""Lessons: a page, a scenario whose parameters are its controls, and the machine's answer as JSON."""

from __future__ import annotations

from simkernel.lessons.answers import answer
from simkernel.lessons.lesson import Lesson, lessons

__all__ = ["Lesson", "answer", "lessons"]
