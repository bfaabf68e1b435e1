"""An error about a specification names file, line, key and the expected value."""

from __future__ import annotations

import pytest

from simkernel.ynl import SpecError, parse
from simkernel.ynl.errors import choose
from tests.ynl.specs import LENS, lens

MISTAKES = [
    # The replaced text, its replacement, the line, the key, and a part of the error.
    ("name: lens\ndoc", "nmae: lens\ndoc", 1, "nmae", "unknown key 'nmae'; did you mean name?"),
    ("doc: A family with one of everything.\n", "", 1, "", "the key 'doc' is missing"),
    ("name: lens\ndoc", "name: a-rather-long-name\ndoc", 1, "name", "1 to 15 bytes, found 18"),
    ("name: lens\ndoc", "name: on\ndoc", 1, "name", "expected text, found the boolean true (quote it"),
    ("name: lens\ndoc", "name: 7\ndoc", 1, "name", "expected text, found 7"),
    ("mcast-groups:", "protocol: genetlnk\nmcast-groups:", 85, "protocol", "did you mean genetlink"),
    ("mcast-groups:", "version: 2\nmcast-groups:", 85, "version", "needs 'protocol: genetlink-legacy'"),
    ("{name: secrets,", "{name: events,", 88, "mcast-groups.list[events].name", "two multicast groups"),
    ("value: 24}", "vlaue: 24}", 5, "definitions[longest-name].vlaue", "did you mean value"),
    ("entries: [low, middle, high]", "value: 3", 10, "definitions[quality]", "type enum needs 'entries'"),
    ("entries: [low, middle", "entries: [low, low", 10, "definitions[quality].entries[1]", "listed twice"),
    ("value: 5}", "value: 1}", 9, "definitions[mode].entries[macro]", "the value 1, and so has 'auto'"),
    ("name: quality, type: enum", "name: mode, type: enum", 10, "definitions[mode]", "defined twice"),
    ("{name: x, type: u32}", "{name: x, type: u33}", 16, "[point].attributes[x].type", "did you mean u32"),
    ("{name: x, type: u32}", "{name: x}", 16, "attribute-sets[point].attributes[x]", "'type' is missing"),
    (
        "{name: y, type: s32}",
        "{name: x, type: s32}",
        17,
        "[point].attributes[x]",
        "two attributes are called 'x'",
    ),
    ("{name: y, type: s32}", "{name: y, type: s32, value: 1}", 17, "[y]", "value 1, and so has 'x'"),
    ("value: 40}", "value: 20000}", 46, "attributes[last]", "at most 16383, found 20000"),
    ("value: 40}", "value: -1}", 46, "attributes[last].value", "an integer of at least 0, found -1"),
    (
        "min: 1, max: 40",
        "min: 41, max: 40",
        23,
        "attributes[zoom].checks",
        "'min' is 41, which is more than 'max'",
    ),
    (
        "min: 1, max: 40",
        "min: 1, max: 400",
        23,
        "attributes[zoom].checks.max",
        "expected 0 to 255, found 400",
    ),
    ("min: 1, max: 40", "min-len: 1", 23, "zoom].checks.min-len", "does not apply to type u8"),
    (
        "max-len: longest-name",
        "max-len: longest-nam",
        22,
        "max-len",
        "unknown constant 'longest-nam'; did you",
    ),
    ("max-len: longest-name", "max-len: [1]", 22, "max-len", "an integer or the name of a constant, found a"),
    ("enum: mode}", "enum: mood}", 30, "attributes[mode].enum", "unknown enum 'mood'; did you mean mode"),
    ("enum: mode}", "enum: longest-name}", 30, "attributes[mode].enum", "unknown enum 'longest-name'"),
    ("type: u32, enum: feature", "type: string, enum: feature", 32, "[features].enum", "does not apply to"),
    ("{name: macro, value: 5}", "{name: macro, value: -5}", 30, "[mode]", "-5 and does not fit into u32"),
    (
        "{name: centre, type: nest, nested-attributes: point}",
        "{name: centre, type: nest}",
        37,
        "[centre]",
        "needs",
    ),
    (
        "{name: deeper, type: nest, nested-attributes: point}",
        "{name: deeper, type: nest, nested-attributes: pont}",
        18,
        "nested-attributes",
        "did you mean point",
    ),
    (
        "type-value: [row, column]",
        "type-value: [row, x]",
        43,
        "attributes[cell]",
        "'x' of 'type-value' is also",
    ),
    (
        "type: indexed-array, sub-type: u32",
        "type: indexed-array",
        42,
        "attributes[levels]",
        "needs 'sub-type'",
    ),
    ("subset-of: lens", "subset-of: lenses", 48, "[identity].subset-of", "did you mean lens"),
    ("subset-of: lens", "subset-of: identity", 48, "[identity].subset-of", "cannot be a subset of itself"),
    (
        "      - {name: device}\n",
        "      - {name: devise}\n",
        50,
        "[devise]",
        "'lens' has no attribute 'devise'; did you",
    ),
    (
        "      - {name: device}\n",
        "      - {name: device, value: 3}\n",
        50,
        "value",
        "cannot set 'value': 'lens' defines it",
    ),
    (
        "do: {request: {attributes: [device, zoom, mode]}}",
        "do: {request: {attributes: [devcie]}}",
        70,
        "list[set].do.request.attributes[0]",
        "did you mean device",
    ),
    (
        "do: {request: {attributes: [device, zoom, mode]}}",
        "do: {request: {attributes: [zoom, zoom]}}",
        70,
        "attributes[1]",
        "'zoom' is listed twice",
    ),
    (
        "do: {request: {attributes: [device, zoom, mode]}}",
        "do: {request: {attributes: [gap]}}",
        70,
        "attributes[0]",
        "type pad and has no payload",
    ),
    (
        "do: {}\n",
        "do: {request: {attributes: [zoom]}}\n",
        82,
        "list[reset].do.request.attributes[0]",
        "needs an 'attribute-set'",
    ),
    (
        "flags: [admin-perm]\n      do",
        "flags: [admin]\n      do",
        69,
        "list[set].flags[0]",
        "unknown value 'admin'",
    ),
    ("notify: get", "notify: got", 73, "list[changed].notify", "no operation with a reply is called 'got'"),
    ("notify: get", "notify: set", 73, "list[changed].notify", "no operation with a reply is called 'set'"),
    (
        "event: {attributes: [device, sequence]}",
        "event: {attributes: []}\n      notify: get",
        78,
        "event",
        "cannot have both 'event' and 'notify'",
    ),
    ("name: reset", "name: broken", 80, "list[broken]", "two operations are called 'broken'"),
    ("value: 9", "value: 2", 80, "list[reset]", "the value 2, and so has 'set'"),
    ("value: 9", "value: 256", 80, "list[reset]", "at most 255, found 256"),
    (
        "mcgrp: events\n    - name: broken",
        "mcgrp: event\n    - name: broken",
        74,
        "mcgrp",
        "did you mean events",
    ),
    (
        "operations:\n  list:",
        "operations:\n  list: 3\n  no:",
        54,
        "operations.list",
        "expected a list, found 3",
    ),
]


@pytest.mark.parametrize(("old", "new", "line", "key", "expected"), MISTAKES)
def test_is_named(old: str, new: str, line: int, key: str, expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        lens(old, new)
    error = caught.value
    assert error.filename == "lens.yaml"
    assert expected in error.expected
    assert key in error.key
    assert error.line == line
    assert str(error).startswith(f"lens.yaml:{line}: ")


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("", 1, "found nothing"),
        ("a: [1, 2\nb: 3", 2, "not valid YAML"),
        ("a: \x07", 1, "special characters"),
        ("a: 1\nb: 2\na: 3", 3, "the key is already on line 1"),
        ("a: !python/object:x 1", 1, "a plain value, found the tag"),
        ("? [a]\n: 1", 1, "expected a name as key"),
        ("a: &x [*x]", 0, "endless nesting"),
        ("[" * 3000, 0, "endless nesting"),
        ("a: 1\n---\nb: 2", 2, "not valid YAML"),
        ("- 1", 1, "expected a mapping"),
        ("a: *b", 1, "undefined alias"),
        (
            "a: &a [1,1,1,1,1,1,1,1]\n"
            + "".join(
                f"{chr(98 + i)}: &{chr(98 + i)} [{','.join([f'*{chr(97 + i)}'] * 8)}]\n" for i in range(8)
            ),
            0,
            "values",
        ),
    ],
)
def test_invalid_documents_are_refused(text: str, line: int, expected: str) -> None:
    with pytest.raises(SpecError, match=expected) as caught:
        parse(text, "lens.yaml")
    assert caught.value.line == line or not line


def test_an_error_can_be_made_again_from_its_arguments() -> None:
    error = SpecError("lens.yaml", 3, "name", "expected text")
    again = type(error)(*error.args)
    assert str(again) == str(error) == "lens.yaml:3: name: expected text"
    assert isinstance(error, ValueError)


def test_a_global_policy_needs_one_attribute_set() -> None:
    from simkernel.ynl.tables import family_policies

    text = LENS.replace("definitions:", "protocol: genetlink-legacy\nkernel-policy: global\ndefinitions:", 1)
    text = text.replace("attribute-set: lens\n      flags", "attribute-set: point\n      flags").replace(
        "[device, zoom, mode]", "[x]"
    )
    with pytest.raises(SpecError, match="one attribute set for all"):
        family_policies(parse(text, "lens.yaml"))


@pytest.mark.parametrize(
    ("given", "names", "expected"),
    [
        ("widht", ["width", "height"], "did you mean width?"),
        ("zzz", ["width", "height"], "expected one of width, height"),
        ("zzz", [], "none exists"),
        ("zzz", [f"name{i}" for i in range(20)], "name11, ..."),
    ],
)
def test_the_nearest_names_are_offered(given: str, names: list[str], expected: str) -> None:
    assert choose(given, names).endswith(expected)


def test_a_mistake_in_the_supplement_names_that_file() -> None:
    with pytest.raises(SpecError, match="unknown key 'resv-startop'; did you mean resv-start-op") as raised:
        lens("resv-start-op: 7", "resv-startop: 7")
    assert (raised.value.filename, raised.value.line, raised.value.key) == (
        "lens.simkernel.yaml",
        1,
        "resv-startop",
    )
    with pytest.raises(SpecError, match="an integer of at least 0"):
        lens("resv-start-op: 7", "resv-start-op: on")


def test_a_key_of_the_supplement_is_unknown_in_the_specification() -> None:
    with pytest.raises(SpecError, match="unknown key 'resv-start-op'"):
        parse(LENS + "resv-start-op: 7\n", "lens.yaml")
