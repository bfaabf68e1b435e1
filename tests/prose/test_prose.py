"""Prose follows the mechanical rules, and the sampler sees every kind of prose."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.prose.items import Item, items
from tests.prose.rules import breaches

MODULE = '''"""Send datagrams.

Raise ValueError if one is empty.
"""

LIMIT = 3
"""Datagrams of one call."""


def send(datagram):
    """Send."""
    # A datagram is sent at once, because
    # the receiver polls.
    if not datagram:
        raise ValueError(f"{datagram!r} has no bytes: send one or more of them")
'''


def written(folder: Path, name: str, text: str) -> list[Item]:
    """Write a file below `folder`; return the items of the folder."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return list(items(folder, tests=True))


def test_items_of_a_module_are_docstrings_comments_and_texts(tmp_path: Path) -> None:
    found = written(tmp_path, "drivers/sender.py", MODULE)
    assert [(item.line, item.kind, item.name, item.text) for item in found] == [
        (1, "docstring", "module", "Send datagrams."),
        (1, "docstring", "module", "Raise ValueError if one is empty."),
        (7, "attribute", "LIMIT", "Datagrams of one call."),
        (11, "docstring", "send", "Send."),
        (15, "text", "", "{datagram!r} has no bytes: send one or more of them"),
        (12, "comment", "", "A datagram is sent at once, because the receiver polls."),
    ]


@pytest.mark.parametrize(
    ("name", "line", "text"),
    [
        ("README.md", 7, "# Title\n\n```\ncode that is not prose\n```\n\nThe kernel loads driver modules.\n"),
        ("simkernel/guide/a.md", 1, "* The kernel loads\n  driver modules.\n* short\n"),
        ("simkernel/guide/a.md", 3, "| a | b |\n|---|---|\n| load | The kernel loads driver modules. |\n"),
        ("scenarios/a.yaml", 3, "registers:\n- name: x\n  doc: The kernel loads driver modules.\n"),
        ("scenarios/a.html", 2, "<body>\n<p>The kernel <b>loads</b>\ndriver modules.</p>\n"),
        ("simkernel/a.mjs", 1, "let a = 1; // The kernel loads driver modules.\n"),
    ],
)  # fmt: skip
def test_pages_are_cut_into_sentences(tmp_path: Path, name: str, line: int, text: str) -> None:
    (item,) = written(tmp_path, name, text)
    assert (item.line, " ".join(item.text.split())) == (line, "The kernel loads driver modules.")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("What a caller gets.", "opens with 'What'"),
        ("The same for files.", "opens with 'The same'"),
        ("Wake the task, if somebody waits.", "does not name the actor: 'somebody'"),
        ("bind(2).", "repeats the name"),
        ("The bind.", "repeats the name"),
        ("Return " + "a word " * 15 + "again.", "a sentence of 32 words"),
    ],
)
def test_a_breach_is_found(text: str, rule: str) -> None:
    assert list(breaches(Item("a.py", 1, "docstring", "bind", text))) == [rule]


def test_code_in_a_text_is_not_judged() -> None:
    assert not list(breaches(Item("a.py", 1, "docstring", "bind", "Return `who`, the argument of who_is().")))


@pytest.mark.long
def test_the_project_follows_the_rules(root: Path) -> None:
    found = [
        f"{item.path}:{item.line}: {broken}" for item in items(root, tests=True) for broken in breaches(item)
    ]
    assert not found, "\n".join(found)
