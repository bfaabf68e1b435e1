"""Conversion of a family's YNL specification to the C names of its commands and attributes, for strace.

Source: the naming rules of tools/net/ynl: FAMILY_CMD_OPERATION, FAMILY_A_ATTRIBUTE and FAMILY_ENUM_ENTRY.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

from simkernel.trace.strace.attributes import AttributeSet, Value, attributes_text, string
from simkernel.trace.strace.constants import flags, number
from simkernel.trace.strace.families import Family
from simkernel.trace.strace.quoting import hexadecimal_string
from simkernel.uapi.structure import Buffer
from simkernel.ynl.model import Attribute, Enumeration, Spec
from simkernel.ynl.model import AttributeSet as SpecifiedSet

_SIGNED: Final = frozenset({"s8", "s16", "s32", "s64", "sint"})
_UNSIGNED: Final = frozenset({"u8", "u16", "u32", "u64", "uint"})


def family_from(spec: Spec) -> Family:
    """Return the names and printers of the family that `spec` describes."""
    sets: dict[str, AttributeSet] = {}
    for name, specified in spec.attribute_sets.items():
        sets[name] = _attribute_set(spec, specified, sets)
    prefix = _c_name(spec.name, "cmd")
    commands: dict[int, str] = {}
    attributes: dict[int, AttributeSet] = {}
    for operation in spec.operations.values():
        for code in (operation.request_number, operation.reply_number):
            if code is not None and code not in commands:
                commands[code] = _c_name(prefix, operation.name)
                attributes[code] = sets[operation.attribute_set]
    return Family(spec.name, commands, attributes, prefix)


def _attribute_set(spec: Spec, specified: SpecifiedSet, sets: Mapping[str, AttributeSet]) -> AttributeSet:
    own = "" if specified.name == spec.name else specified.name
    prefix = _c_name(spec.name, "a", own)
    attributes = specified.attributes.values()
    return AttributeSet(
        {attribute.number: _c_name(prefix, attribute.name) for attribute in attributes},
        {attribute.number: _value(spec, attribute, sets) for attribute in attributes},
        prefix,
    )


def _value(spec: Spec, attribute: Attribute, sets: Mapping[str, AttributeSet]) -> Value:
    kind = attribute.sub_type if attribute.type == "indexed-array" else attribute.type
    if kind == "nest":
        value: Value = _nested(attribute.nested, sets)
    elif kind == "string":
        value = string
    elif kind in _SIGNED or kind in _UNSIGNED:
        value = _integer(spec, attribute, signed=kind in _SIGNED)
    else:
        value = hexadecimal_string
    if attribute.type == "indexed-array":
        return lambda data: attributes_text(data, AttributeSet(every=value))
    return value


def _nested(name: str, sets: Mapping[str, AttributeSet]) -> Value:
    return lambda data: attributes_text(data, sets[name])


def _integer(spec: Spec, attribute: Attribute, *, signed: bool) -> Value:
    order: Literal["big", "little"] = "big" if attribute.big_endian else "little"
    form = _enumerated(spec, attribute.enum, attribute.as_flags) if attribute.enum else str

    def print_integer(data: Buffer) -> str:
        if len(data) not in (1, 2, 4, 8):
            return hexadecimal_string(data)
        return form(int.from_bytes(data, order, signed=signed))

    return print_integer


def _enumerated(spec: Spec, enum: Enumeration, as_flags: bool) -> Callable[[int], str]:
    prefix = _c_name(spec.name, enum.name)
    if as_flags:
        bits = {1 << entry.value: _c_name(prefix, entry.name) for entry in enum.entries}
        return lambda value: flags(value, bits)
    known = {entry.value: _c_name(prefix, entry.name) for entry in enum.entries}
    return lambda value: number(value, known, prefix)


def _c_name(*parts: str) -> str:
    return "_".join(part for part in parts if part).upper().replace("-", "_")
