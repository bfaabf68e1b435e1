"""Reader of the attribute sets of a specification: numbers, types, checks and subsets."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from simkernel.ynl.definitions import Numbers
from simkernel.ynl.document import Node
from simkernel.ynl.errors import choose
from simkernel.ynl.model import Attribute, AttributeSet, Checks, Definition, Enumeration
from simkernel.ynl.schema import SCALARS, UNSIGNED, type_range
from simkernel.ynl.shapes import Check, Level, Unsupported

_MAX_TYPE = 0x3FFF
_MAX_PAYLOAD = 0xFFFF - 4

_INTEGERS = frozenset(SCALARS)
_ARRAYS = frozenset({"binary", "indexed-array"})
_NESTS = frozenset({"nest", "indexed-array", "nest-type-value"})
_TEXTS = frozenset({"string", "binary", "indexed-array"})

# Maps a key, such as `max-len`, to the types of the attributes that may have the key.
_APPLIES_TO = {
    "enum": _INTEGERS | _ARRAYS | {"bitfield32"},
    "enum-as-flags": _INTEGERS | _ARRAYS | {"bitfield32"},
    "byte-order": _INTEGERS | _ARRAYS,
    "nested-attributes": _NESTS,
    "type-value": frozenset({"nest-type-value"}),
    "sub-type": _ARRAYS,
    "flags-mask": frozenset(UNSIGNED),
    "min": _INTEGERS,
    "max": _INTEGERS,
    "min-len": _TEXTS,
    "max-len": _TEXTS,
    "exact-len": _TEXTS,
    "unterminated-ok": frozenset({"string"}),
}
_NEEDED = {"nest": "nested-attributes", "nest-type-value": "type-value", "indexed-array": "sub-type"}
_SUB_TYPES = {
    "binary": frozenset(SCALARS) - {"uint", "sint"},
    "indexed-array": frozenset(SCALARS) | {"nest", "binary", "string"},
}


class SetReader:
    """Reads the attribute sets of a specification.

    Raises SpecError for the first mistake, including contradictions between keys.
    """

    def __init__(self, definitions: Mapping[str, Definition], numbers: Numbers, check: Check) -> None:
        self._definitions = definitions
        self._numbers = numbers
        self._check = check
        self._nodes: dict[str, Node] = {}
        self._sets: dict[str, AttributeSet] = {}

    def read(self, nodes: list[Node]) -> dict[str, AttributeSet]:
        """Return the attribute sets by name, in the order of the specification."""
        for node in nodes:
            name = node.text("name")
            if name in self._nodes:
                raise node.error(f"two attribute sets are called '{name}'")
            self._nodes[name] = node
        return {name: self._set(name, ()) for name in self._nodes}

    def _set(self, name: str, within: tuple[str, ...]) -> AttributeSet:
        if name not in self._sets:
            node = self._nodes[name]
            parent = self._parent(node, (*within, name))
            numbered = self._subset(node, parent) if parent else self._numbered(node)
            attributes = {item.text("name"): self._attribute(item, number) for item, number in numbered}
            self._sets[name] = AttributeSet(name, attributes, node.text("doc"), node.text("subset-of"))
        return self._sets[name]

    def _parent(self, node: Node, within: tuple[str, ...]) -> AttributeSet | None:
        parent = node.reference("subset-of", "attribute set", self._nodes)
        if parent is None:
            return None
        name = parent.text("name")
        if name in within:
            raise node.mapping["subset-of"].error("a set cannot be a subset of itself")
        return self._set(name, within)

    def _numbered(self, node: Node) -> list[tuple[Node, int]]:
        numbered: list[tuple[Node, int]] = []
        names: set[str] = set()
        numbers: dict[int, str] = {}
        number = 0
        for item in node.entries("attributes"):
            name, given = item.text("name"), item.number("value")
            number = number + 1 if given is None else given
            if item.text("type") == "unused" and numbers.get(number) == name:
                continue  # a specification may list an attribute of type `unused` twice
            if name in names:
                raise item.error(f"two attributes are called '{name}'")
            if number in numbers:
                raise item.error(f"'{name}' has the value {number}, and so has '{numbers[number]}'")
            if number > _MAX_TYPE:
                raise item.error(f"the value of an attribute must be at most {_MAX_TYPE}, found {number}")
            if item.get("type") is None:
                raise item.error("the key 'type' is missing")
            names.add(name)
            numbers[number] = name
            numbered.append((item, number))
        return numbered

    def _subset(self, node: Node, parent: AttributeSet) -> list[tuple[Node, int]]:
        """Return the attributes of a set that is a subset of the set `parent` (`subset-of`).

        The keys of the parent set apply unless the subset overrides them.
        """
        numbered: list[tuple[Node, int]] = []
        parent_items = {item.text("name"): item for item in self._nodes[parent.name].entries("attributes")}
        for item in node.entries("attributes"):
            name = item.text("name")
            if name not in parent.attributes:
                raise item.error(f"'{parent.name}' has no attribute '{name}'; {choose(name, parent_items)}")
            if (value := item.get("value")) is not None:
                raise value.error(f"a subset cannot set 'value': '{parent.name}' defines it")
            merged = parent_items[name].mapping | item.mapping
            numbered.append((attrs.evolve(item, value=merged), parent.attributes[name].number))
        return numbered

    def _attribute(self, node: Node, number: int) -> Attribute:
        kind = node.text("type")
        self._check_keys(node, kind)
        if (needed := _NEEDED.get(kind)) and node.get(needed) is None:
            raise node.error(f"an attribute of type {kind} needs '{needed}'")
        sub_type = node.text("sub-type") if kind in _SUB_TYPES else ""
        if sub_type and sub_type not in _SUB_TYPES[kind]:
            self._add_unsupported(node, f"type {kind} with sub-type {sub_type}")
        enum = self._enumeration(node, "enum")
        as_flags = enum is not None and (enum.is_flags or node.flag("enum-as-flags"))
        value_type = kind if kind in SCALARS else sub_type
        if enum is not None and value_type in SCALARS:
            _check_enumeration(node, enum, as_flags, value_type)
        return Attribute(
            node.text("name"),
            kind,
            number,
            node.text("doc"),
            node.text("byte-order") == "big-endian",
            node.flag("multi-attr"),
            sub_type,
            self._nested(node, kind, sub_type),
            node.texts("type-value") if kind == "nest-type-value" else (),
            enum,
            as_flags,
            self._checks(node.get("checks"), kind),
            node.text("display-hint"),
        )

    def _check_keys(self, node: Node, kind: str) -> None:
        if self._check.level >= Level.GENETLINK_LEGACY:
            return  # specifications of older families may have keys without effect
        checks = node.get("checks")
        for name, value in (node.mapping | (checks.mapping if checks else {})).items():
            if name in _APPLIES_TO and kind not in _APPLIES_TO[name]:
                raise value.error(f"'{name}' does not apply to type {kind}")

    def _nested(self, node: Node, kind: str, sub_type: str) -> str:
        inside = node.reference("nested-attributes", "attribute set", self._nodes)
        if inside is None and (kind == "nest-type-value" or sub_type == "nest"):
            raise node.error(f"an attribute of type {kind} needs 'nested-attributes'")
        return inside.text("name") if inside else ""

    def _enumeration(self, node: Node, key: str) -> Enumeration | None:
        enums = {name: value for name, value in self._definitions.items() if isinstance(value, Enumeration)}
        return node.reference(key, "enum", enums)

    def _checks(self, node: Node | None, kind: str) -> Checks:
        if node is None:
            return Checks()
        minimum, maximum = self._limits(node, "min", "max", type_range(kind) if kind in SCALARS else (0, 0))
        min_length, max_length = self._limits(node, "min-len", "max-len", (0, _MAX_PAYLOAD))
        return Checks(
            minimum,
            maximum,
            self._enumeration(node, "flags-mask"),
            min_length,
            max_length,
            self._limit(node.get("exact-len"), (0, _MAX_PAYLOAD)),
            node.flag("unterminated-ok"),
        )

    def _limits(
        self, node: Node, low_key: str, high_key: str, allowed: tuple[int, int]
    ) -> tuple[int | None, int | None]:
        low, high = self._limit(node.get(low_key), allowed), self._limit(node.get(high_key), allowed)
        if low is not None and high is not None and low > high:
            raise node.error(f"'{low_key}' is {low}, which is more than '{high_key}' ({high})")
        return low, high

    def _limit(self, node: Node | None, allowed: tuple[int, int]) -> int | None:
        value = None if node is None else self._numbers.resolve(node)
        if node is not None and value is not None and not allowed[0] <= value <= allowed[1]:
            raise node.error(f"expected {allowed[0]} to {allowed[1]}, found {value}")
        return value

    def _add_unsupported(self, node: Node, feature: str) -> None:
        self._check.unsupported.append(Unsupported(feature, node.line, node.path))


def _check_enumeration(node: Node, enum: Enumeration, as_flags: bool, kind: str) -> None:
    low, high = type_range(kind)
    for name, value in (enum.bits if as_flags else enum.numbers).items():
        if not low <= value <= high:
            raise node.error(f"'{name}' of '{enum.name}' is {value} and does not fit into {kind}")
