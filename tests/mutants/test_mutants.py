"""Tests of `python -m tests.mutants`: the lines that it mutates, and the exchange of a function's code in a
running process.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("mutmut", reason="the extra `mutants` is not installed")

from tests.mutants.mutation import ARGUMENT_SHARE, Mutant, mutants, mutated
from tests.mutants.swap import NotSwappable, functions_of, swap

SOURCE = '''
"""A module."""

from typing import Final

LIMIT: Final = 3


@cached(size=4)
def within(value: int | None, text="x") -> bool:
    """Compare."""
    assert value != 7
    if not isinstance(value, int):
        raise TypeError("no number")
    return value <= LIMIT


def twice(value):
    return value * 2
'''


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the path of a module that the tests mutate."""
    path = tmp_path / "module.py"
    path.write_text(SOURCE.replace("@cached(size=4)\n", ""))
    return path


def found(folder: Path, source: str) -> set[tuple[int, str, str]]:
    (folder / "module.py").write_text(source)
    return {(each.line, each.before, each.after) for each in mutants(folder, "module.py")}


def test_annotations_assertions_decorators_and_texts_are_left_out(tmp_path: Path) -> None:
    changes = found(tmp_path, SOURCE)
    assert (15, "<= LIMIT", "< LIMIT") in changes
    assert {before for _, before, _ in changes} == {
        "LIMIT: Final = 3", "3", "not isinstance(value, int)", "<= LIMIT", "value * 2", "2",
    }  # fmt: skip


def test_one_of_five_changes_of_arguments_is_drawn(tmp_path: Path) -> None:
    calls = "\n".join(f"f(a{number})" for number in range(10 * ARGUMENT_SHARE))
    assert len(found(tmp_path, calls)) == 10


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("module", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def mutant(folder: Path, after: str) -> Mutant:
    return next(each for each in mutants(folder, "module.py") if each.after == after)


def test_a_change_reaches_all_references_to_a_function(file: Path) -> None:
    module = load(file)
    within, twice = module.within, module.twice
    functions = functions_of(frozenset([str(file)]))[str(file)]
    swap(functions, file, mutated(file.parent, mutant(file.parent, "< LIMIT")))
    assert (within(2), within(3), twice(3)) == (True, False, 6)


def test_a_change_outside_of_functions_needs_a_new_process(file: Path) -> None:
    load(file)
    functions = functions_of(frozenset([str(file)]))[str(file)]
    with pytest.raises(NotSwappable):
        swap(functions, file, mutated(file.parent, mutant(file.parent, "4")))
