"""Messages are encoded to bytes and decoded."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from simkernel.uapi.netlink import NLA_F_NESTED, attribute, locate_attributes, nested
from simkernel.uapi.structure import Malformed
from simkernel.ynl import SpecError, parse
from simkernel.ynl.codec import BadValue, Codec, codec
from tests.ynl.specs import LENS, lens, nlctrl, of


@pytest.fixture(scope="module")
def reply() -> Codec:
    return codec(lens(), "get", "do", "reply")


@pytest.fixture(scope="module")
def request_() -> Codec:
    return codec(lens(), "get", "dump", "request")


def fresh() -> Codec:
    """Return a codec that has not compiled a function for any kind of message yet."""
    return codec(parse(LENS, "lens.yaml"), "get", "do", "reply")


POINT = attribute(1, b"\1\0\0\0") + attribute(2, b"\xff\xff\xff\xff")

VALUES: list[tuple[str, Any, bytes]] = [
    ("device", "cam", attribute(1, b"cam\0")),
    ("device", "", attribute(1, b"\0")),
    ("device", "Grüße", attribute(1, "Grüße\0".encode())),
    ("device", "\udcff", attribute(1, b"\xff\0")),
    ("zoom", 7, attribute(2, b"\7")),
    ("port", 0x1234, attribute(3, b"\x12\x34")),
    ("sequence", 2**32 - 1, attribute(4, b"\xff\xff\xff\xff")),
    ("time", 1, attribute(5, b"\1" + bytes(7))),
    ("offset", -2, attribute(6, b"\xfe\xff")),
    ("wide", 2**32 - 1, attribute(7, b"\xff\xff\xff\xff")),
    ("wide", 2**32, attribute(7, b"\0\0\0\0\1\0\0\0")),
    ("shift", -(2**31), attribute(8, b"\0\0\0\x80")),
    ("shift", 2**31, attribute(8, b"\0\0\0\x80\0\0\0\0")),
    ("mode", "macro", attribute(9, b"\5\0\0\0")),
    ("mode", 3, attribute(9, b"\3\0\0\0")),
    ("quality", "high", attribute(10, b"\2")),
    ("features", ("zoom", "flash"), attribute(11, b"\5\0\0\0")),
    ("features", (), attribute(11, b"\0\0\0\0")),
    ("features", ("focus", 0x80), attribute(11, b"\x82\0\0\0")),
    ("qualities", ("low", "high"), attribute(12, b"\5\0\0\0")),
    ("ready", True, attribute(13)),
    ("serial", b"\1\2\3", attribute(14, b"\1\2\3")),
    ("samples", [1, 256], attribute(15, b"\1\0\0\1")),
    ("centre", {"x": 1, "y": -1}, nested(16, POINT)),
    ("centre", {}, nested(16)),
    ("centre", {"deeper": {"deeper": {"x": 1}}}, nested(16, nested(3, nested(3, attribute(1, b"\1\0\0\0"))))),
    ("corners", [{"x": 1, "y": -1}, {}], nested(17, POINT) + nested(17)),
    ("steps", [1, 2], attribute(18, b"\1\0\0\0") + attribute(18, b"\2\0\0\0")),
    ("aliases", ["a", "b"], attribute(19, b"a\0") + attribute(19, b"b\0")),
    ("cell", {"row": 3, "column": 4, "x": 1, "y": -1}, nested(22, nested(3, nested(4, POINT)))),
]


@pytest.mark.parametrize(("name", "value", "data"), VALUES)
def test_a_value_and_its_bytes(name: str, value: Any, data: bytes, request_: Codec, reply: Codec) -> None:
    for codec_ in (request_, reply):
        assert codec_.encode({name: value}) == data
        assert codec_.decode(data) == {name: value}
        assert codec_.decode(memoryview(data)) == {name: value}


def test_an_array_is_flagged_as_a_nest_in_a_request_only(request_: Codec, reply: Codec) -> None:
    """nlctrl builds its replies with `nla_nest_start_noflag()`, so without NLA_F_NESTED. In requests, strict
    validation requires this flag.
    """
    values = {"grid": [{"x": 1, "y": -1}, {}], "levels": [5]}
    plain = attribute(20, attribute(1, POINT) + attribute(2)) + attribute(21, attribute(1, b"\5\0\0\0"))
    flagged = nested(20, nested(1, POINT), nested(2)) + nested(21, attribute(1, b"\5\0\0\0"))
    assert reply.encode(values) == plain
    assert request_.encode(values) == flagged
    assert reply.decode(flagged) == reply.decode(plain) == values


def test_a_bitfield_is_a_value_and_a_selector() -> None:
    bits = codec(
        of(
            "{name: a, type: bitfield32, enum: f}",
            "definitions:\n  - {name: f, type: flags, entries: [p, q]}",
        ),
        "get",
    )
    data = attribute(1, b"\1\0\0\0\3\0\0\0")
    assert bits.encode({"a": {"value": ("p",), "selector": ("p", "q")}}) == data
    assert bits.encode({"a": {"value": 1, "selector": 3}}) == data
    assert bits.decode(data) == {"a": {"value": ("p",), "selector": ("p", "q")}}


@pytest.mark.parametrize("sub_type", ["string", "binary", "uint"])
def test_arrays_of_other_types(sub_type: str) -> None:
    values = {"string": ["a", ""], "binary": [b"a", b""], "uint": [1, 2**40]}[sub_type]
    arrays = codec(of(f"{{name: a, type: indexed-array, sub-type: {sub_type}}}"), "get")
    assert arrays.decode(arrays.encode({"a": values})) == {"a": values}


def test_attributes_go_out_in_the_order_given(reply: Codec) -> None:
    assert reply.encode({"sequence": 1, "zoom": 2}) == attribute(4, b"\1\0\0\0") + attribute(2, b"\2")
    assert reply.encode({"zoom": 2, "sequence": 1}) == attribute(2, b"\2") + attribute(4, b"\1\0\0\0")


def test_a_nest_of_another_shape_is_no_hindrance(reply: Codec) -> None:
    x, y = attribute(1, b"\1\0\0\0"), attribute(2, b"\2\0\0\0")
    for _ in range(200):
        assert reply.encode({"centre": {"x": 1, "y": 2}}) == nested(16, x, y)
    assert reply.encode({"centre": {"y": 2, "x": 1}}) == nested(16, y, x)
    assert reply.encode({"centre": {"y": 2}}) == nested(16, y)
    assert reply.encode({"centre": {"x": 1, "deeper": {}}}) == nested(16, x, nested(3))


@pytest.mark.parametrize(
    "values",
    [
        {"steps": list(range(2000))},
        {"grid": [{"x": 1}] * 1000},
        {"serial": bytes(60_000), "sequence": 1},
        {},
    ],
    ids=["many", "long array", "long", "nothing"],
)
def test_a_large_message_that_keeps_coming_is_treated_as_at_first(
    values: dict[str, Any],
) -> None:
    reply = fresh()
    first = reply.encode(values)
    for _ in range(200):
        assert reply.encode(values) == first
        assert reply.decode(first) == values


def test_every_header_of_a_message_that_keeps_coming_is_looked_at() -> None:
    """If a message is repeated often, the codec still checks every attribute header, also headers between and
    after long payloads.
    """
    known, other = fresh(), fresh()
    values = {"sequence": 1, "samples": [7] * 500, "zoom": 2, "time": 3, "aliases": ["x" * 300, "y"]}
    data = known.encode(values)
    for _ in range(200):
        assert known.decode(data) == values
    headers, left = locate_attributes(data)
    assert len(headers) == 6 and not left
    for _, start, _ in headers:
        damaged = bytearray(data)
        damaged[start - 2] ^= 0x20  # now an attribute type that the family does not know
        assert known.decode(damaged) == other.decode(damaged) != values


def test_a_deep_message_that_keeps_coming_is_treated_as_at_first() -> None:
    reply = fresh()
    data = attribute(1, b"\1\0\0\0")
    for _ in range(210):
        data = nested(3, data)
    first = reply.decode(nested(16, data))
    for _ in range(200):
        assert reply.decode(nested(16, data)) == first


@pytest.mark.parametrize("unit", ["wide", "shift"])
def test_an_integer_that_grows_is_no_hindrance(unit: str) -> None:
    reply = fresh()
    for number in [*range(100), 2**40, 3]:
        encoded = reply.encode({"device": "d", unit: number, "centre": {"x": 1}})
        assert len(encoded) == (32 if number == 2**40 else 28)
        assert reply.decode(encoded) == {"device": "d", unit: number, "centre": {"x": 1}}


def test_a_long_string_is_refused_as_at_first() -> None:
    reply = fresh()
    for length in [*[7] * 200, 70_000]:
        with pytest.raises(BadValue, match="at most") if length > 65_000 else contextlib.nullcontext():
            reply.encode({"device": "d" * length, "sequence": 1})


def test_a_flag_that_is_false_is_left_out(reply: Codec) -> None:
    assert reply.encode({"ready": False}) == b""


def test_nlctrl_answers_as_recorded() -> None:
    """The expected bytes are the recorded reply of the conformance case nlctrl.by_family_name, without the
    generic netlink header.
    """
    data = bytes.fromhex(
        "0b0002006e6c6374726c000006000100100000000800030002000000080004000000000008000500000000002c000600"
        "140001000800010003000000080002000e00000014000200080001000a000000080002000c0000001c00070018000100"
        "08000200100000000b0001006e6f746966790000"
    )
    values = {
        "family-name": "nlctrl",
        "family-id": 16,
        "version": 2,
        "hdrsize": 0,
        "maxattr": 0,
        "ops": [
            {"id": 3, "flags": ("cmd-cap-do", "cmd-cap-dump", "cmd-cap-haspol")},
            {"id": 10, "flags": ("cmd-cap-dump", "cmd-cap-haspol")},
        ],
        "mcast-groups": [{"id": 16, "name": "notify"}],
    }
    answer = codec(nlctrl(), "getfamily", "do", "reply")
    assert answer.encode(values) == data
    assert answer.decode(data) == values


def test_nlctrl_dumps_policies_as_recorded() -> None:
    """The expected bytes are the first and the last recorded reply of the conformance case
    nlctrl.policy_dump, without the generic netlink header.
    """
    answer = codec(nlctrl(), "getpolicy", "dump", "reply")
    first = {"family-id": 16, "op-policy": {"operation-id": 3, "do": 0, "dump": 0}}
    last = {
        "family-id": 16,
        "policy": {
            "policy-id": 1,
            "attribute-id": 10,
            "min-value-u": 0,
            "max-value-u": 2**32 - 1,
            "type": "u32",
        },
    }
    for values, data in (
        (first, "0600010010000000180009801400038008000100000000000800020000000000"),
        (
            last,
            "06000100100000002c0008802800018024000a800c00040000000000000000000c000500ffffffff00000000"
            "0800010004000000",
        ),
    ):
        assert answer.encode(values) == bytes.fromhex(data)
        assert answer.decode(bytes.fromhex(data)) == values


# -- received messages ----------------------------------------------------------


def test_of_two_attributes_that_may_come_once_the_last_counts(reply: Codec) -> None:
    assert reply.decode(attribute(4, b"\1\0\0\0") + attribute(4, b"\2\0\0\0")) == {"sequence": 2}


def test_unknown_attributes_are_passed_over(reply: Codec) -> None:
    data = attribute(300, b"?") + attribute(4, b"\1\0\0\0") + attribute(23, b"pad") + attribute(24, b"old")
    assert reply.decode(data) == {"sequence": 1}


def test_a_reply_may_hold_more_of_its_set_than_it_lists_and_a_request_not() -> None:
    spec = lens()
    data = attribute(1, b"a\0") + attribute(2, b"\1")
    assert codec(spec, "broken", "event", "reply").decode(data) == {"device": "a", "zoom": 1}
    assert codec(spec, "get").decode(data) == {"device": "a"}


@pytest.mark.parametrize(
    ("data", "values"),
    [
        (attribute(4, b"\1\0\0\0extra"), {"sequence": 1}),
        (attribute(1, b"a\0b\0"), {"device": "a"}),
        (attribute(1, b"ab"), {"device": "ab"}),
        (attribute(1, b""), {"device": ""}),
        (attribute(4 | NLA_F_NESTED, b"\1\0\0\0"), {"sequence": 1}),
        (attribute(13, b"extra"), {"ready": True}),
        (attribute(1, b"a\0")[:-2], {"device": "a"}),
        (attribute(2, b"\1")[:-3], {"zoom": 1}),
        (b"", {}),
    ],
)
def test_accepted_attributes_are_read(data: bytes, values: dict[str, Any], reply: Codec) -> None:
    for _ in range(200):
        assert reply.decode(data) == values


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\1", "expected 4 bytes of a header, found 1"),
        (b"\3\0\4\0", "expected 4 to 4 bytes, found 3"),
        (b"\x08\0\4\0", "expected 4 to 4 bytes, found 8"),
        (attribute(4, b"\1\0\0\0") + b"\0", "at offset 8"),
        (attribute(4, b"\1\0"), "attribute 'sequence': expected 4 bytes, found 2"),
        (attribute(7, b"\1\0"), "attribute 'wide': expected 4 or 8 bytes, found 2"),
        (attribute(15, b"\1"), "attribute 'samples': expected a multiple of 2 bytes, found 1"),
        (attribute(16, b"\1"), "found 1"),
        (attribute(16, attribute(1, b"\1\0")), "attribute 'x': expected 4 bytes"),
        (attribute(20, b"\1"), "found 1"),
        (attribute(22, b""), "attribute 'cell': expected a nest whose attribute type is the value of 'row'"),
    ],
)
def test_malformed_input_is_refused(data: bytes, expected: str, reply: Codec) -> None:
    with pytest.raises(Malformed, match=expected):
        reply.decode(data)


def test_nesting_without_end_is_refused(reply: Codec) -> None:
    data = b""
    while len(data) < 60000:
        data = nested(3, data)
    with pytest.raises(Malformed, match="too deeply"):
        reply.decode(nested(16, data))


# -- values of callers ----------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"zom": 1}, "attribute 'zom': 'get' has no such attribute; did you mean zoom?"),
        ({"zoom": 256}, "attribute 'zoom': expected an integer from 0 to 255, found 256"),
        ({"zoom": -1}, "attribute 'zoom': expected an integer from 0 to 255, found -1"),
        ({"zoom": "1"}, "attribute 'zoom': expected an integer from 0 to 255, found '1'"),
        ({"zoom": 1.0}, "attribute 'zoom': expected an integer from 0 to 255, found 1.0"),
        ({"zoom": None}, "attribute 'zoom': expected an integer from 0 to 255, found None"),
        ({"port": 65536}, "attribute 'port': expected an integer from 0 to 65535, found 65536"),
        ({"port": "x"}, "attribute 'port': expected an integer from 0 to 65535, found 'x'"),
        ({"wide": 2**64}, f"attribute 'wide': expected an integer from 0 to {2**64 - 1}, found {2**64}"),
        ({"wide": "x"}, f"attribute 'wide': expected an integer from 0 to {2**64 - 1}, found 'x'"),
        ({"mode": "mcaro"}, "attribute 'mode': unknown name 'mcaro' of mode; did you mean macro?"),
        (
            {"mode": []},
            f"attribute 'mode': expected an integer from 0 to {2**32 - 1} or names of mode, found []",
        ),
        ({"features": "zom"}, "attribute 'features': unknown name 'zom' of feature; did you mean zoom?"),
        (
            {"features": ["zoom", "zom"]},
            "attribute 'features': unknown name 'zom' of feature; did you mean zoom?",
        ),
        (
            {"features": 1.5},
            f"attribute 'features': expected an integer from 0 to {2**32 - 1} or names of feature, found 1.5",
        ),
        ({"device": 1}, "attribute 'device': expected text, found 1"),
        ({"device": b"x"}, "attribute 'device': expected text, found b'x'"),
        ({"device": "x" * 65531}, "attribute 'device': expected at most 65531 bytes, found 65532"),
        ({"ready": 1}, "attribute 'ready': expected True or False, found 1"),
        ({"serial": "x"}, "attribute 'serial': expected bytes, found 'x'"),
        ({"serial": bytes(65532)}, "attribute 'serial': expected at most 65531 bytes, found 65532"),
        ({"samples": 1}, "attribute 'samples': expected a list, found 1"),
        ({"samples": [1, 65536]}, "attribute 'samples': expected an integer from 0 to 65535, found 65536"),
        ({"centre": 1}, "attribute 'centre': expected a mapping of attributes to values, found 1"),
        (
            {"centre": {"z": 1}},
            "attribute 'centre.z': 'point' has no such attribute; expected one of x, y, deeper",
        ),
        (
            {"centre": {"deeper": {"x": -1}}},
            f"attribute 'centre.deeper.x': expected an integer from 0 to {2**32 - 1}, found -1",
        ),
        ({"corners": {"x": 1}}, "attribute 'corners': expected a mapping of attributes to values, found 'x'"),
        ({"steps": 1}, "attribute 'steps': expected a list, found 1"),
        ({"aliases": "ab"}, "attribute 'aliases': expected a list, found 'ab'"),
        ({"grid": {"x": 1}}, "attribute 'grid': expected a list, found {'x': 1}"),
        ({"cell": {"row": 1}}, "attribute 'cell': expected a value for 'column'"),
        ({"cell": 1}, "attribute 'cell': expected a mapping, found 1"),
        (5, "expected a mapping of attributes to values, found 5"),
        (None, "expected a mapping of attributes to values, found None"),
    ],
)
def test_a_value_that_cannot_be_encoded_is_named(values: Any, message: str, reply: Codec) -> None:
    for _ in range(200):
        with pytest.raises(BadValue) as caught:
            reply.encode(values)
        assert str(caught.value) == message


def test_an_operation_without_attributes_accepts_none() -> None:
    reserved = (
        codec(of("{name: a, type: nest, nested-attributes: hollow}", more=""), "get") if False else None
    )
    assert reserved is None
    inside = codec(
        parse(
            LENS.replace("{name: deeper, type: nest, nested-attributes: point}", "{name: hole, type: pad}"),
            "lens.yaml",
        ),
        "get",
        "do",
        "reply",
    )
    with pytest.raises(BadValue, match=r"attribute 'centre\.hole': an attribute of type pad has no payload"):
        inside.encode({"centre": {"hole": 1}})


def test_an_error_can_be_made_again_from_its_arguments() -> None:
    error = BadValue("a.b", "expected more")
    assert str(type(error)(*error.args)) == "attribute 'a.b': expected more"


# -- the choice of a codec ------------------------------------------------------


def test_a_codec_is_made_once() -> None:
    spec = lens()
    assert codec(spec, "get", "do", "reply") is codec(spec, "get", "do", "reply")


def test_a_notification_is_encoded_as_the_reply_it_shares() -> None:
    spec = lens()
    changed = codec(spec, "changed", "event", "reply")
    assert changed.attributes == codec(spec, "get", "do", "reply").attributes
    assert changed.decode(changed.encode({"device": "a"})) == {"device": "a"}


def test_a_message_may_hold_nothing() -> None:
    nothing = codec(lens(), "reset")
    assert nothing.encode({}) == b""
    assert nothing.decode(attribute(1, b"a\0")) == {}


@pytest.mark.parametrize(
    ("operation", "mode", "direction", "expected"),
    [
        ("gte", "do", "request", "lens has no operation 'gte'; did you mean get"),
        ("set", "dump", "request", "lens: 'set' has no request for the mode dump"),
        ("get", "event", "reply", "lens: 'get' has no reply for the mode event"),
        ("broken", "do", "request", "lens: 'broken' has no request for the mode do"),
    ],
)
def test_missing_names_are_reported(operation: str, mode: Any, direction: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        codec(lens(), operation, mode, direction)


def test_unsupported_attributes_have_no_codec() -> None:
    spec = parse(LENS.replace("definitions:", "protocol: netlink-raw\ndefinitions:", 1), "lens.yaml")
    with pytest.raises(SpecError, match="a protocol other than generic netlink"):
        codec(spec, "get")
