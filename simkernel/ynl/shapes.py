"""Shapes describe which values a specification may contain. Each shape has a method that checks a value.

`schema.py` is a table of shapes.  Checking a document raises SpecError for the first mistake, and collects
the features that simkernel does not support.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Protocol

import attrs

from simkernel.ynl.document import Node
from simkernel.ynl.errors import choose


class Level(enum.IntEnum):
    """Compatibility levels of the schema.  Each level includes the previous one."""

    GENETLINK = 0
    GENETLINK_C = 1
    GENETLINK_LEGACY = 2
    NETLINK_RAW = 3

    @property
    def protocol(self) -> str:
        """The value of the key `protocol` in a specification of this compatibility level."""
        return self.name.lower().replace("_", "-")


@attrs.frozen
class Unsupported:
    """A feature that a specification uses and simkernel does not support.  The kernel's schema allows it."""

    feature: str
    line: int
    key: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.feature} ({self.key})"


@attrs.define
class Check:
    """The compatibility level of a document, and the unsupported features that the document uses."""

    level: Level
    unsupported: list[Unsupported] = attrs.field(factory=list)

    def admit(self, node: Node, what: str, since: Level, unsupported: str) -> None:
        """Raise SpecError if the document's level is lower than `since`, the lowest level that allows `what`.

        If `unsupported` is not empty, add it to the unsupported features of the document.
        """
        if since > self.level:
            raise node.error(
                f"{what} needs 'protocol: {since.protocol}', but the protocol is {self.level.protocol}"
            )
        if unsupported:
            self.unsupported.append(Unsupported(unsupported, node.line, node.path))


class Shape(Protocol):
    """The interface of a shape, which describes the valid values of one place in a specification."""

    def check(self, node: Node, check: Check) -> None:
        """Raise SpecError if the value of `node` is not valid."""


@attrs.frozen
class Plain:
    """A scalar whose type is one of `types`."""

    types: tuple[type, ...]
    expected: str
    minimum: int | None = None

    def check(self, node: Node, check: Check) -> None:
        """Raise SpecError if the value has another type or is below the minimum."""
        fits = type(node.value) in self.types
        if fits and self.minimum is not None and isinstance(node.value, int):
            fits = node.value >= self.minimum
        if not fits:
            raise node.error(f"expected {self.expected}, found {node.shown}")


@attrs.frozen
class Word:
    """A word that a specification may contain. `level` is the lowest level that allows it. `unsupported` is
    the feature that the word asks for, if simkernel lacks this feature.
    """

    level: Level = Level.GENETLINK
    unsupported: str = ""


@attrs.frozen
class OneOf:
    """A value that must be one of several words."""

    words: Mapping[str, Word]

    def check(self, node: Node, check: Check) -> None:
        """Raise SpecError if the value is not one of the words, or if the word needs another schema, for
        example genetlink-legacy instead of genetlink.
        """
        word = self.words.get(node.value) if isinstance(node.value, str) else None
        if word is None:
            raise node.error(f"unknown value {node.shown}; {choose(node.value, self.words)}")
        check.admit(node, f"'{node.value}'", word.level, word.unsupported)


@attrs.frozen
class ListOf:
    """A list of values that all have one shape."""

    item: Shape

    def check(self, node: Node, check: Check) -> None:
        """Raise SpecError if the value is not a list, or an item does not have the shape."""
        for item in node.items:
            self.item.check(item, check)


@attrs.frozen
class Key:
    """A key of a mapping: the shape of its value, the lowest level that allows it, and the unsupported
    feature that it needs, if any.
    """

    shape: Shape
    required: bool = False
    level: Level = Level.GENETLINK
    unsupported: str = ""


@attrs.frozen
class Table:
    """A mapping with known keys."""

    keys: Mapping[str, Key]

    def check(self, node: Node, check: Check) -> None:
        """Raise SpecError if a key is unknown or missing, if the document's `protocol` does not allow a key,
        or if a value is wrong.
        """
        for name, value in node.mapping.items():
            key = self.keys.get(name)
            if key is None:
                raise value.error(f"unknown key '{name}'; {choose(name, self.keys)}")
            check.admit(value, f"'{name}'", key.level, key.unsupported)
            key.shape.check(value, check)
        for name, key in self.keys.items():
            if key.required and name not in node.mapping:
                raise node.error(f"the key '{name}' is missing")


@attrs.frozen
class NameOr:
    """A value that is a name, or a mapping with the name and more keys."""

    table: Table

    def check(self, node: Node, check: Check) -> None:
        """Raise SpecError if the value is neither a name nor a valid mapping."""
        if not isinstance(node.value, str):
            self.table.check(node, check)


TEXT = Plain((str,), "text")
TEXT_OR_NOTHING = Plain((str, type(None)), "text or nothing")
TRUTH = Plain((bool,), "true or false")
INTEGER = Plain((int,), "an integer")
COUNT = Plain((int,), "an integer of at least 0", minimum=0)
NUMBER = Plain((int, str), "an integer or the name of a constant")
