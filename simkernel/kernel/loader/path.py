"""The module path: folders in which modules and the specifications of families are found by name.

A module is NAME.py or a folder NAME/ with an __init__.py; a specification is NAME.yaml, beside a module
or within its folder.  The first folder holds what is shipped with the kernel ("in tree"); the first
that has a name wins.  The specifications of families that no module has, nlctrl's for one, lie in BUILT_IN.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import TypeAlias

import attrs

from simkernel.kernel.netlink import genetlink
from simkernel.ynl import Spec, parse
from simkernel.ynl.errors import choose

BUILT_IN = Path(genetlink.__file__).parent
"""Where the families are that are part of the kernel."""


@attrs.frozen
class Location:
    """Where a module lies: a file or a folder (`package`), and whether within the kernel's own tree."""

    name: str
    path: Path
    package: bool
    in_tree: bool

    @property
    def directory(self) -> Path:
        """The folder of its specifications."""
        return self.path if self.package else self.path.parent


class ModulePath:
    """An ordered list of folders.  What lies there may change at any time: nothing is remembered."""

    def __init__(self, directories: Sequence[Path]) -> None:
        self.directories = tuple(directories)

    def locations(self) -> list[Location]:
        """Every module that can be found, by name."""
        found: dict[str, Location] = {}
        for location in self._modules():
            found.setdefault(location.name, location)
        return [found[name] for name in sorted(found)]

    def specification(self, name: str) -> Spec:
        """The specification NAME.yaml.  LookupError with the nearest names; SpecError for a mistake in it."""
        return read_specification(self.specification_file(name))

    def specification_file(self, name: str) -> Path:
        """Where NAME.yaml lies.  LookupError with the nearest names."""
        files = self._specifications()
        if name not in files:
            raise LookupError(f"there is no specification of {name!r}: {choose(name, sorted(files))}")
        return files[name]

    def _modules(self) -> Iterator[Location]:
        for index, directory in enumerate(self.directories):
            for entry in entries(directory):
                stem, suffix = os.path.splitext(entry.name)
                package = entry.is_dir()
                if os.path.isfile(os.path.join(entry.path, "__init__.py")) if package else suffix == ".py":
                    name = module_name(entry.name if package else stem)
                    if name.isidentifier():
                        yield _location(name, entry.path, package, index == 0)

    def _specifications(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for directory in (BUILT_IN, *self.directories):
            for entry in entries(directory):
                for file in entries(entry.path) if entry.is_dir() else [entry]:
                    stem, suffix = os.path.splitext(file.name)
                    if suffix == ".yaml":
                        found.setdefault(stem, Path(file.path))
        return found


def module_name(name: str) -> str:
    """A name as the kernel spells it: Kbuild makes _ of -."""
    return name.replace("-", "_")


def read_specification(path: str | Path) -> Spec:
    """The specification in a file.  SpecError for a mistake in it, OSError if it cannot be read.

    A file that has not changed since is not read again.
    """
    return _read(stamp(str(path)))


@lru_cache(maxsize=256)
def _location(name: str, path: str, package: bool, in_tree: bool) -> Location:
    return Location(name, Path(path), package, in_tree)


@lru_cache(maxsize=256)
def _read(file: Stamp) -> Spec:
    path = Path(file[0])
    return _parse(path.read_text("utf-8"), path.name)


@lru_cache(maxsize=256)
def _parse(text: str, filename: str) -> Spec:
    """Files with the same text share what is made from it."""
    return parse(text, filename)


Stamp: TypeAlias = tuple[str, int, int]
"""A file as Python itself tells whether it has changed: its path, time and size."""


def stamp(path: str) -> Stamp:
    """A file's stamp.  OSError if there is none."""
    status = os.stat(path)
    return path, status.st_mtime_ns, status.st_size


def entries(directory: str | Path) -> list[os.DirEntry[str]]:
    """What lies in a folder, by name; nothing if it cannot be read."""
    try:
        with os.scandir(directory) as found:
            return sorted(found, key=_by_name)
    except OSError:
        return []


_by_name = attrgetter("name")
