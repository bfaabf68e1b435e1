"""Reader of the constants, enums and structs that a specification defines. It also resolves limits that name
a constant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from simkernel.ynl.document import Node
from simkernel.ynl.errors import choose
from simkernel.ynl.model import Constant, Definition, Entry, Enumeration, Structure
from simkernel.ynl.schema import type_range
from simkernel.ynl.shapes import Check, Level, Unsupported

_OUTSIDE = "a number defined outside the specification"
_TYPE_LIMIT = re.compile(r"([su](?:8|16|32|64))-(min|max)")
_MINUS_ONE = " - 1"
_MAX_BITS = 64


def read_definitions(nodes: list[Node]) -> dict[str, Definition]:
    """Return the definitions by name.  Raise SpecError if a name is repeated or a definition has no
    content.
    """
    definitions: dict[str, Definition] = {}
    for node in nodes:
        definition = _definition(node)
        if definition.name in definitions:
            raise node.error(f"'{definition.name}' is defined twice")
        definitions[definition.name] = definition
    return definitions


def _definition(node: Node) -> Definition:
    name, kind, doc = node.text("name"), node.text("type"), node.text("doc")
    if kind == "struct":
        return Structure(name, tuple(member.text("name") for member in node.entries("members")), doc)
    needed = "value" if kind == "const" else "entries"
    value = node.get(needed)
    if value is None:
        raise node.error(f"a definition of type {kind} needs '{needed}'")
    if kind == "const":
        assert isinstance(value.value, int | str)
        return Constant(name, value.value, doc)
    return Enumeration(name, kind == "flags", _entries(value, node.number("value-start") or 0, kind), doc)


def _entries(node: Node, start: int, kind: str) -> tuple[Entry, ...]:
    entries: dict[str, Entry] = {}
    values: dict[int, str] = {}
    following = start
    for item in node.items:
        entry = Entry(str(item.value), following)
        if isinstance(item.value, dict):
            number = item.number("value")
            entry = Entry(item.text("name"), following if number is None else number, item.text("doc"))
        if entry.name in entries:
            raise item.error(f"'{entry.name}' is listed twice")
        if entry.value in values:
            raise item.error(
                f"'{entry.name}' has the value {entry.value}, and so has '{values[entry.value]}'"
            )
        if kind == "flags" and not 0 <= entry.value < _MAX_BITS:
            raise item.error(f"flags are bits 0 to {_MAX_BITS - 1}, found bit {entry.value}")
        entries[entry.name] = entry
        values[entry.value] = entry.name
        following = entry.value + 1
    return tuple(entries.values())


class Numbers:
    """Converts limits of attributes (`min`, `max`, ...) to numbers.

    A limit is an integer, the name of a constant, the limit of a type (u32-max), or NAME - 1.
    """

    def __init__(self, nodes: list[Node], definitions: Mapping[str, Definition], check: Check) -> None:
        self._check = check
        self._constants: dict[str, int] = {}
        for node in nodes:
            definition = definitions[node.text("name")]
            if isinstance(definition, Constant) and isinstance(definition.value, int):
                # Some specifications refer to a constant by its name in C, which has a prefix.
                for name in (definition.name, node.text("name-prefix") + definition.name):
                    self._constants[name] = definition.value

    def resolve(self, node: Node) -> int | None:
        """Convert a limit, such as the value of `max`, to a number.

        In specifications of older families, a limit may be a constant that only C headers define.  Then
        record it as unsupported and return None.
        """
        if isinstance(node.value, int):
            return node.value
        name = str(node.value)
        less = 1 if name.endswith(_MINUS_ONE) else 0
        name = name.removesuffix(_MINUS_ONE)
        value = self._constants.get(name)
        if value is None:
            value = _type_limit(name)
        if value is not None:
            return value - less
        if self._check.level < Level.GENETLINK_LEGACY:
            raise node.error(f"unknown constant '{name}'; {choose(name, self._constants)}")
        self._check.unsupported.append(Unsupported(_OUTSIDE, node.line, node.path))
        return None


def _type_limit(name: str) -> int | None:
    match = _TYPE_LIMIT.fullmatch(name)
    return type_range(match[1])[match[2] == "max"] if match else None
