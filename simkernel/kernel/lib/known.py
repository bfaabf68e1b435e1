"""The ioctl(2) requests and the files of a real Linux, read from the tables `ioctls.txt` and `files.txt`.

simkernel reports the use of a request or file that it does not model.  If a request or file is in neither
table, Linux refuses it, so simkernel does too.  A table is read at its first use, because most machines
never need it.
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
    """Return the ioctl(2) requests that Linux has for a kind of file, from ioctls.txt. The mapping has, for
    each request number, a list of words: the name of the request, then flags such as CAP_NET_ADMIN and, if
    Linux refuses the request, its errno.
    """
    table = read_table(Path(__file__).with_name("ioctls.txt"))
    return {int(line[1], 16): line[2:] for line in table if any(fnmatchcase(kind, each) for each in line[0])}


def refusal(words: Iterable[str]) -> int | None:
    """Return the errno with which Linux refuses an ioctl(2) request, or None if Linux may execute it.

    `words` are the words after the request's name in ioctls.txt: flags, and an errno such as ENOTTY if Linux
    refuses the request.
    """
    return next((getattr(errno, word) for word in words if word[0] == "E"), None)


def known_file(directory: str, names: Sequence[str]) -> str | None:
    """Look up a file of Linux in files.txt. The file's path is `directory`, an existing directory, followed
    by `names`. Return the matching path of files.txt, which may have wildcards, or None if no path matches.

    A wildcard matches a name in the directory's path, but none of `names`. Otherwise `*/stat` would match a
    process that does not exist.
    """
    here = directory.split("/")
    for path in _files().get(names[-1], ()):
        pairs = zip(path, here, strict=False)
        if path[len(here) :] == [*names] and all(part in (name, "*") for part, name in pairs):
            return "/".join(path)
    return None


@cache
def _files() -> Mapping[str, list[list[str]]]:
    """Return the paths in `files.txt`, grouped by their last name. Each path is a list of names."""
    files: dict[str, list[list[str]]] = {}
    for directories, *names in read_table(Path(__file__).with_name("files.txt")):
        for name in names:
            files.setdefault(name, []).extend([*each.split("/"), name] for each in directories)
    return files


@cache
def read_table(path: Path) -> Sequence[list[Any]]:
    """Read a table from a text file. Return one list for each line: the first item is the list of words in
    the `[section]` header above the line, and the other items are the words of the line.
    """
    section: list[str] = []
    lines: list[list[Any]] = []
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("["):
            section = line[1:-1].split()
        elif line and line[0] != "#":
            lines.append([section, *line.split()])
    return lines
