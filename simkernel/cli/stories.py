"""Scenarios by name or by file: the shipped ones and the user's own.

To name and to describe them nothing is imported: `simkernel list` starts quickly.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from simkernel.cli.nearest import unknown
from simkernel.shipped import shipped

if TYPE_CHECKING:
    from simkernel.scenario import Scenario

PACKAGE: Final = "__init__.py"
SECTIONS: Final = ("Covers", "Scenario", "When useful")
"""What the docstring of a scenario's file tells, each as "Covers: ..." at the start of a line."""


def names() -> list[str]:
    """The shipped scenarios."""
    return sorted(map(called, _files(shipped("scenarios"))))


def find(name: str) -> Path:
    """The file of a shipped scenario, or of the file or folder that `name` is.

    A scenario of several files is a folder, and its file is the `__init__.py` in there.  UsageError with
    the nearest names if there is none.
    """
    if name.endswith(".py") or "/" in name or "\\" in name:
        path = Path(name)
        if path.is_dir() and (path / PACKAGE).is_file():
            return path / PACKAGE
        if not path.is_file():
            there = sorted(_place(each).name for each in _files(path.parent))
            raise unknown("file", name, there, meant=path.name)
        return path
    if name not in names():
        raise unknown("scenario", name, names())
    return next(path for path in _files(shipped("scenarios")) if called(path) == name)


def called(path: Path) -> str:
    """What the scenario in a file is called."""
    return _place(path).stem


def load(path: Path) -> Scenario:
    """The scenario in a file.  UsageError if there is not exactly one; raises what the file raises."""
    from simkernel.scenario import loading  # needs the engine, and a mere list shall start quickly

    try:
        return loading.load(path)
    except loading.NotAScenario as error:
        raise click.UsageError(str(error)) from None


def docstring(path: Path) -> str:
    """The text at the top of a file, "" if there is none; read without running the file."""
    try:
        return ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    except (SyntaxError, ValueError):
        return ""


def sections(text: str) -> dict[str, str]:
    """A docstring taken apart: its first line under "", and each of SECTIONS that it has, in one line."""
    found = {"": text.partition("\n")[0]}
    current: str | None = None
    for line in text.split("\n")[1:]:
        heading, colon, rest = line.partition(":")
        if colon and heading in SECTIONS:
            current = heading
            found[current] = rest.strip()
        elif not line.strip():
            current = None
        elif current is not None:
            found[current] += f" {line.strip()}"
    return found


def _files(folder: Path) -> list[Path]:
    """The files of scenarios in a folder, those in folders of their own included."""
    alone = [path for path in folder.glob("*.py") if not path.stem.startswith("_")]
    return alone + list(folder.glob(f"*/{PACKAGE}"))


def _place(path: Path) -> Path:
    """Where a scenario is: its file, or its folder."""
    return path.parent if path.name == PACKAGE else path
