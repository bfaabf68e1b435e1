"""What Linux has and simkernel lacks, read from the tables `ioctls.txt` and `files.txt` beside this file.

What neither simkernel nor a table has is refused by Linux, too.  Most machines never ask, so a table is read
at its first use.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from simkernel.uapi import errno


@cache
def known_ioctls(kind: str) -> Mapping[int, Sequence[str]]:
    """The requests of ioctl(2) that Linux knows of a kind of file: name and further words, by number."""
    table = read_table(Path(__file__).with_name("ioctls.txt"))
    return {int(line[1], 16): line[2:] for line in table if any(fnmatchcase(kind, each) for each in line[0])}


def refusal(words: Iterable[str]) -> int | None:
    """The errno with which Linux itself refuses a request; None: Linux may carry it out."""
    return next((getattr(errno, word) for word in words if word[0] == "E"), None)


def known_file(directory: str, names: Sequence[str]) -> str | None:
    """The path in the table for `names` below a directory that exists; None: Linux lacks the file, too.

    A wildcard stands for a name in the path of the directory, never for one of `names`: that Linux has files
    in the directory of any process does not make a process exist.
    """
    here = directory.split("/")
    for path in _files().get(names[-1], ()):
        pairs = zip(path, here, strict=False)
        if path[len(here) :] == [*names] and all(part in (name, "*") for part, name in pairs):
            return "/".join(path)
    return None


@cache
def _files() -> Mapping[str, list[list[str]]]:
    """The paths of the table, split into names, by their last name."""
    files: dict[str, list[list[str]]] = {}
    for directories, *names in read_table(Path(__file__).with_name("files.txt")):
        for name in names:
            files.setdefault(name, []).extend([*each.split("/"), name] for each in directories)
    return files


@cache
def read_table(path: Path) -> Sequence[list[Any]]:
    """The lines of a table, split into words, each after the words of its `[section]`."""
    section: list[str] = []
    lines: list[list[Any]] = []
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("["):
            section = line[1:-1].split()
        elif line and line[0] != "#":
            lines.append([section, *line.split()])
    return lines
