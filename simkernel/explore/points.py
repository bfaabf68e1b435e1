"""Points at which a plan can pause module code: before each statement, and between the load and the store of
`x.a += e`.

Like a compiler's sanitizer, which instruments memory accesses, this instrument inserts a call of `point`
before each statement of each function.  Top-level code of a module has no points: it is executed only once
per process, so a second machine would pass fewer points than the first.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from simkernel.engine import planned
from simkernel.engine.planned import PlannedEngine

POINT: Final = "__simkernel_point__"
FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
BODIES: Final = ("body", "orelse", "finalbody")
WITHOUT: Final = (*FUNCTIONS, ast.Pass, ast.Global, ast.Nonlocal, ast.Import, ast.ImportFrom)
"""Types of statements before which no pause point is inserted, because a pause before them has no effect."""


class Points:
    """The code transformation that inserts pause points into module code (kernel/loader/image.py)."""

    name: Final = "points"
    names: Final[Mapping[str, object]] = {POINT: planned.point}

    @contextmanager
    def loading(self) -> Iterator[None]:
        """While the top-level code of a module runs, disable all pause points, also those in the functions
        that it calls.
        """
        active, PlannedEngine.active = PlannedEngine.active, None
        try:
            yield
        finally:
            PlannedEngine.active = active

    def apply(self, tree: ast.Module, file: str) -> ast.Module:
        """Insert the pause points into a syntax tree and return the tree."""
        _Adder(file).visit(tree)
        return ast.fix_missing_locations(tree)


POINTS: Final = Points()


class _Adder(ast.NodeTransformer):
    def __init__(self, file: str) -> None:
        self._file = file
        self._depth = 0
        self._temporaries = 0

    def visit(self, node: ast.AST) -> ast.AST:
        function = isinstance(node, FUNCTIONS)
        self._depth += function
        self.generic_visit(node)
        if self._depth and not isinstance(node, ast.ClassDef):
            for field in BODIES:
                body = getattr(node, field, None)
                if isinstance(body, list) and body:
                    setattr(node, field, self._with_points(body))
        self._depth -= function
        return node

    def _with_points(self, body: list[ast.stmt]) -> list[ast.stmt]:
        result: list[ast.stmt] = []
        for statement in body:
            constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            if not constant and not isinstance(statement, WITHOUT):
                result.append(self._point(statement))
            result += self._split(statement)
        return result

    def _point(self, statement: ast.stmt) -> ast.stmt:
        place = ast.Constant(f"{self._file}:{statement.lineno}")
        call = ast.Expr(ast.Call(ast.Name(POINT, ast.Load()), [place], []))
        return ast.copy_location(call, statement)

    def _split(self, statement: ast.stmt) -> list[ast.stmt]:
        """Split a statement `x.a += e` into its load and its store, with a pause point between them. Return
        any other statement unchanged.
        """
        if not isinstance(statement, ast.AugAssign):
            return [statement]
        target = statement.target
        if not isinstance(target, ast.Attribute) or not isinstance(target.value, ast.Name):
            return [statement]
        self._temporaries += 1
        name = f"__simkernel_{self._temporaries}"
        load = ast.Assign([ast.Name(name, ast.Store())], ast.Attribute(target.value, target.attr, ast.Load()))
        change = ast.AugAssign(ast.Name(name, ast.Store()), statement.op, statement.value)
        store = ast.Assign([target], ast.Name(name, ast.Load()))
        parts: list[ast.stmt] = [load, change, self._point(statement), store]
        return [ast.copy_location(each, statement) for each in parts]
