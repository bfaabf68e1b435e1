"""The import system of hosted programs, which imports their packages anew with a separate standard library.

Theory of operation.  Python's import system loads a hosted package from its files, under its real name in
`sys.modules`, where dataclasses, enum and pickle look it up.  Before the package's code runs, its module
gets a separate `__builtins__` with another `open` and `__import__`.  So every import statement of a hosted
package, at module level or in a function, at any time, calls `Importer`.

The importer returns one of these modules:

    a replacement     `posix`, `select`, `fcntl`, `mmap`, `_socket`, `time` ...: made for the machine
    a reread module   `os`, `socket`, `logging` ...: Python's file, executed again with these imports
    a shared module   the host's module: C code, `typing`, other packages ...

library.py has the tables.  `Importer.modules` holds the first two kinds.  A hosted program also finds them
in its `sys.modules`; other code does not.
"""

from __future__ import annotations

import builtins
import importlib.util
import sys
from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from io import StringIO
from types import ModuleType
from typing import Any, Final

from simkernel.engine import SimulationError
from simkernel.hosted.calls import Facade, numbered, refuse
from simkernel.hosted.library import ABSENT, OWN, SHARED

ALIASES: Final = {"os.path": "posixpath", "_io": "io", "_signal": "signal", "datetime": "_datetime"}
"""Maps the name that a hosted program imports to the key of `Importer.modules` that has the program's copy of
the module.

The copy of `datetime` has the key `_datetime`. The name `datetime` is left to the host's module, because
pickle looks up the classes of pickled dates there.
"""

NUMBERED: Final = {"threading": "Thread", "concurrent.futures._base": "Future"}
"""Classes of the standard library whose objects get hashes that are the same in each run, by module. The
modules keep these objects in sets, and the order of a set affects the order of system calls.
"""


class Importer(MetaPathFinder):
    """The import system of one hosted program.

    `replacements` are the modules, by name, that replace modules of the standard library.
    """

    def __init__(self, packages: Iterable[str], replacements: Mapping[str, ModuleType]) -> None:
        self.packages = frozenset(packages)
        self._there: list[str] = []
        self._away: dict[str, ModuleType] = {}
        self._count = -1
        self.modules: dict[str, ModuleType] = dict(replacements)
        self.modules["builtins"] = ModuleType("builtins")
        self.builtins: dict[str, Any] = vars(self.modules["builtins"])
        self.builtins.update(vars(builtins), __import__=self._import, input=refuse("input"))
        if "io" in replacements:
            self.builtins["open"] = replacements["io"].open
        self._shared: set[str] = set()
        self._rereading: set[str] = set()
        self.modules["importlib"] = Facade(importlib, import_module=self.import_module)
        self.modules["sys"] = Facade(
            sys, argv=[""], executable="", modules=_Modules(self), orig_argv=[""], stdin=StringIO()
        )

    # -- hosted packages, found by this finder on sys.meta_path -----------------

    def owns(self, name: str) -> bool:
        """Return True if a module belongs to a hosted package."""
        return name.partition(".")[0] in self.packages

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module of a hosted package as Python does, and replace its loader."""
        if not self.owns(fullname):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(fullname, spec.loader.path, self.builtins)
        return spec

    # -- the import statement ---------------------------------------------------

    def import_module(self, name: str, package: str | None = None) -> ModuleType:
        """Import a module as `importlib.import_module` does in a hosted program."""
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
        """Implement `builtins.__import__`: return the imported module for a `from` import, otherwise its
        top-level package.
        """
        full = name
        if level:
            package = (globals or {}).get("__package__") or ""
            full = importlib.util.resolve_name("." * level + name, package)
        found = self._find(full)
        top = full.partition(".")[0]
        if found is None:
            made = builtins.__import__(name, globals, locals, fromlist or (), level)
            return made if fromlist or level else self._find(top) or made
        for each in fromlist or ():
            if not hasattr(found, each):
                self._find(f"{full}.{each}")
        return found if fromlist or level else self._find(top) or found

    def _find(self, name: str) -> ModuleType | None:
        """Return the hosted program's own module of this name: a replacement, or a second copy of the host's
        module.  Return None if the program uses the host's module.
        """
        name = ALIASES.get(name, name)
        if name in self.modules:
            return self.modules[name]
        if name in ABSENT:
            raise ModuleNotFoundError(f"a hosted program has no module {name!r}: {ABSENT[name]}", name=name)
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names or name in self._shared:
            return None
        if top in SHARED and name not in OWN:
            return None
        return self._reread(name)

    def _reread(self, name: str) -> ModuleType | None:
        parent = self._find(name.rpartition(".")[0]) if "." in name else None
        path = list(parent.__path__) if parent is not None and hasattr(parent, "__path__") else None
        spec = PathFinder.find_spec(name, path)
        if spec is None or not isinstance(spec.loader, SourceFileLoader):
            self._shared.add(name)
            return None
        # import the host's copy before `sys.modules` gets the program's copy under the same name
        host = importlib.import_module(name)
        module = importlib.util.module_from_spec(spec)
        self.modules[name] = sys.modules[name] = (
            module  # enum's _convert_() looks up its caller's module in sys.modules
        )
        # keep the host's module: `_exchange` needs it if another hosted program runs during the import
        self._away[name] = host
        self._there.append(name)
        self._rereading.add(name)
        module.__dict__["__builtins__"] = self.builtins
        try:
            code = spec.loader.get_code(name)
            assert code is not None
            exec(code, module.__dict__)
        except BaseException:
            del self.modules[name]
            raise
        finally:
            self._rereading.remove(name)
            self._there.remove(name)
            sys.modules[name] = self._away.pop(name)
        if name in NUMBERED:
            numbered(getattr(module, NUMBERED[name]))
        if parent is not None:
            vars(parent)[name.rpartition(".")[2]] = module
        return module

    # -- check, install, remove --------------------------------------------------

    def check(self) -> None:
        """Raise SimulationError if one of the packages cannot be hosted."""
        for package in sorted(self.packages):
            if problem := self._problem(package):
                raise SimulationError(f"hosted(machine, {package!r}): {problem}")
        importlib.invalidate_caches()

    def install(self) -> None:
        """Add this importer to `sys.meta_path`, and the hosted packages to `sys.modules`."""
        sys.meta_path.insert(0, self)
        self._exchange()

    def remove(self) -> None:
        """Undo `install`, and restore the modules that had the packages' names before."""
        sys.meta_path.remove(self)
        self._exchange()

    def _problem(self, package: str) -> str:
        """Return the reason why a package cannot be hosted, or an empty string."""
        if package in sys.stdlib_module_names:
            return f"{package} is a module of the standard library, which hosted packages get anyway: omit it"
        if "." in package:
            return f"name the whole package, {package.partition('.')[0]!r}; its submodules are hosted with it"
        if PathFinder.find_spec(package) is None:
            return "no package or module of that name can be imported from sys.path"
        return ""

    def _exchange(self) -> None:
        """In `sys.modules`, replace the host's modules with the hosted program's modules of the same names,
        or the reverse. Keep the replaced modules in `_away`.
        """
        modules = sys.modules
        if len(modules) != self._count:  # an import has added a module since the last call of `_exchange`
            self._there = [name for name in modules if self.owns(name) or name in self._rereading]
        there = {name: modules.pop(name) for name in self._there if name in modules}
        modules.update(self._away)
        self._there, self._away, self._count = list(self._away), there, len(modules)


class _Loader(SourceFileLoader):
    """A source file loader that sets `__builtins__` before it executes a module. So the module uses the
    hosted program's `open` and `__import__`.
    """

    def __init__(self, fullname: str, path: str, builtins: dict[str, Any]) -> None:
        super().__init__(fullname, path)
        self._builtins = builtins

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__builtins__"] = self._builtins
        super().exec_module(module)


class _Modules(ChainMap[str, ModuleType]):
    """The `sys.modules` that a hosted program sees.  pickle, for example, looks up the module of a class in
    it.
    """

    def __init__(self, importer: Importer) -> None:
        super().__init__(importer.modules, sys.modules)
        self._owns = importer.owns

    def __setitem__(self, name: str, module: ModuleType) -> None:
        self.maps[self._owns(name)][name] = module

    def __delitem__(self, name: str) -> None:
        del self.maps[self._owns(name)][name]
