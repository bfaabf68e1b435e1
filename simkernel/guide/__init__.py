"""The manual: one Markdown file for each topic. `simkernel guide` prints it."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).resolve().parent

INDEX = "index"
"""The topic that lists the other topics. `simkernel guide` prints it by default."""


def topics() -> dict[str, str]:
    """Return the title of each topic. The index is the first topic."""
    names = sorted((path.stem for path in _FOLDER.glob("*.md")), key=lambda name: (name != INDEX, name))
    return {name: text(name).partition("\n")[0].lstrip("# ") for name in names}


def text(topic: str) -> str:
    """Return a topic's Markdown. Raise KeyError if the topic does not exist."""
    path = _FOLDER / f"{topic}.md"
    if path.parent != _FOLDER or not path.is_file():
        raise KeyError(topic)
    return path.read_text("utf-8")
