"""Validation of netlink attributes by a policy table. Each errno and error text is the kernel's
(lib/nlattr.c).
"""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.kernel.netlink import policy
from simkernel.kernel.netlink.message import Receiver, Request
from simkernel.kernel.netlink.policy_dump import PolicyDump, size_estimate, write_attribute
from simkernel.kernel.netlink.writer import BufferFull, MessageWriter
from simkernel.uapi.errno import EINVAL, ERANGE
from simkernel.uapi.netlink import (
    NETLINK_GENERIC,
    NLA_F_NESTED,
    NLM_F_REQUEST,
    NLMSG_HDRLEN,
    NLMSG_MIN_TYPE,
    NlMsgHdr,
    attribute,
)
from simkernel.ynl.policy import AttributePolicy, NlaType, PolicyTable, Validation
from tests.kernel.netlink.stack import Stack

FAILED = "Attribute failed policy validation"
LENGTH = "invalid attribute length"


def request(data: bytes) -> Request:
    """Send `data` as the payload of a netlink message, and return the request that the kernel receives."""
    stack = Stack()
    sock = stack.open(NETLINK_GENERIC, 1)
    kernel = stack.kernel_socket(NETLINK_GENERIC)
    whole = NlMsgHdr(NLMSG_HDRLEN + len(data), NLMSG_MIN_TYPE, NLM_F_REQUEST).pack() + data
    seen: list[Request] = []
    kernel.ports.input = Receiver(kernel, seen.append, Request).receive
    sock.send(whole)
    return seen[0]


def check(
    table: PolicyTable, data: bytes, validate: int = policy.STRICT
) -> tuple[int, str | None, int | None]:
    """Validate the attributes in `data`. Return the errno, the text of the extended ACK, and the offset of
    the invalid attribute. Offset 0 is the first attribute.
    """
    asked = request(data)
    try:
        policy.validator(table, validate).parse(asked, NLMSG_HDRLEN, asked.end)
    except OSError as error:
        place = asked.extack.bad_attribute
        return error.errno or 0, asked.extack.message, None if place is None else place - NLMSG_HDRLEN
    return 0, asked.extack.message, None


def table(*policies: AttributePolicy) -> PolicyTable:
    return PolicyTable("test", (AttributePolicy(), *policies))


def of(kind: NlaType, validation: Validation = Validation.NONE, **more: object) -> PolicyTable:
    return table(AttributePolicy(kind, validation, **more))  # type: ignore[arg-type]


U8, U32, S32, NESTED = NlaType.U8, NlaType.U32, NlaType.S32, NlaType.NESTED


OK = (0, None)
INVALID = (EINVAL, FAILED)
TOO_LONG = TOO_SHORT = (ERANGE, FAILED)
WRONG_LENGTH = (EINVAL, LENGTH)
OUT_OF_RANGE = (ERANGE, "integer out of range")
SIZE_OUT_OF_RANGE = (ERANGE, "binary attribute size out of range")
RESERVED = (EINVAL, "reserved bit set")
NO_SUCH_VALUE = (EINVAL, "invalid enum value")
NOT_NESTED = (EINVAL, "NLA_F_NESTED is missing")
UNSUPPORTED = (EINVAL, "Unsupported attribute")
MAX, MASK, RANGE, MIN = Validation.MAX, Validation.MASK, Validation.RANGE, Validation.MIN
SOME = Validation.FUNCTION
WARN = Validation.RANGE_WARN_TOO_LONG


@pytest.mark.parametrize(
    ("tried", "payload", "strict", "liberal"),
    [
        (of(U32), bytes(4), OK, OK),
        (of(U32), bytes(3), WRONG_LENGTH, TOO_SHORT),
        (of(U32), bytes(5), WRONG_LENGTH, OK),
        (of(U32, MAX, maximum=9), b"\x0a\0\0\0", OUT_OF_RANGE, OUT_OF_RANGE),
        (of(U32, MASK, mask=3), b"\4\0\0\0", RESERVED, RESERVED),
        (of(S32, RANGE, minimum=-1, maximum=1), b"\xfe\xff\xff\xff", OUT_OF_RANGE, OUT_OF_RANGE),
        (of(NlaType.BE16, MIN, minimum=256), b"\0\xff", OUT_OF_RANGE, OUT_OF_RANGE),
        (of(U8, SOME, accepted=(1, 5)), b"\5", OK, OK),
        (of(U8, SOME, accepted=(1, 5)), b"\2", NO_SUCH_VALUE, NO_SUCH_VALUE),
        (of(NlaType.UINT), bytes(8), OK, OK),
        (of(NlaType.UINT), bytes(2), WRONG_LENGTH, WRONG_LENGTH),
        (of(NlaType.SINT, MIN, minimum=0), b"\xff" * 8, OUT_OF_RANGE, OUT_OF_RANGE),
        (of(NlaType.FLAG), b"", OK, OK),
        (of(NlaType.FLAG), b"\0", TOO_LONG, TOO_LONG),
        (of(NlaType.NUL_STRING, length=3), b"abc\0", OK, OK),
        (of(NlaType.NUL_STRING, length=3), b"abcd\0", INVALID, INVALID),
        (of(NlaType.NUL_STRING), b"abc", INVALID, INVALID),
        (of(NlaType.STRING, length=3), b"abc\0", OK, OK),
        (of(NlaType.STRING, length=3), b"abcd", TOO_LONG, TOO_LONG),
        (of(NlaType.STRING), b"", TOO_SHORT, TOO_SHORT),
        (of(NlaType.BINARY, length=2), bytes(3), TOO_LONG, TOO_LONG),
        (of(NlaType.BINARY, MIN, minimum=2), b"x", SIZE_OUT_OF_RANGE, SIZE_OUT_OF_RANGE),
        (of(NlaType.BINARY, WARN, maximum=2), bytes(3), WRONG_LENGTH, OK),
        (of(NlaType.MSECS), bytes(7), TOO_SHORT, TOO_SHORT),
        (of(NlaType.BITFIELD32, mask=3), struct.pack("<II", 1, 3), OK, OK),
        (of(NlaType.BITFIELD32, mask=3), struct.pack("<II", 2, 1), INVALID, INVALID),
        (of(NlaType.REJECT), b"", INVALID, INVALID),
        (of(NlaType.REJECT, reject_message="gone"), b"", (EINVAL, "gone"), (EINVAL, "gone")),
        (of(NlaType.UNSPEC), b"x", UNSUPPORTED, OK),
        (of(NlaType.UNSPEC, length=2), b"x", UNSUPPORTED, TOO_SHORT),
        (of(NESTED), attribute(1), NOT_NESTED, OK),
        (of(NESTED), b"abc", NOT_NESTED, TOO_SHORT),
    ],
)
def test_of_each_type(
    tried: PolicyTable, payload: bytes, strict: tuple[int, str | None], liberal: tuple[int, str | None]
) -> None:
    data = attribute(1, payload)
    assert check(tried, data)[:2] == strict
    assert check(tried, data, policy.LIBERAL)[:2] == liberal


def test_unknown_types_and_leftovers() -> None:
    known = of(U8)
    data = attribute(1, b"\1") + attribute(9, b"x")
    assert check(known, data) == (EINVAL, "Unknown attribute type", 8)
    assert check(known, data, policy.LIBERAL) == (0, None, None)
    left = "bytes leftover after parsing attributes"
    assert check(known, attribute(1, b"\1") + b"ab") == (EINVAL, left, None)
    assert check(known, attribute(1, b"\1") + b"ab", policy.LIBERAL) == (0, left, None)


def test_an_inner_fault_is_blamed_inside() -> None:
    inner = of(U8)
    outer = table(AttributePolicy(NESTED, nested=inner))
    data = attribute(1 | NLA_F_NESTED, attribute(1, b"12"))
    assert check(outer, data) == (EINVAL, LENGTH, 4)


def test_entries_of_an_array_have_any_type() -> None:
    array = table(AttributePolicy(NlaType.NESTED_ARRAY, nested=of(U8)))
    good = attribute(99, attribute(1, b"\1")) + attribute(0)
    assert check(array, attribute(1 | NLA_F_NESTED, good))[0] == 0
    short = attribute(1 | NLA_F_NESTED, attribute(5, b"abc"))
    assert check(array, short) == (ERANGE, "Array element too short", 4)


def test_nesting_has_an_end() -> None:
    itself = PolicyTable("loop", ())
    object.__setattr__(itself, "attributes", (AttributePolicy(), AttributePolicy(NESTED, nested=itself)))
    data = b""
    for _ in range(11):
        data = attribute(1 | NLA_F_NESTED, data)
    assert check(itself, data)[:2] == (EINVAL, "allowed policy recursion depth exceeded")


def test_attributes_from_strict_start_type_on_are_strict() -> None:
    """In the policy, `strict_start_type` is the first attribute type that is always checked strictly."""
    mixed = PolicyTable(
        "mixed", (AttributePolicy(), AttributePolicy(U32), AttributePolicy(U32)), strict_start_type=2
    )
    assert check(mixed, attribute(1, bytes(5)), policy.LIBERAL)[0] == 0
    assert check(mixed, attribute(2, bytes(5)), policy.LIBERAL)[:2] == (EINVAL, LENGTH)


def test_wrong_lengths_are_logged_up_to_a_limit() -> None:
    asked = request(attribute(1, bytes(5)) * 30)
    policy.validator(of(U32), policy.LIBERAL).parse(asked, NLMSG_HDRLEN, asked.end)
    lines = [record.text for record in asked.sock.netlink.log.records]
    assert lines == ["netlink: 'test': attribute type 1 has an invalid length."] * 10


POLICIES = st.sampled_from(
    [
        AttributePolicy(
            kind, length=length, nested=of(U8) if kind in (NESTED, NlaType.NESTED_ARRAY) else None
        )
        for kind in NlaType
        for length in (0, 3)
    ]
)


@given(
    st.lists(POLICIES, min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=12)), max_size=6),
    st.binary(max_size=5),
    st.sampled_from((policy.LIBERAL, policy.DEPRECATED_STRICT, policy.STRICT)),
)
def test_an_attribute_lies_within_the_request_or_is_an_error(
    policies: list[AttributePolicy], attributes: list[tuple[int, bytes]], tail: bytes, validate: int
) -> None:
    data = b"".join(attribute(type, payload) for type, payload in attributes) + tail
    asked = request(data)
    tried = table(*policies)
    try:
        found = policy.validator(tried, validate).parse(asked, NLMSG_HDRLEN, asked.end)
    except OSError as error:
        assert error.errno in (EINVAL, ERANGE)
        assert asked.extack.message
        assert asked.extack.bad_attribute is None or 16 <= asked.extack.bad_attribute < asked.length
    else:
        for type, (first, last) in found.items():
            assert 0 < type <= tried.maxattr
            assert NLMSG_HDRLEN + 4 <= first <= last <= asked.length


NUMBERS = [kind for kind in NlaType if kind in policy.NUMBERS or kind in policy.WIDE]


@st.composite
def limited(draw: st.DrawFn) -> AttributePolicy:
    """Return a random attribute policy with a range, a mask or a set of accepted values."""
    kind = draw(st.sampled_from([*NUMBERS, NlaType.BINARY]))
    simple = (RANGE, MIN, MAX, Validation.RANGE_PTR, WARN if kind is NlaType.BINARY else MASK)
    validation = draw(st.sampled_from(simple if kind is NlaType.BINARY else (*simple, SOME)))
    minimum, maximum = sorted(draw(st.tuples(*[st.integers(0, 9)] * 2)))
    accepted = tuple(draw(st.sets(st.integers(0, 9), max_size=3)))
    mask = draw(st.integers(0, 15))
    return AttributePolicy(kind, validation, minimum=minimum, maximum=maximum, mask=mask, accepted=accepted)


PAYLOADS = st.one_of(
    st.binary(max_size=12),
    st.sampled_from((b"", b"\0", b"ab\0", b"abc\0", b"abc", b"a\0c", b"abcd\0")),
    st.builds(
        lambda size, order, value: value.to_bytes(size, order),
        st.sampled_from((1, 2, 4, 8)),
        st.sampled_from(("little", "big")),
        st.integers(0, 9),
    ),
)


@given(
    st.lists(POLICIES | limited(), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 4) | st.integers(0, 0xFFFF), PAYLOADS), max_size=4),
    st.integers(0, 3),
    st.sampled_from((policy.LIBERAL, policy.DEPRECATED_STRICT, policy.STRICT)),
)
def test_fast_rules_accept_only_valid_attributes(
    policies: list[AttributePolicy], attributes: list[tuple[int, bytes]], strict_from: int, validate: int
) -> None:
    """A validator with fast rules has the same results and errors as a validator without them."""
    tried = PolicyTable("test", (AttributePolicy(), *policies), strict_from)
    thorough = policy.Validator(tried, validate)
    thorough._fast_rules = {}
    outcomes = []
    for validator in (policy.Validator(tried, validate), thorough):
        asked = request(b"".join(attribute(type, payload) for type, payload in attributes))
        found: object
        try:
            found = validator.parse(asked, NLMSG_HDRLEN, asked.end)
        except OSError as error:
            found = error.errno
        log = [record.text for record in asked.sock.netlink.log.records]
        outcomes.append((found, asked.extack.message, asked.extack.bad_attribute, asked.extack.policy, log))
    assert outcomes[0] == outcomes[1]


@given(POLICIES)
def test_a_dumped_policy_fits_its_estimate(told: AttributePolicy) -> None:
    writer = MessageWriter(1000)
    written = write_attribute(writer, 4, told, None)
    assert len(writer.data) <= size_estimate(told) or not written
    assert written == bool(writer.data)


def test_each_policy_is_dumped_once_and_nested_ones_later() -> None:
    inner = of(U8)
    first, second = table(AttributePolicy(NESTED, nested=inner)), table(AttributePolicy(NESTED, nested=inner))
    dump = PolicyDump()
    dump.add(first)
    dump.add(second)
    assert [dump.index(each) for each in (first, inner, second)] == [0, 1, 2]
    writer = MessageWriter(1 << 12)
    while not dump.finished:
        try:
            dump.write(writer)
        except BufferFull:
            assert dump.finished
    assert dump.finished
