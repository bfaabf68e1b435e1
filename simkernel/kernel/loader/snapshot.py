"""A snapshot of the modules on a module path, with an index like the one that depmod(8) writes for
modprobe(8).

Only user space has the index of modules. If the kernel itself loads a module that needs another one, it
finds an unknown symbol.

The files are the host's, and the next modprobe must see an edited driver.  No other code of the host runs
during the simulation, so one snapshot is used until ordinary code has run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

from simkernel.engine import Engine
from simkernel.kernel.lib.log import Log
from simkernel.kernel.loader.image import ImageError, Instrument, NoModule, load_image
from simkernel.kernel.loader.path import Location, files_are_unchanged, locations, module_name
from simkernel.kernel.module.declaration import Module
from simkernel.kernel.module.module import Image
from simkernel.ynl.errors import choose


class UnknownModule(LookupError):
    """Raised if no module has the name or alias, or if the modules depend on each other."""


class Snapshot:
    """The modules on a module path at one moment. A module's code is read and executed at its first use.

    `on_fault` is called with the name and the error of each module that cannot be loaded.
    """

    def __init__(
        self,
        found: Iterable[Location],
        on_fault: Callable[[str, ImageError], object],
        instruments: Sequence[Instrument] = (),
    ) -> None:
        self._on_fault = on_fault
        self._instruments = instruments
        self._broken: list[str] = []
        self._locations = {location.name: location for location in found}
        self._images: dict[str, Image] = {}

    def find(self, name: str) -> Location | None:
        """Return the location of the module `name`, or None. The characters - and _ are equal, and a suffix
        .py is ignored. If `name` is the path of a file, the result is None.
        """
        return self._locations.get(module_name(name.removesuffix(".py")))

    def image(self, location: Location) -> Image:
        """Return the code of a module.  Raise ImageError if it cannot be read or executed."""
        image = self._images.get(location.name)
        if image is None:
            image = self._images[location.name] = load_image(location, self._instruments)
        return image

    @cached_property
    def modules(self) -> Mapping[str, Module]:
        """The declarations of the loadable modules, by module name. Lookups of aliases and symbols use them,
        as modprobe uses modules.alias and modules.symbols.
        """
        declared = {}
        for name, location in self._locations.items():
            try:
                declared[name] = self.image(location).declaration
            except NoModule:
                continue
            except ImageError as error:
                self._on_fault(name, error)
                self._broken.append(name)
        return declared

    def resolve(self, name: str) -> tuple[str, ...]:
        """Return the names of the modules to load for a module name or an alias, in load order.

        A module that exists but cannot be loaded is in the result, because the kernel then logs the
        reason. Raises UnknownModule with the nearest names if no module matches.
        """
        plain = module_name(name)
        if plain in self.modules:
            return tuple(self._load_order([plain]))
        if self.find(name) is not None:
            return (plain,)
        wanted = [each for each, module in self.modules.items() if _has_alias(module, plain)]
        if not wanted:
            broken = f" (see the kernel log for {', '.join(self._broken)})" if self._broken else ""
            text = f"no module has the name or alias {name!r}: {choose(name, self.modules)}"
            raise UnknownModule(text + broken)
        return tuple(self._load_order(wanted))

    def _load_order(self, wanted: Iterable[str]) -> list[str]:
        """Return the modules in load order: each module after the modules whose symbols it imports. Raise
        UnknownModule for a cycle.
        """
        exporters: dict[str, str] = {}
        for name, module in self.modules.items():
            for symbol in module.exported:
                exporters.setdefault(symbol, name)
        order: list[str] = []

        def visit(name: str, path: tuple[str, ...]) -> None:
            if name in path:
                cycle = " -> ".join((*path[path.index(name) :], name))
                raise UnknownModule(f"modules depend on each other: {cycle}")
            if name not in order:
                for symbol in self.modules[name].imports:
                    if symbol in exporters:
                        visit(exporters[symbol], (*path, name))
                order.append(name)

        for name in wanted:
            visit(name, ())
        return order


def _has_alias(module: Module, name: str) -> bool:
    return any(fnmatchcase(name, module_name(pattern)) for pattern in module.all_aliases)


class ModulePath:
    """An ordered list of directories with modules.

    `faults` are the errors of modules that cannot be loaded, by their line in the kernel log.  Each line
    is logged only once, although the directories are read for every request.
    """

    def __init__(
        self, directories: Sequence[Path], engine: Engine, log: Log, instruments: Sequence[Instrument] = ()
    ) -> None:
        self._directories = directories
        self._instruments = instruments
        self._engine = engine
        self._log = log
        self.faults: dict[str, ImageError] = {}
        self._last: tuple[int, Snapshot] | None = None

    def snapshot(self) -> Snapshot:
        """Return a snapshot of the modules that the directories contain now."""
        if self._last is not None and (
            files_are_unchanged() or (self._engine.running and self._last[0] == self._engine.turn)
        ):
            return self._last[1]
        snapshot = Snapshot(locations(self._directories), self.on_fault, self._instruments)
        self._last = self._engine.turn, snapshot
        return snapshot

    def on_fault(self, module: str, error: ImageError) -> ImageError:
        """Log that a module cannot be loaded, unless the log already has that line."""
        text = f"module {module}: {error}"
        error.module = module
        if text not in self.faults:
            self._log.err(text)
        return self.faults.setdefault(text, error)
