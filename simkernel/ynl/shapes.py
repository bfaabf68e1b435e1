"""Shapes: what a value in a specification may be, as data that checks itself.

`schema.py` is a table made of these.  Checking a document raises SpecError at the first mistake and
collects what is no mistake but not supported here.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Protocol

import attrs

from simkernel.ynl.document import Node
from simkernel.ynl.errors import choose


class Level(enum.IntEnum):
    """The schema's compatibility levels; each has all of the one before."""

    GENETLINK = 0
    GENETLINK_C = 1
    GENETLINK_LEGACY = 2
    NETLINK_RAW = 3

    @property
    def protocol(self) -> str:
        """What a specification's `protocol` says for it."""
        return self.name.lower().replace("_", "-")


@attrs.frozen
class Unsupported:
    """Something that the kernel's schema has and simkernel does not, met in a specification."""

    feature: str
    line: int
    key: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.feature} ({self.key})"


@attrs.define
class Check:
    """The check of one document: its level, and what it met that is not supported."""

    level: Level
    unsupported: list[Unsupported] = attrs.field(factory=list)

    def admit(self, node: Node, what: str, since: Level, lacking: str) -> None:
        """Refuse what the document's level does not have; note what simkernel lacks."""
        if since > self.level:
            raise node.error(f"{what} needs 'protocol: {since.protocol}', and this is {self.level.protocol}")
        if lacking:
            self.unsupported.append(Unsupported(lacking, node.line, node.path))


class Shape(Protocol):
    """What a value may be."""

    def check(self, node: Node, check: Check) -> None:
        """Raise SpecError if `node` has not this shape."""


@attrs.frozen
class Plain:
    """A scalar of one of some types."""

    types: tuple[type, ...]
    expected: str
    minimum: int | None = None

    def check(self, node: Node, check: Check) -> None:
        """Raise SpecError if the value has another type or is too small."""
        fits = type(node.value) in self.types
        if fits and self.minimum is not None and isinstance(node.value, int):
            fits = node.value >= self.minimum
        if not fits:
            raise node.error(f"expected {self.expected}, found {node.shown}")


@attrs.frozen
class Word:
    """One of some words."""

    level: Level = Level.GENETLINK
    lacking: str = ""


@attrs.frozen
class OneOf:
    """A choice of words, each with the level it begins at and what simkernel lacks for it."""

    words: Mapping[str, Word]

    def check(self, node: Node, check: Check) -> None:
        """Raise SpecError at another word, or one of a higher level."""
        word = self.words.get(node.value) if isinstance(node.value, str) else None
        if word is None:
            raise node.error(f"unknown value {node.shown}; {choose(node.value, self.words)}")
        check.admit(node, f"'{node.value}'", word.level, word.lacking)


@attrs.frozen
class ListOf:
    """A list of values of one shape."""

    item: Shape

    def check(self, node: Node, check: Check) -> None:
        """Raise SpecError if the value is no list, or at an item of another shape."""
        for item in node.items:
            self.item.check(item, check)


@attrs.frozen
class Key:
    """A key of a mapping."""

    shape: Shape
    required: bool = False
    level: Level = Level.GENETLINK
    lacking: str = ""


@attrs.frozen
class Table:
    """A mapping with known keys."""

    keys: Mapping[str, Key]

    def check(self, node: Node, check: Check) -> None:
        """Raise SpecError at an unknown key, a missing one, one of a higher level or a wrong value."""
        for name, value in node.mapping.items():
            key = self.keys.get(name)
            if key is None:
                raise value.error(f"unknown key '{name}'; {choose(name, self.keys)}")
            check.admit(value, f"'{name}'", key.level, key.lacking)
            key.shape.check(value, check)
        for name, key in self.keys.items():
            if key.required and name not in node.mapping:
                raise node.error(f"the key '{name}' is missing")


@attrs.frozen
class NameOr:
    """A bare name, or a table in its place."""

    table: Table

    def check(self, node: Node, check: Check) -> None:
        """Raise SpecError if the value is neither."""
        if not isinstance(node.value, str):
            self.table.check(node, check)


TEXT = Plain((str,), "text")
TEXT_OR_NOTHING = Plain((str, type(None)), "text or nothing")
TRUTH = Plain((bool,), "true or false")
INTEGER = Plain((int,), "an integer")
COUNT = Plain((int,), "an integer from 0 on", minimum=0)
NUMBER = Plain((int, str), "an integer or the name of a constant")
