"""Scenarios by name or file: the shipped ones and the user's own.

The module reads names and docstrings without importing a scenario, so that `simkernel list` starts
quickly.
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
"""Labels of the parts of a scenario's docstring. A part begins with a line such as "Covers: ...".
"""


def names() -> list[str]:
    """Return the names of the shipped scenarios."""
    return sorted(map(called, _files(shipped("scenarios"))))


def find(name: str) -> Path:
    """Return the file of a scenario. `name` names a shipped scenario, or is the path of a file or folder.

    The file of a scenario's folder is its `__init__.py`. Raises UsageError with the nearest names if there
    is none.
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
    """Return the name of the scenario in a file."""
    return _place(path).stem


def load(path: Path) -> Scenario:
    """Execute a file and return its scenario. Raise UsageError if the file does not have exactly one
    scenario. Exceptions of the file's code are not caught.
    """
    # Imported only here: the import loads the engine, which would slow down `simkernel list`.
    from simkernel.scenario import loading

    try:
        return loading.load(path)
    except loading.NotAScenario as error:
        raise click.UsageError(str(error)) from None


def docstring(path: Path) -> str:
    """Return the docstring of a file, or "". The file is not executed."""
    try:
        return ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    except (SyntaxError, ValueError):
        return ""


def sections(text: str) -> dict[str, str]:
    """Split a docstring into a dict. The key "" has the first line. Each label from SECTIONS that the
    docstring contains is a key, and its value is the text of the part, joined to one line.
    """
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
    """Return the files of all scenarios in a folder. A scenario is a file in the folder, or a subfolder with
    an `__init__.py`.
    """
    alone = [path for path in folder.glob("*.py") if not path.stem.startswith("_")]
    return alone + list(folder.glob(f"*/{PACKAGE}"))


def _place(path: Path) -> Path:
    """Return the path of a scenario: its file, or its folder."""
    return path.parent if path.name == PACKAGE else path
