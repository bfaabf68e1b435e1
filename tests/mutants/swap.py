"""Put a mutant's code into the functions of a process that has imported the original."""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType


class NotSwappable(Exception):
    """The change is not inside a function. A new process must therefore import the module."""


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _by_name(source: str, path: str) -> dict[str, list[CodeType]]:
    found: dict[str, list[CodeType]] = defaultdict(list)
    for code in _codes(compile(source, path, "exec", dont_inherit=True)):
        found[code.co_qualname].append(code)
    return found


def functions_of(paths: frozenset[str]) -> dict[str, list[FunctionType]]:
    """Return all existing functions whose code is in one of the files `paths`, by file."""
    found: dict[str, list[FunctionType]] = defaultdict(list)
    for each in gc.get_objects():
        if type(each) is FunctionType and each.__code__.co_filename in paths:
            found[each.__code__.co_filename].append(each)
    return found


def swap(functions: list[FunctionType], file: Path, mutated: str) -> None:
    """Replace the code of the functions that a mutant changes. `functions` has the existing functions of
    `file`, and `mutated` is the file's text with the change. Raise NotSwappable if no function changes, or if
    Python cannot replace a function's code.
    """
    path = str(file)
    old, new = _by_name(file.read_text(), path), _by_name(mutated, path)
    pairs: dict[CodeType, CodeType] = {}
    for name, codes in old.items():
        if len(codes) != len(new.get(name, ())):
            continue  # the mutant removes a lambda: replace only the code of the function around it
        for one, other in zip(codes, new[name], strict=True):
            if not _equal(one, other):
                pairs[one] = other
    by_place = {(code.co_qualname, code.co_firstlineno): other for code, other in pairs.items()}
    swapped = 0
    for function in functions:
        other = by_place.get((function.__code__.co_qualname, function.__code__.co_firstlineno))
        if other is None:
            continue
        try:
            function.__code__ = other
        except ValueError:
            raise NotSwappable from None
        swapped += 1
    if not swapped:
        raise NotSwappable


def _equal(one: CodeType, other: CodeType) -> bool:
    return (
        one.co_code == other.co_code and one.co_names == other.co_names and one.co_consts == other.co_consts
    )
