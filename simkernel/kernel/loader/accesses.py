"""Instrumentation that reports each attribute access in module code, as KCSAN's compiler pass does.

`x.a` becomes `access(x, "a", READ, 12).a`, where 12 is the line. So an access is reported when it happens,
also in lambdas and comprehensions.  A call of a method that changes a container (`x.a.append(1)`) and an
assignment to its item (`x.a[1] = 2`) are writes of `x.a`.  The arguments of `READ_ONCE()` and
`WRITE_ONCE()` are marked accesses. Those of `data_race()` are not reported (driverapi/compiler.py,
rcupdate.py, atomic.py).
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import IntFlag
from types import FrameType, ModuleType
from typing import Any, ClassVar, Final, Protocol

ACCESS: Final = "__simkernel_access__"
MUTATORS: Final = frozenset(
    {
        *("add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem"),
        *("popleft", "remove", "setdefault", "update"),
    }
)


class Kind(IntFlag):
    """The kind of an attribute access in module code, as a bit mask."""

    READ = 0
    WRITE = 1
    MARKED = 2
    """An access by `READ_ONCE()` or `WRITE_ONCE()`."""
    ORDERED = 4
    """An access by `rcu_dereference()`, `rcu_assign_pointer()` or `xchg()`. The access is ordered after the
    last `rcu_assign_pointer()` or `xchg()` of the same attribute.
    """


class Listener(Protocol):
    """An object that gets a report of each attribute access in module code: the race detector of the running
    machine.
    """

    def access(self, obj: object, name: str, kind: Kind, statement: int, frame: FrameType) -> None:
        """Record that `frame` is about to access the attribute `name`.

        `statement` is the line of the statement.
        """


class Accesses:
    """The transformation of module code that reports attribute accesses to `listener`. It implements
    `Instrument` (kernel/loader/image.py).
    """

    name: Final = "accesses"
    listener: ClassVar[Listener | None] = None

    def __init__(self) -> None:
        self._loading = 0
        self.names: Mapping[str, object] = {ACCESS: self._access}

    def _access(self, obj: Any, name: str, kind: int, statement: int) -> Any:
        listener = Accesses.listener
        if listener is not None and not self._loading and not isinstance(obj, ModuleType | type):
            listener.access(obj, name, Kind(kind), statement, sys._getframe(1))
        return obj

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Ignore accesses while the loader executes the top-level code of a file. This code runs once per
        Python process, not once per machine.
        """
        self._loading += 1
        try:
            yield
        finally:
            self._loading -= 1

    def apply(self, tree: ast.Module, file: str) -> ast.Module:
        """Insert calls that report the attribute accesses into the syntax tree of a file, and return the
        tree.
        """
        imported = {
            alias.asname or alias.name.partition(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        _Adder(imported).generic_visit(tree)
        return ast.fix_missing_locations(tree)


READS: Final[Mapping[str, Kind | None]] = {
    "READ_ONCE": Kind.MARKED,
    "rcu_dereference": Kind.MARKED | Kind.ORDERED,
    "data_race": None,
}
WRITES: Final[Mapping[str, Kind]] = {
    "WRITE_ONCE": Kind.WRITE | Kind.MARKED,
    "rcu_assign_pointer": Kind.WRITE | Kind.MARKED | Kind.ORDERED,
    "xchg": Kind.WRITE | Kind.MARKED | Kind.ORDERED,
}
"""Maps each function of driverapi that writes an attribute, such as WRITE_ONCE(object, name, value), to the
kind of the access.
"""

ACCESSES: Final = Accesses()


class _Adder(ast.NodeTransformer):
    def __init__(self, imported: set[str]) -> None:
        self._imported = imported
        self._depth = 0
        self._statement = 0
        self._kinds: dict[ast.AST, Kind] = {}
        self._marked: Kind | None = Kind.READ

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.stmt):
            self._statement = node.lineno
        return super().visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        self._depth += 1
        # accesses in a function's annotations, default values and decorators are not reported
        node.body = [self.visit(each) for each in node.body]
        self._depth -= 1
        return node

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - the names of ast's node classes

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.target = self.visit(node.target)
        node.value = node.value and self.visit(node.value)
        return node

    def visit_MatchValue(self, node: ast.MatchValue) -> ast.AST:
        return node

    def visit_MatchClass(self, node: ast.MatchClass) -> ast.AST:
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        function = node.func
        if isinstance(function, ast.Name) and function.id in READS:
            before, self._marked = self._marked, READS[function.id]
            self.generic_visit(node)
            self._marked = before
            return node
        if isinstance(function, ast.Name) and function.id in WRITES:
            return self._visit_write(node, WRITES[function.id])
        if isinstance(function, ast.Attribute) and function.attr in MUTATORS:
            self._kinds[function.value] = Kind.WRITE
        return self.generic_visit(node)

    def _visit_write(self, node: ast.Call, kind: Kind) -> ast.AST:
        obj, attribute = node.args[:2]
        assert isinstance(attribute, ast.Constant)
        node.args = [self.visit(each) for each in node.args]
        node.args[0] = self._call(node.args[0], str(attribute.value), kind, obj)
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        if not isinstance(node.ctx, ast.Load):
            self._kinds[node.value] = Kind.WRITE
        return self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        kind = self._kinds.pop(node, Kind.READ if isinstance(node.ctx, ast.Load) else Kind.WRITE)
        base = node.value
        self.generic_visit(node)
        ignored = isinstance(base, ast.Name) and base.id in self._imported
        is_super = isinstance(base, ast.Call) and isinstance(base.func, ast.Name) and base.func.id == "super"
        if self._depth and self._marked is not None and not ignored and not is_super:
            node.value = self._call(node.value, node.attr, kind | self._marked, base)
        return node

    def _call(self, value: ast.expr, name: str, kind: Kind, at: ast.expr) -> ast.expr:
        constants = [ast.Constant(each) for each in (name, int(kind), self._statement)]
        call = ast.Call(ast.Name(ACCESS, ast.Load()), [value, *constants], [])
        return ast.copy_location(call, at)
