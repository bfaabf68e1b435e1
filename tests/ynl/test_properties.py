"""Properties that hold for every specification, for all values that fit it, and for arbitrary bytes."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from simkernel.uapi.netlink import iterate_attributes
from simkernel.uapi.structure import Malformed
from simkernel.ynl import Spec, SpecError, parse
from simkernel.ynl.codec import Codec, codec
from simkernel.ynl.page import lines
from simkernel.ynl.tables import family_policies
from tests.examples import examples
from tests.ynl.specs import LENS, lens
from tests.ynl.strategies import specs, values

OFTEN = 70
"""Number of messages with the same attributes after which the codec has compiled a function for them."""

SPECS = specs()
LENS_SPEC = lens()
WHOLE = st.shared(SPECS, key="spec")


def codecs(spec: Spec) -> tuple[Codec, Codec]:
    return codec(spec, "get", "do", "request"), codec(spec, "get", "do", "reply")


def last_set(spec: Spec) -> str:
    return list(spec.attribute_sets)[-1]


@settings(max_examples=examples(40))
@given(WHOLE, st.data())
def test_encoded_values_decode_to_the_same(spec: Spec, data: st.DataObject) -> None:
    given_values = data.draw(values(spec, last_set(spec)))
    for each in codecs(spec):
        encoded = each.encode(given_values)
        assert each.decode(encoded) == given_values
        assert len(encoded) % 4 == 0
        list(iterate_attributes(encoded))


@settings(max_examples=examples(40))
@given(WHOLE, st.data())
def test_a_shape_that_keeps_coming_is_treated_as_at_first(spec: Spec, data: st.DataObject) -> None:
    several = data.draw(st.lists(values(spec, last_set(spec)), min_size=1, max_size=3))
    for each in codecs(spec):
        first = [each.encode(one) for one in several]
        for one in several:
            for _ in range(OFTEN):
                each.encode(one)
        for encoded in first:
            for _ in range(OFTEN):
                each.decode(encoded)
        again = data.draw(st.lists(values(spec, last_set(spec)), max_size=3))
        for one in several + again:
            assert each.decode(each.encode(one)) == one
        assert [each.encode(one) for one in several] == first


@settings(max_examples=examples(40))
@given(WHOLE, st.data())
def test_bytes_changed_on_the_way_are_read_the_same_whether_the_shape_is_known_or_not(
    spec: Spec, data: st.DataObject
) -> None:
    given_values = data.draw(values(spec, last_set(spec)))
    known = codec(spec, "get")
    encoded = known.encode(given_values)
    for _ in range(OFTEN):
        known.decode(encoded)
    fresh = codec(parse(spec.source, "random.yaml"), "get")
    damaged = bytearray(encoded)
    for _ in range(data.draw(st.integers(0, 3))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = memoryview(damaged)[: data.draw(st.integers(0, len(damaged)))]
    assert outcome(known, cut) == outcome(fresh, cut)


def outcome(each: Codec, payload: memoryview) -> object:
    try:
        return each.decode(payload)
    except Malformed as error:
        return str(error)


@given(st.binary(max_size=200))
def test_any_bytes_are_values_or_malformed(payload: bytes) -> None:
    for each in codecs(LENS_SPEC):
        with contextlib.suppress(Malformed):
            assert isinstance(each.decode(payload), dict)


@settings(max_examples=examples(25))
@given(SPECS)
def test_policies_reach_as_far_as_the_attributes(spec: Spec) -> None:
    do = family_policies(spec).operations["get"].do
    assert do is not None
    attributes = spec.attribute_sets[last_set(spec)].attributes
    assert do.maxattr == max(each.number for each in attributes.values())
    for each in attributes.values():
        policy = do.attributes[each.number]
        holds = bool(each.nested) and each.type != "nest-type-value"
        assert (policy.nested is not None) == holds
        assert policy.type.name != "UNSPEC"


@settings(max_examples=examples(25))
@given(SPECS)
def test_every_family_can_be_described(spec: Spec) -> None:
    text = "\n".join(lines(spec))
    for attribute_set in spec.attribute_sets.values():
        assert all(name in text for name in attribute_set.attributes)


@given(st.data())
def test_a_damaged_specification_is_read_or_its_mistake_named(data: st.DataObject) -> None:
    text = LENS.splitlines(keepends=True)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text) - 1))
        change = data.draw(st.sampled_from(["drop", "double", "swap", "cut", "indent"]))
        line = text[at]
        if change == "drop":
            text[at] = ""
        elif change == "double":
            text[at] = line * 2
        elif change == "swap":
            other = data.draw(st.integers(0, len(text) - 1))
            text[at], text[other] = text[other], line
        elif change == "cut":
            text[at] = line[: data.draw(st.integers(0, len(line)))] + "\n"
        else:
            text[at] = "  " + line
    with contextlib.suppress(SpecError):
        spec = parse("".join(text), "lens.yaml")
        list(lines(spec))
        if not spec.unsupported:
            with contextlib.suppress(SpecError):
                family_policies(spec)
            for operation in spec.operations.values():
                for mode in ("do", "dump", "event"):
                    for direction in ("request", "reply"):
                        with contextlib.suppress(ValueError):
                            codec(spec, operation.name, mode, direction).encode({})


@given(st.text(max_size=200))
def test_any_text_is_no_specification(text: str) -> None:
    with contextlib.suppress(SpecError):
        raise AssertionError(parse(text, "any.yaml"))
