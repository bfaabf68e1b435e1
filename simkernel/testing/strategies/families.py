"""Hypothesis strategies for requests to a generic netlink family: valid, nearly valid, and garbage.

    SPEC = Machine().specification("camera")

    @given(requests(SPEC))
    def test_whatever_is_asked_the_driver_lives(request): ...
        sock.sendto(request.message(family_id), (0, 0))

These strategies need hypothesis, which is in an extra: `pip install simkernel[testing]`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from simkernel.uapi.genetlink import GENL_HDRLEN, GenlMsgHdr
from simkernel.uapi.netlink import NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, attribute, message
from simkernel.ynl import Attribute, Spec
from simkernel.ynl.codec import codec
from simkernel.ynl.model import Enumeration, ModeName
from simkernel.ynl.schema import SCALARS, type_range

Values = SearchStrategy[Any]

SILENT: Final = frozenset({"pad", "unused"})
"""Types of attributes without payload. The strategies put no attribute of these types into a request."""
MAX_LENGTH: Final = 24
"""Maximum length in bytes of a string or binary attribute if the policy sets no maximum."""
MAX_DEPTH: Final = 3
"""Maximum depth of nested attributes, needed because an attribute set may contain itself."""
FLAGS: Final[dict[ModeName, int]] = {"do": NLM_F_REQUEST | NLM_F_ACK, "dump": NLM_F_REQUEST | NLM_F_DUMP}


@attrs.frozen
class GenetlinkRequest:
    """A request to a generic netlink family. `payload` begins with the generic netlink header."""

    operation: str
    mode: ModeName
    payload: bytes

    def message(self, family: int, *, sequence: int = 1) -> bytes:
        """Return the complete netlink message to the family with this id."""
        return message(family, self.payload, flags=FLAGS[self.mode], seq=sequence)


# -- requests -------------------------------------------------------------------


def requests(spec: Spec) -> SearchStrategy[GenetlinkRequest]:
    """Return a strategy for valid and nearly valid requests, and for garbage."""
    return valid_requests(spec) | nearly_valid_requests(spec) | garbage(spec)


def valid_requests(spec: Spec) -> SearchStrategy[GenetlinkRequest]:
    """Return a strategy for requests that the family's policies accept.  The driver may still reject them."""
    return st.one_of([_valid(spec, operation, mode) for operation, mode in _modes(spec)])


def nearly_valid_requests(spec: Spec) -> SearchStrategy[GenetlinkRequest]:
    """Return a strategy for valid requests with one to three changes, such as a wrong byte."""
    return valid_requests(spec).flatmap(_changed)


def garbage(spec: Spec) -> SearchStrategy[GenetlinkRequest]:
    """Return a strategy for random bytes as payloads. Some begin with a generic netlink header, whose command
    can be unknown.
    """
    known = st.sampled_from([_command(spec, operation) for operation, _ in _modes(spec)])
    commands = known | st.integers(0, 255)
    headers = st.builds(lambda command: GenlMsgHdr(command, spec.version).pack(), commands)
    payloads = st.binary(max_size=64) | st.builds(bytes.__add__, headers, st.binary(max_size=64))
    return st.builds(GenetlinkRequest, st.just(""), st.sampled_from(tuple(FLAGS)), payloads)


def datagrams(spec: Spec, family: int) -> SearchStrategy[bytes]:
    """Return a strategy for datagrams: one to three requests, one to three requests with one wrong byte, or
    arbitrary bytes.
    """
    several = st.lists(requests(spec), min_size=1, max_size=3)
    whole = several.map(lambda them: b"".join(request.message(family) for request in them))
    return whole | whole.flatmap(_damaged) | st.binary(max_size=96)


def _modes(spec: Spec) -> list[tuple[str, ModeName]]:
    """Return pairs of the name of an operation and a mode ("do" or "dump") in which this operation accepts
    requests.
    """
    operations = [each for each in spec.operations.values() if each.request_number is not None]
    do: list[tuple[str, ModeName]] = [(each.name, "do") for each in operations if each.do is not None]
    return do + [(each.name, "dump") for each in operations if each.dump is not None]


def _command(spec: Spec, operation: str) -> int:
    number = spec.operation(operation).request_number
    assert number is not None
    return number


def _valid(spec: Spec, operation: str, mode: ModeName) -> SearchStrategy[GenetlinkRequest]:
    header = GenlMsgHdr(_command(spec, operation), spec.version).pack()
    encode = codec(spec, operation, mode, "request").encode
    return attributes(spec, operation, mode).map(
        lambda values: GenetlinkRequest(operation, mode, header + encode(values))
    )


# -- changes ----------------------------------------------------------------------


@st.composite
def _changed(draw: st.DrawFn, request: GenetlinkRequest) -> GenetlinkRequest:
    """Return a strategy for `request` with one to three changes."""
    payload = request.payload
    for change in draw(st.lists(st.sampled_from(CHANGES), min_size=1, max_size=3)):
        payload = draw(change(payload))
    return attrs.evolve(request, payload=payload)


def _damaged(data: bytes) -> SearchStrategy[bytes]:
    """Return a strategy for `data` with one byte replaced by an arbitrary byte."""
    places = st.integers(0, max(0, len(data) - 1))
    return st.builds(lambda at, byte: data[:at] + bytes([byte]) + data[at + 1 :], places, st.integers(0, 255))


def _cut(data: bytes) -> SearchStrategy[bytes]:
    """Return a strategy for `data`, truncated at an arbitrary length."""
    return st.integers(0, len(data)).map(lambda length: data[:length])


def _followed(data: bytes) -> SearchStrategy[bytes]:
    """Return a strategy for `data` with one to eight arbitrary bytes appended."""
    return st.binary(min_size=1, max_size=8).map(lambda more: data + more)


def _joined(data: bytes) -> SearchStrategy[bytes]:
    """Return a strategy for `data` with a netlink attribute of any type appended."""
    return st.builds(
        lambda type, payload: data + attribute(type, payload), st.integers(0, 0xFFFF), st.binary(max_size=12)
    )


def _doubled(data: bytes) -> SearchStrategy[bytes]:
    """Return a strategy for `data` with a copy of its attributes appended, so that each attribute occurs
    twice.
    """
    return st.just(data + data[GENL_HDRLEN:])


CHANGES: Final[tuple[Callable[[bytes], SearchStrategy[bytes]], ...]] = (
    _damaged,
    _cut,
    _followed,
    _joined,
    _doubled,
)


# -- attributes ---------------------------------------------------------------------


def attributes(spec: Spec, operation: str, mode: ModeName = "do") -> SearchStrategy[dict[str, Any]]:
    """Return a strategy for the attributes of a valid request, by name.

    It draws any subset of them, because the policies require none.
    """
    listed = spec.message(spec.operation(operation), mode, "request") or ()
    known = spec.attribute_sets[spec.operation(operation).attribute_set].attributes if listed else {}
    return _some(spec, [known[name] for name in listed], 0)


def _some(spec: Spec, among: list[Attribute], depth: int) -> SearchStrategy[dict[str, Any]]:
    optional = {
        each.name: _values(spec, each, depth)
        for each in among
        if each.type not in SILENT and not (each.nested and depth == MAX_DEPTH)
    }
    return st.fixed_dictionaries({}, optional=optional)


def _values(spec: Spec, attribute: Attribute, depth: int) -> Values:
    one = KINDS.get(attribute.type, _number)(spec, attribute, depth)
    return st.lists(one, min_size=1, max_size=3) if attribute.multi else one


def _number(spec: Spec, attribute: Attribute, depth: int) -> Values:
    checks = attribute.checks
    if checks.flags_mask is not None:
        return _mask(checks.flags_mask)
    if attribute.enum is not None:
        return _names(attribute.enum) if attribute.as_flags else st.sampled_from(list(attribute.enum.numbers))
    least, most = type_range(attribute.type if attribute.type in SCALARS else attribute.sub_type)
    low = least if checks.minimum is None else checks.minimum
    high = most if checks.maximum is None else checks.maximum
    return st.integers(low, high)


def _names(enum: Enumeration) -> Values:
    return st.sets(st.sampled_from(list(enum.bits))).map(lambda chosen: tuple(sorted(chosen)))


def _mask(enum: Enumeration) -> SearchStrategy[int]:
    return st.sets(st.sampled_from(list(enum.bits.values()))).map(sum)


def _lengths(attribute: Attribute) -> dict[str, int]:
    checks = attribute.checks
    if checks.exact_length is not None:
        return {"min_size": checks.exact_length, "max_size": checks.exact_length}
    low = checks.min_length or 0
    return {
        "min_size": low,
        "max_size": max(low, MAX_LENGTH) if checks.max_length is None else checks.max_length,
    }


def _string(spec: Spec, attribute: Attribute, depth: int) -> Values:
    return st.text(st.characters(min_codepoint=1, max_codepoint=127), **_lengths(attribute))


def _binary(spec: Spec, attribute: Attribute, depth: int) -> Values:
    if attribute.sub_type:
        return st.lists(_number(spec, attribute, depth), max_size=4)
    return st.binary(**_lengths(attribute))


def _flag(spec: Spec, attribute: Attribute, depth: int) -> Values:
    return st.just(True)


def _bitfield(spec: Spec, attribute: Attribute, depth: int) -> Values:
    assert attribute.enum is not None
    selector = st.sets(st.sampled_from(list(attribute.enum.bits)))
    return selector.flatmap(
        lambda chosen: st.fixed_dictionaries(
            {
                "value": st.sets(st.sampled_from(sorted(chosen))).map(tuple) if chosen else st.just(()),
                "selector": st.just(tuple(sorted(chosen))),
            }
        )
    )


def _nest(spec: Spec, attribute: Attribute, depth: int) -> Values:
    return _some(spec, list(spec.attribute_sets[attribute.nested].attributes.values()), depth + 1)


def _type_value(spec: Spec, attribute: Attribute, depth: int) -> Values:
    numbers = st.fixed_dictionaries({name: st.integers(1, 0x3FFF) for name in attribute.type_values})
    return st.builds(lambda types, inside: types | inside, numbers, _nest(spec, attribute, depth))


def _array(spec: Spec, attribute: Attribute, depth: int) -> Values:
    kind = KINDS.get(attribute.sub_type, _number)
    return st.lists(kind(spec, attrs.evolve(attribute, type=attribute.sub_type), depth), max_size=3)


KINDS: Final[dict[str, Callable[[Spec, Attribute, int], Values]]] = {
    "string": _string,
    "binary": _binary,
    "flag": _flag,
    "bitfield32": _bitfield,
    "nest": _nest,
    "nest-type-value": _type_value,
    "indexed-array": _array,
}
"""For each attribute type that is not an integer, a function that returns a strategy for the attribute's
values.
"""
