"""The manual: a file of Markdown a topic, read by `simkernel guide`."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).resolve().parent

INDEX = "index"
"""The topic to begin with."""


def topics() -> dict[str, str]:
    """Every topic with its title, the index first."""
    names = sorted((path.stem for path in _FOLDER.glob("*.md")), key=lambda name: (name != INDEX, name))
    return {name: text(name).partition("\n")[0].lstrip("# ") for name in names}


def text(topic: str) -> str:
    """Return a topic's Markdown.  KeyError if there is no such topic."""
    path = _FOLDER / f"{topic}.md"
    if path.parent != _FOLDER or not path.is_file():
        raise KeyError(topic)
    return path.read_text("utf-8")
