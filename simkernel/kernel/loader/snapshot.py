"""Looking at a module path: what lies there at one moment.

The files are the host's, and whoever edits a driver wants the next modprobe to see it.  But while the
simulation runs nothing else of the host does, so that one look serves until ordinary code has its turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from simkernel.engine import Engine
from simkernel.kernel.loader.image import ImageError, Source, read_source
from simkernel.kernel.loader.path import Location, ModulePath, module_name


class Look:
    """The modules that lay on a path when it was looked at, and their texts as somebody asks for them."""

    def __init__(self, found: Iterable[Location]) -> None:
        self._locations = {location.name: location for location in found}
        self._sources: dict[str, Source] = {}

    def find(self, name: str) -> Location | None:
        """The module called `name`, in which - and _ are equal; None if there is none or it is a path."""
        return self._locations.get(module_name(name.removesuffix(".py")))

    def source(self, location: Location) -> Source:
        """The texts of a module.  ImageError if they cannot be read."""
        source = self._sources.get(location.name)
        if source is None:
            source = self._sources[location.name] = read_source(location)
        return source

    def sources(self) -> Iterator[Source]:
        """The texts of all that can be read, by name."""
        for location in self._locations.values():
            with suppress(ImageError):
                yield self.source(location)


class Looks:
    """Looks at a path, a new one for each question from outside of a simulation."""

    def __init__(self, path: ModulePath, engine: Engine) -> None:
        self._path = path
        self._engine = engine
        self._last: tuple[int, Look] | None = None

    def __call__(self) -> Look:
        """What lies there now."""
        if self._last is not None and self._engine.running and self._last[0] == self._engine.turn:
            return self._last[1]
        look = Look(self._path.locations())
        self._last = self._engine.turn, look
        return look
