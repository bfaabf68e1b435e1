"""The directories of the module path, and the modules and the netlink specifications in them.

depmod(8) stores its index in files. simkernel reads the directories again for each request, and caches
only the results of parsing a file, until the file changes.  A search runs thousands of machines with the
same code: within `unchanged_files` each file and directory is read once.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache, wraps
from operator import attrgetter
from pathlib import Path
from typing import Any, ParamSpec, TypeAlias, TypeVar

import attrs

from simkernel.uapi.errno import EINVAL
from simkernel.ynl import Spec, parse
from simkernel.ynl.errors import choose
from simkernel.ynl.parse import supplement_name

P = ParamSpec("P")
T = TypeVar("T")
_kept: dict[Any, Any] | None = None


@contextmanager
def unchanged_files(kept: dict[Any, Any]) -> Iterator[None]:
    """While the block of this context manager runs, read each file and directory of a module path at most
    once. The dictionary `kept` is the cache of the results.
    """
    global _kept
    before, _kept = _kept, kept
    try:
        yield
    finally:
        _kept = before


def files_are_unchanged() -> bool:
    """Return True inside a block of `unchanged_files`."""
    return _kept is not None


def keep(function: Callable[P, T]) -> Callable[P, T]:
    """Return a function that caches the results of `function` inside a `with unchanged_files()` block."""

    @wraps(function)
    def keeping(*arguments: P.args, **keywords: P.kwargs) -> T:
        if _kept is None:
            return function(*arguments, **keywords)
        key = function, arguments
        if key not in _kept:
            _kept[key] = function(*arguments, **keywords)
        result: T = _kept[key]
        return result

    return keeping


class NotRegularFile(OSError):
    """Raised if a path is a FIFO, a socket, a device or a directory. Opening a FIFO could block."""


@attrs.frozen
class Location:
    """The location of a module: a file or, for a `package`, a directory.

    `in_tree` is true within the kernel's own tree.
    """

    name: str
    path: Path
    package: bool
    in_tree: bool

    @property
    def directory(self) -> Path:
        """The directory that holds the module's netlink specifications."""
        return self.path if self.package else self.path.parent


@keep
def locations(directories: Iterable[Path]) -> list[Location]:
    """Return the locations of all modules in the directories, by name. If two directories have a module of
    the same name, the first directory counts.

    The first directory is the kernel's tree.  Files of any type are listed, so that a FIFO called NAME.py
    is reported.  Hidden files are not listed, because editors use them as locks and backups.
    """
    found: dict[str, Location] = {}
    for index, directory in enumerate(directories):
        for entry in entries(directory):
            stem, suffix = os.path.splitext(entry.name)
            package = suffix != ".py" and os.path.lexists(os.path.join(entry.path, "__init__.py"))
            if (package or suffix == ".py") and not entry.name.startswith("."):
                name = module_name(entry.name if package else stem)
                found.setdefault(name, _location(name, entry.path, package, index == 0))
    return [found[name] for name in sorted(found)]


@keep
def specifications(directories: Iterable[Path]) -> dict[str, Path]:
    """Return the paths of all netlink specifications (NAME.yaml) in the directories and their direct
    subdirectories, by NAME.
    """
    found: dict[str, Path] = {}
    for directory in directories:
        for entry in entries(directory):
            for file in entries(entry.path) if entry.is_dir() else [entry]:
                stem, suffix = os.path.splitext(file.name)
                if suffix == ".yaml" and not stem.endswith(".simkernel"):
                    found.setdefault(stem, Path(file.path))
    return found


def find_specification(name: str, directories: Iterable[Path]) -> Path:
    """Return the path of the netlink specification NAME.yaml in the directories or their direct
    subdirectories.

    Raises LookupError with the nearest names.
    """
    found = specifications(directories)
    if name not in found:
        raise LookupError(f"there is no specification of {name!r}: {choose(name, sorted(found))}")
    return found[name]


def module_name(name: str) -> str:
    """Return a module's name as the kernel spells it: Kbuild replaces - with _."""
    return name.replace("-", "_")


@keep
def read_specification(path: Path) -> Spec:
    """Return the netlink specification in a YAML file, with its supplement NAME.simkernel.yaml if it exists.

    Raises SpecError for an error in either file, OSError if one cannot be read.  Unchanged files are read
    once.
    """
    try:
        supplement = stamp(str(path.with_name(supplement_name(path.name))))
    except FileNotFoundError:
        supplement = None
    return _read(stamp(str(path)), supplement)


@lru_cache(maxsize=256)
def _location(name: str, path: str, package: bool, in_tree: bool) -> Location:
    return Location(name, Path(path), package, in_tree)


@lru_cache(maxsize=256)
def _read(file: Stamp, supplement: Stamp | None) -> Spec:
    path = Path(file[0])
    extras = "" if supplement is None else Path(supplement[0]).read_text("utf-8")
    return _parse(path.read_text("utf-8"), path.name, extras)


@lru_cache(maxsize=256)
def _parse(text: str, filename: str, supplement: str) -> Spec:
    """Parse the text of a netlink specification. Files with the same text share the result."""
    return parse(text, filename, supplement)


Stamp: TypeAlias = tuple[str, int, int]
"""The path of a file, its modification time in ns and its size in bytes. If all three are the same as before,
the file counts as unchanged, as for Python's imports.
"""


def stamp(path: str) -> Stamp:
    """Return the stamp of a regular file: its path, modification time and size.

    Raises NotRegularFile for another file, OSError if there is none.
    """
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise NotRegularFile(EINVAL, "not a regular file")
    return path, status.st_mtime_ns, status.st_size


def stamps(folder: str) -> Iterator[Stamp]:
    """Yield the stamp (path, modification time, size) of each Python file in a directory and its
    subdirectories, in the order of names.
    """
    for entry in entries(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from stamps(entry.path)
        elif entry.name.endswith(".py"):
            yield stamp(entry.path)


def unreadable(name: str, error: OSError | UnicodeDecodeError) -> str:
    """Return the text of an error that says which file cannot be read and why, without the host's path."""
    if isinstance(error, UnicodeDecodeError):
        line = error.object.count(b"\n", 0, error.start) + 1
        name = f"{name}:{line}"
    return f"{name} cannot be read ({type(error).__name__})"


def entries(directory: str | Path) -> list[os.DirEntry[str]]:
    """Return the entries of a directory in the order of names; an empty list if it cannot be read."""
    try:
        with os.scandir(directory) as found:
            return sorted(found, key=attrgetter("name"))
    except OSError:
        return []
