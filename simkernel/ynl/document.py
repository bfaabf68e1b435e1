"""A specification as a document: plain values, each with its position in the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, TypeVar

import attrs

from simkernel.ynl.errors import SpecError, choose

T = TypeVar("T")
Scalar: TypeAlias = str | int | float | bool | None
Plain: TypeAlias = "Scalar | list[Plain] | dict[str, Plain]"


@attrs.frozen(eq=False)
class Node:
    """A value of the document: a scalar, a list of nodes, or a mapping of names to nodes."""

    value: Scalar | list[Node] | dict[str, Node]
    filename: str
    line: int
    path: str

    def error(self, expected: str) -> SpecError:
        """Return the exception for a mistake in this value."""
        return SpecError(self.filename, self.line, self.path, expected)

    @property
    def mapping(self) -> dict[str, Node]:
        """The value as a mapping.  Raises SpecError if it is not a mapping."""
        if not isinstance(self.value, dict):
            raise self.error(f"expected a mapping of keys to values, found {self.shown}")
        return self.value

    @property
    def items(self) -> list[Node]:
        """The value as a list.  Raises SpecError if it is not a list."""
        if not isinstance(self.value, list):
            raise self.error(f"expected a list, found {self.shown}")
        return self.value

    @property
    def shown(self) -> str:
        """Description of the value for error messages."""
        if isinstance(self.value, dict):
            return "a mapping"
        if isinstance(self.value, list):
            return "a list"
        if isinstance(self.value, bool):
            return f"the boolean {str(self.value).lower()} (quote it if it is meant as text)"
        return "nothing" if self.value is None else repr(self.value)

    def get(self, key: str) -> Node | None:
        """Return the node of `key` in this mapping, or None."""
        return self.mapping.get(key)

    def entries(self, key: str) -> list[Node]:
        """Return the list under `key`, or [] if the mapping has no such key."""
        node = self.mapping.get(key)
        return [] if node is None else node.items

    def text(self, key: str, default: str = "") -> str:
        """Return the text under `key`, or `default` if the mapping has no such key."""
        node = self.mapping.get(key)
        return default if node is None or node.value is None else str(node.value)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the list of texts under `key`, or () if the mapping has no such key."""
        return tuple(str(node.value) for node in self.entries(key))

    def reference(self, key: str, kind: str, known: Mapping[str, T]) -> T | None:
        """Return `known[name]`, where `name` is the text under `key`.

        Return None if the mapping has no such key.  Raise SpecError if `known` has no such name.
        """
        node = self.mapping.get(key)
        if node is None:
            return None
        name = str(node.value)
        if name not in known:
            raise node.error(f"unknown {kind} '{name}'; {choose(name, known)}")
        return known[name]

    def flag(self, key: str) -> bool:
        """Return True if the value of `key` is true."""
        node = self.mapping.get(key)
        return node is not None and node.value is True

    def number(self, key: str) -> int | None:
        """Return the integer under `key`, or None if the mapping has no such key."""
        node = self.mapping.get(key)
        return node.value if node is not None and isinstance(node.value, int) else None

    def plain(self) -> Plain:
        """Return the value as plain Python objects, without positions."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value
