"""Mutants of a source file: mutmut's operators, applied to one place at a time.

Only mutmut's operators are used.  Its runner compiles all mutants of a function into one file, behind a
function that selects one.  That changes the frames and the speed of the code, and leaves out module-level
constants.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators, operator_string

TREES = ("simkernel/kernel", "simkernel/driverapi")
OPERATORS = [(kind, operator) for kind, operator in mutation_operators if operator is not operator_string]
TYPING_CALLS = frozenset({"cast", "isinstance", "len", "NewType", "TypeVar"})
"""Functions whose arguments are not mutated. For cast, NewType and TypeVar, a change has no effect. mutmut
omits isinstance and len too.
"""
SKIPPED = (cst.Annotation, cst.Assert, cst.Decorator, cst.Import, cst.ImportFrom)
"""Syntax nodes that are not mutated. Most of them have no effect at run time. Decorators are omitted because
they declare what a class is.
"""
STATEMENTS = (cst.SimpleStatementLine, cst.BaseCompoundStatement)
ARGUMENT_SHARE = 5
"""Of all changes to call arguments by the operator `arg_removal`, about one in five becomes a mutant. Such
changes are half of all changes, and most of them only cause a TypeError.
"""


@attrs.frozen
class Mutant:
    """A change of one syntax node of a file. `number` identifies the change within the file.

    `line` is the line of the node, `statement` the first line of its statement.
    """

    path: str
    number: int
    line: int
    statement: int
    operator: str
    before: str
    after: str

    @property
    def key(self) -> str:
        """Name of the mutant in a list of results."""
        return f"{self.path}:{self.line} {self.operator} {self.number}"


@attrs.frozen
class Place:
    """A node, and the node that replaces it."""

    old: cst.CSTNode
    new: cst.CSTNode
    line: int
    statement: int
    operator: str


class Places(cst.CSTVisitor):
    """Collect all places of a file where an operator changes something."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self) -> None:
        super().__init__()
        self.places: list[Place] = []
        self._statements: list[int] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, STATEMENTS):
            self._statements.append(self._line(node))
        if isinstance(node, SKIPPED) or _is_typing(node):
            return False
        for kind, operator in OPERATORS:
            if isinstance(node, kind):
                name = operator.__name__.removeprefix("operator_")
                self.places += [
                    Place(node, new, self._line(node), self._statements[-1], name)
                    for new in operator(node)
                    if not _is_text(node, new)
                ]
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if isinstance(original_node, STATEMENTS):
            self._statements.pop()

    def _line(self, node: cst.CSTNode) -> int:
        line: int = self.get_metadata(PositionProvider, node).start.line
        return line


def _is_typing(node: cst.CSTNode) -> bool:
    """Return True for a call of one of TYPING_CALLS, and for a branch that only a type checker evaluates."""
    if isinstance(node, cst.If):
        return isinstance(node.test, cst.Name) and node.test.value == "TYPE_CHECKING"
    return isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value in TYPING_CALLS


def _is_text(old: cst.CSTNode, new: cst.CSTNode) -> bool:
    """Return True if the change replaces or removes a string argument, for example the text of an error."""
    if not isinstance(old, cst.Call) or not isinstance(new, cst.Call):
        return False
    kept = {id(argument) for argument in new.args}
    return any(
        isinstance(argument.value, cst.BaseString) for argument in old.args if id(argument) not in kept
    )


def _places(source: str) -> tuple[MetadataWrapper, list[Place]]:
    wrapper = MetadataWrapper(cst.parse_module(source))
    places = Places()
    wrapper.visit(places)
    return wrapper, places.places


def mutants(root: Path, path: str) -> Iterator[Mutant]:
    """Yield all mutants of a file."""
    wrapper, places = _places((root / path).read_text())
    for number, place in enumerate(places):
        if place.operator != "arg_removal" or number % ARGUMENT_SHARE == 0:
            before, after = (_text(wrapper.module, node) for node in (place.old, place.new))
            yield Mutant(path, number, place.line, place.statement, place.operator, before, after)


def _text(module: cst.Module, node: Any) -> str:
    text = " ".join(module.code_for_node(node).split())
    return text if len(text) <= 100 else text[:97] + "..."


def mutated(root: Path, mutant: Mutant) -> str:
    """Return the file's text with the mutant's change."""
    wrapper, places = _places((root / mutant.path).read_text())
    place = places[mutant.number]
    changed = wrapper.module.deep_replace(place.old, place.new)
    assert isinstance(changed, cst.Module)
    return changed.code


def sources(root: Path) -> list[str]:
    """Return the paths of all files that are mutated."""
    return sorted(str(file.relative_to(root)) for tree in TREES for file in (root / tree).rglob("*.py"))
