"""What modprobe(8) knows: which module has an alias, and which others it needs (depmod's files).

User space has it and the kernel does not: a kernel asked for a module that needs another finds an
unknown symbol.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache

import attrs

from simkernel.kernel.loader.image import ImageError, Source, load_image
from simkernel.kernel.loader.path import module_name
from simkernel.kernel.loader.snapshot import Look
from simkernel.kernel.module.declaration import Module
from simkernel.ynl.errors import choose


class UnknownModule(LookupError):
    """No module has the name or alias, or it cannot be loaded for its dependencies.  The text says which."""


@attrs.frozen
class Index:
    """The modules of a path as they declare themselves (modules.alias, modules.dep, modules.symbols)."""

    modules: Mapping[str, Module]
    exporters: Mapping[str, str]

    def matching(self, alias: str) -> list[str]:
        """The modules one of whose aliases matches, by name; - and _ are equal there too."""
        wanted = module_name(alias)
        return [
            name
            for name, module in self.modules.items()
            if any(fnmatchcase(wanted, module_name(pattern)) for pattern in module.all_aliases)
        ]

    def needs(self, name: str) -> list[str]:
        """The modules whose symbols `name` imports, in the order of its imports."""
        exporters = [self.exporters.get(symbol) for symbol in self.modules[name].imports]
        return list(dict.fromkeys(each for each in exporters if each is not None))

    def load_order(self, name: str) -> list[str]:
        """`name` after all that it needs.  UnknownModule if they need each other."""
        order: list[str] = []
        self._visit(name, (), order)
        return order

    def _visit(self, name: str, path: tuple[str, ...], order: list[str]) -> None:
        if name in order:
            return
        if name in path:
            cycle = " -> ".join((*path[path.index(name) :], name))
            raise UnknownModule(f"modules need each other: {cycle}")
        for needed in self.needs(name):
            self._visit(needed, (*path, name), order)
        order.append(name)


@lru_cache(maxsize=16)
def _index(sources: tuple[Source, ...]) -> Index:
    """The index of these modules; a `Source` is another object when its files have changed."""
    modules: dict[str, Module] = {}
    exporters: dict[str, str] = {}
    for source in sources:
        try:
            module = load_image(source).declaration
        except ImageError:
            continue
        modules[source.name] = module
        for symbol in (*module.exports, *module.exports_gpl):
            exporters.setdefault(symbol, source.name)
    return Index(modules, exporters)


class ModuleIndex:
    """The index of a module path as it is when a question comes."""

    def __init__(self, look: Callable[[], Look]) -> None:
        self._look = look

    def read(self) -> Index:
        """Look at every module of the path (depmod(8)).  What does not load has no entry."""
        return _index(tuple(self._look().sources()))

    def resolve(self, name: str) -> tuple[str, ...]:
        """What to load for a module's name or an alias, in this order; each is a name for finit_module().

        A module that is there but does not load is among them: the kernel says why.  UnknownModule,
        with the nearest names, if nothing has the name.
        """
        index = self.read()
        plain = module_name(name)
        if plain in index.modules:
            return tuple(index.load_order(plain))
        if self._look().find(name) is not None:
            return (plain,)
        wanted = index.matching(name)
        if not wanted:
            raise UnknownModule(f"no module has the name or alias {name!r}: {choose(name, index.modules)}")
        return tuple(dict.fromkeys(needed for each in wanted for needed in index.load_order(each)))
