"""Mechanical rules of the project's prose. A reader judges the rest (`python -m tests.prose sample`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tests.prose.items import Item

OPENING: Final = re.compile(r"(Who|Whose|What|Whatever|Which|Whether|Where|How|Let|All|The same)\b")
ACTOR: Final = re.compile(
    r"\b(who|whom|whoever|somebody|someone|nobody|no one|anybody|anyone|everybody|everyone)\b", re.IGNORECASE
)
CODE: Final = re.compile(r"`[^`]*`|\"[^\"]*\"|'[^' ]*'|\b[\w-]*_[\w-]*\b")
TABLE: Final = re.compile(r"\S  +\S.*\n|^\s*\w+\.\w+\(.*\)$|^python -m", re.MULTILINE)
"""Pattern of lines that are not prose: columns separated by several spaces, a function call, or a command
that begins with `python -m`.
"""
LONGEST: Final = 30
"""Maximum number of words of a sentence. The rule is 25, but a sentence with a list of names may need a few
more.
"""
SMALL: Final = {"a", "an", "the", "of", "its"}


def breaches(item: Item) -> Iterator[str]:
    """Return the rules that an item breaks, each with the words in question."""
    prose = CODE.sub("X", item.text)
    documented = item.kind in ("docstring", "attribute") and item.first
    heading = "? " in item.text  # the docstring of a scenario may be a question
    if documented and not heading and (found := OPENING.match(item.text)):
        yield f"opens with {found[0]!r}"
    if documented and item.name != "module" and words(item.text) == words(item.name):
        yield "repeats the name"
    if item.kind == "text":
        return  # a text may be a message of Linux, or code that a student edits
    if found := ACTOR.search(prose):
        yield f"does not name the actor: {found[0]!r}"
    if TABLE.search(item.text):
        return
    for sentence in re.split(r"(?<=[.:;!?])\s|\n\s*[*-] |\n\s*\n", prose):
        if (count := len([word for word in sentence.split() if not word.startswith("X")])) > LONGEST:
            yield f"a sentence of {count} words"


def words(text: str) -> list[str]:
    """Return the words of a text or a name, in lower case and without articles."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", re.sub(r"\(\d\)", "", text))
    return [word for word in re.split(r"[\W_]+", spaced.lower()) if word and word not in SMALL]
