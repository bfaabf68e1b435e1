"""Layouts of C structures and values of C constants from three sources: simkernel's classes, a C compiler
with the real header, and a recorded file.

    INPUT = Header(
        "input",
        ["linux/input.h"],
        {"input_event": (InputEvent, ["time.tv_sec", "time.tv_usec", "type", "code", "value"])},
        {"EVIOCGID": EVIOCGID, "EVIOCGNAME(16)": EVIOCGNAME(16)},
    )

A layout is the size of a structure, and the offset and size of each of its fields. The file
recorded/NAME.json was made by

    python -m tests.uapi.layouts tests.uapi.test_input INPUT

on a machine that has the header. The tests compare simkernel's classes with this file and, if the host has
the header, also with the header.
"""

from __future__ import annotations

import importlib
import json
import re
import struct
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs

from simkernel.uapi.structure import Structure
from tests.uapi.headers import compile_c, numbers_in_headers, run, skip_if

RECORDED = Path(__file__).parent / "recorded"

Contract = dict[str, dict[str, Any]]
"""Type of `{"structures": {name: [size, {field: [offset, size]}]}, "numbers": {expression: number}}`."""


@attrs.frozen
class Header:
    """simkernel's definitions for one C header. `structures` maps the name of each C structure to simkernel's
    class and to the names of the C fields. The field names have the order of the fields in the class.
    """

    name: str
    includes: list[str]
    structures: dict[str, tuple[type[Structure], list[str]]]
    numbers: dict[str, int]


def numbers_of(*modules: ModuleType, without: Collection[str] = ()) -> dict[str, int]:
    """Return the numbers that modules define, by name."""
    return {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, int) and not isinstance(value, bool)
        if not name.startswith("__") and name not in without
    }


def ours(header: Header) -> Contract:
    """Return simkernel's structure sizes, field offsets and numbers for a header."""
    structures = {
        name: [cls.SIZE, dict(zip(fields, _items(cls.LAYOUT.format), strict=True))]
        for name, (cls, fields) in header.structures.items()
    }
    return {"structures": structures, "numbers": dict(header.numbers)}


def theirs(header: Header, folder: Path) -> Contract:
    """Return sizes, offsets and numbers from a C compiler, which compiles in `folder`. Numbers that the
    header lacks are left out.

    Skips the test if the header is not installed.
    """
    body = ""
    for name, (_, fields) in header.structures.items():
        body += f'{{ struct {name} it; printf("{name} . %zu 0\\n", sizeof it);\n'
        for field in fields:
            place = f"(size_t) ((char *) &it.{field} - (char *) &it), sizeof it.{field}"
            body += f'printf("{name} {field} %zu %zu\\n", {place});\n'
        body += "}\n"
    skip_if(compile_c(["stddef.h", *header.includes], body, folder))
    structures: dict[str, Any] = {}
    for line in run(folder).decode().splitlines():
        name, field, first, second = line.split()
        if field == ".":
            structures[name] = [int(first), {}]
        else:
            structures[name][1][field] = [int(first), int(second)]
    return {
        "structures": structures,
        "numbers": numbers_in_headers(list(header.numbers), header.includes, folder),
    }


def recorded(header: Header) -> Contract:
    """Return the recorded sizes, offsets and numbers."""
    contract: Contract = json.loads((RECORDED / f"{header.name}.json").read_text())
    return contract


def _items(layout: str) -> list[list[int]]:
    """Return offset and size of each value in a struct format. The values are packed without alignment."""
    found, offset = [], 0
    for count, code in re.findall(r"(\d*)([a-zA-Z?])", layout):
        size = struct.calcsize("<" + code)
        together = code in "xs"
        width = size * int(count or 1) if together else size
        for _ in range(1 if together else int(count or 1)):
            if code != "x":
                found.append([offset, width])
            offset += width
    return found


def main(module: str, name: str) -> None:
    """Record the layout of a header."""
    header: Header = getattr(importlib.import_module(module), name)
    with tempfile.TemporaryDirectory() as folder:
        contract = theirs(header, Path(folder))
    RECORDED.mkdir(exist_ok=True)
    path = RECORDED / f"{header.name}.json"
    parts = [f"{json.dumps(part)}: {_lines(what)}" for part, what in contract.items()]
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n")


def _lines(what: dict[str, Any]) -> str:
    """Return a JSON object with one line for each key."""
    return (
        "{\n" + ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in what.items()) + "\n}"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
