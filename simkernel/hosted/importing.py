"""Importing for hosted programs: their packages anew, and below them a standard library of their own.

Theory of operation.  A hosted package is loaded by Python's own machinery, from its own files, under its
own name in `sys.modules` (dataclasses, enums and pickles look there).  Before its code runs, its module gets
a `__builtins__` of its own, in which `open` and `__import__` are ours.  So every import statement of a
hosted package, at its top or in a function, at any time, comes here.

What is imported from here is one of

    a replacement   `posix`, `select`, `fcntl`, `mmap`, `socket`, `time` ...: made for the machine
    a reread one    `os`, `pathlib`, `selectors` ...: Python's own file, executed again with our imports
    anything else   the module that everybody has

The first two are in a table here and never in `sys.modules`, so nobody else meets them.
"""

from __future__ import annotations

import builtins
import importlib.util
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any, Final

from simkernel.engine import SimulationError

REREAD: Final = frozenset(
    {"_pyio", "genericpath", "glob", "os", "pathlib", "posixpath", "selectors", "shutil", "tempfile"}
)
"""Pure Python in the standard library that acts through what is replaced."""

ALIASES: Final = {"os.path": "posixpath", "_io": "io"}


class Importer(MetaPathFinder):
    """The imports of one hosted set of packages.

    `replacements` are the modules that stand for Python's own; `open` is what that builtin shall be.
    """

    def __init__(
        self, packages: Iterable[str], replacements: Mapping[str, ModuleType], open: Callable[..., Any]
    ) -> None:
        self.packages = frozenset(packages)
        self._there: list[str] = []
        self._away: dict[str, ModuleType] = {}
        self._count = -1
        self.modules: dict[str, ModuleType] = dict(replacements)
        self.modules["importlib"] = self._importlib()
        self.builtins: dict[str, Any] = {**vars(builtins), "open": open, "__import__": self._import}

    # -- hosted packages: a finder on sys.meta_path ------------------------------

    def owns(self, name: str) -> bool:
        """Whether a module belongs to the hosted packages."""
        return name.partition(".")[0] in self.packages

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As `importlib.abc.MetaPathFinder.find_spec`: Python's own answer, with a loader of ours."""
        if not self.owns(fullname):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(fullname, spec.loader.path, self.builtins)
        return spec

    # -- the import statement ---------------------------------------------------

    def import_module(self, name: str, package: str | None = None) -> ModuleType:
        """As `importlib.import_module`, seen from a hosted program."""
        full = importlib.util.resolve_name(name, package) if name.startswith(".") else name
        return self._find(full) or importlib.import_module(full)

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """`builtins.__import__`: the module for `from`, and otherwise the one that its name begins with."""
        full = name
        if level:
            package = (globals or {}).get("__package__") or ""
            full = importlib.util.resolve_name("." * level + name, package)
        found = self._find(full)
        if found is None:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        for each in fromlist or ():
            if not hasattr(found, each):
                self._find(f"{full}.{each}")
        return found if fromlist or level else self._find(full.partition(".")[0]) or found

    def _find(self, name: str) -> ModuleType | None:
        """A replaced or reread module; None for one that everybody has."""
        name = ALIASES.get(name, name)
        known = self.modules.get(name)
        if known is None and name.partition(".")[0] in REREAD:
            known = self._reread(name)
        return known

    def _reread(self, name: str) -> ModuleType | None:
        parent = self._find(name.rpartition(".")[0]) if "." in name else None
        path = list(parent.__path__) if parent is not None and hasattr(parent, "__path__") else None
        spec = PathFinder.find_spec(name, path)
        if spec is None or not isinstance(spec.loader, SourceFileLoader):
            return None
        module = importlib.util.module_from_spec(spec)
        self.modules[name] = module
        module.__dict__["__builtins__"] = self.builtins
        path_module = sys.modules["os.path"]
        try:
            code = spec.loader.get_code(name)
            assert code is not None
            exec(code, module.__dict__)
        except BaseException:
            del self.modules[name]
            raise
        finally:
            sys.modules["os.path"] = path_module  # which os.py sets
        if parent is not None:
            setattr(parent, name.rpartition(".")[2], module)
        return module

    def _importlib(self) -> ModuleType:
        replacement = ModuleType("importlib")
        vars(replacement).update(vars(importlib), import_module=self.import_module)
        return replacement

    # -- from and to ------------------------------------------------------------

    def check(self) -> None:
        """SimulationError for a name that cannot be hosted."""
        for package in sorted(self.packages):
            if problem := self._problem(package):
                raise SimulationError(f"hosted(machine, {package!r}): {problem}")
        importlib.invalidate_caches()

    def install(self) -> None:
        """Serve imports, and let `sys.modules` have the hosted packages."""
        sys.meta_path.insert(0, self)
        self._exchange()

    def remove(self) -> None:
        """Serve no more, and restore the modules that had the packages' names before."""
        sys.meta_path.remove(self)
        self._exchange()

    def _problem(self, package: str) -> str:
        """Why a name cannot be hosted; nothing if it can."""
        if package in REREAD or package in self.modules:
            return f"{package} is Python's own; whatever is hosted has one that acts on the machine"
        if "." in package:
            return f"name the whole package, {package.partition('.')[0]!r}; what lies in it comes along"
        if PathFinder.find_spec(package) is None:
            return "no package or module of that name can be imported from sys.path"
        return ""

    def _exchange(self) -> None:
        """Exchange the modules of the packages' names in `sys.modules` for those that are away."""
        modules = sys.modules
        if len(modules) != self._count:  # there are new ones
            self._there = [name for name in modules if self.owns(name)]
        there = {name: modules.pop(name) for name in self._there if name in modules}
        modules.update(self._away)
        self._there, self._away, self._count = list(self._away), there, len(modules)


class _Loader(SourceFileLoader):
    """Python's own loader, which gives the module its builtins first."""

    def __init__(self, fullname: str, path: str, builtins: dict[str, Any]) -> None:
        super().__init__(fullname, path)
        self._builtins = builtins

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__builtins__"] = self._builtins
        super().exec_module(module)
