"""Hypothesis strategies for specifications of netlink families, and for values that fit them."""

from __future__ import annotations

import string
from typing import Any

import yaml
from hypothesis import strategies as st

from simkernel.ynl import Attribute, Spec, parse
from simkernel.ynl.model import Enumeration
from simkernel.ynl.schema import SCALARS, type_range

_NAMES = st.text(string.ascii_lowercase + "-", min_size=1, max_size=6).map(lambda text: f"a{text}")
_SUB_TYPES = [name for name in SCALARS if name[1:].isdigit()]
_ENUM_TYPES = ["u8", "u16", "u32", "u64", "uint"]


def _attribute(sets: int) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for the keys of an attribute in a specification. If `sets` is not 0, the attribute
    may be a nest, which refers to one of the attribute sets `set0` to `set{sets - 1}`.
    """
    multi = st.sampled_from([{}, {"multi-attr": True}])
    order = st.sampled_from([{}, {"byte-order": "big-endian"}])
    enum = st.sampled_from([{"enum": "number"}, {"enum": "bits"}, {"enum": "number", "enum-as-flags": True}])
    choices = [
        st.builds(lambda t, o, m: {"type": t} | o | m, st.sampled_from(SCALARS), order, multi),
        st.builds(lambda t, e, m: {"type": t} | e | m, st.sampled_from(_ENUM_TYPES), enum, multi),
        st.builds(lambda t, m: {"type": t} | m, st.sampled_from(["string", "binary"]), multi),
        st.sampled_from([{"type": "flag"}, {"type": "bitfield32", "enum": "bits"}]),
        st.builds(lambda t: {"type": "binary", "sub-type": t}, st.sampled_from(_SUB_TYPES)),
        st.builds(
            lambda t: {"type": "indexed-array", "sub-type": t},
            st.sampled_from([*_SUB_TYPES, "uint", "sint", "string", "binary"]),
        ),
    ]
    if sets:
        inside = st.integers(0, sets - 1).map(lambda n: {"nested-attributes": f"set{n}"})
        choices += [
            st.builds(lambda i, m: {"type": "nest"} | i | m, inside, multi),
            inside.map(lambda i: {"type": "indexed-array", "sub-type": "nest"} | i),
            inside.map(lambda i: {"type": "nest-type-value", "type-value": ["Row", "Column"]} | i),
        ]
    return st.one_of(choices)


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    """Draw a family with an operation `get`, whose request and reply have all attributes of the family's last
    attribute set.
    """
    sets = []
    for number in range(draw(st.integers(1, 3))):
        names = draw(st.lists(_NAMES, min_size=1, max_size=8, unique=True))
        attributes = [{"name": name} | draw(_attribute(number)) for name in names]
        sets.append({"name": f"set{number}", "attributes": attributes})
    listed = {"attributes": [each["name"] for each in sets[-1]["attributes"]]}
    document = {
        "name": "random",
        "doc": "Random.",
        "protocol": "genetlink-legacy",
        "definitions": [
            {"name": "number", "type": "enum", "entries": ["one", "two", {"name": "six", "value": 6}]},
            {"name": "bits", "type": "flags", "entries": ["red", "green", "blue"]},
        ],
        "attribute-sets": sets,
        "operations": {
            "list": [
                {
                    "name": "get",
                    "doc": "Get.",
                    "attribute-set": sets[-1]["name"],
                    "do": {"request": listed, "reply": listed},
                }
            ]
        },
    }
    return parse(yaml.safe_dump(document, sort_keys=False), "random.yaml")


def values(spec: Spec, name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for mappings from the names of some attributes to their values. The attributes belong
    to the attribute set `name`. The values have the form that the decoder returns.
    """
    attributes = spec.attribute_sets[name].attributes.values()
    return st.fixed_dictionaries({}, optional={each.name: _value(spec, each) for each in attributes}).flatmap(
        lambda chosen: st.permutations(list(chosen.items())).map(dict)
    )


def _value(spec: Spec, attribute: Attribute) -> st.SearchStrategy[Any]:
    one = _one(spec, attribute, attribute.type)
    return st.lists(one, min_size=1, max_size=3) if attribute.multi else one


def _one(spec: Spec, attribute: Attribute, kind: str) -> st.SearchStrategy[Any]:
    if kind in ("nest", "nest-type-value"):
        inside = values(spec, attribute.nested)
        if kind == "nest":
            return inside
        numbers = st.fixed_dictionaries({each: st.integers(0, 0x3FFF) for each in attribute.type_values})
        return st.builds(lambda n, i: n | i, numbers, inside)
    if kind == "indexed-array":
        item = (
            values(spec, attribute.nested) if attribute.nested else _one(spec, attribute, attribute.sub_type)
        )
        return st.lists(item, max_size=3)
    if kind == "binary" and attribute.sub_type and attribute.type == "binary":
        return st.lists(_integer(attribute.sub_type), max_size=4)
    if attribute.enum is not None:
        named = _flags(attribute.enum) if attribute.as_flags else st.sampled_from(["one", "two", "six", 3, 9])
        return st.fixed_dictionaries({"value": named, "selector": named}) if kind == "bitfield32" else named
    return _PLAIN[kind] if kind in _PLAIN else _integer(kind)


_PLAIN: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9),
    "binary": st.binary(max_size=9),
    "flag": st.just(True),
}


def _integer(kind: str) -> st.SearchStrategy[int]:
    return st.integers(*type_range(kind))


def _flags(enum: Enumeration) -> st.SearchStrategy[tuple[str | int, ...]]:
    """Return a strategy for tuples of flag names in the order of their bits. A tuple may end with a bit that
    has no name.
    """
    names = st.sets(st.sampled_from(list(enum.bits)))
    rest = st.sampled_from([(), (0x80,)])
    return st.builds(lambda n, r: (*[each for each in enum.bits if each in n], *r), names, rest)
