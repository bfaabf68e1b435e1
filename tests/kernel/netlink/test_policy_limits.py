"""Attribute policies at their limits: the last valid and the first invalid length, value and depth.

The expected results are those of `validate_nla()` of lib/nlattr.c, and of net/netlink/policy.c.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import pytest

from simkernel.kernel.netlink import policy
from simkernel.kernel.netlink.message import Receiver, Request
from simkernel.kernel.netlink.policy_dump import size_estimate, write_attribute
from simkernel.kernel.netlink.writer import MessageWriter
from simkernel.uapi import netlink as nl
from simkernel.uapi.errno import EINVAL, ERANGE
from simkernel.uapi.netlink import (
    NETLINK_GENERIC,
    NLA_F_NESTED,
    NLM_F_REQUEST,
    NLMSG_HDRLEN,
    NLMSG_MIN_TYPE,
    attribute,
    iterate_attributes,
    message,
)
from simkernel.uapi.structure import U32, U64
from simkernel.ynl.policy import AttributePolicy, NlaType, PolicyTable, Validation
from tests.kernel.netlink.stack import Sock, Stack
from tests.kernel.netlink.test_policy import of, table


@cache
def receiver() -> tuple[Sock, list[Request]]:
    """Return a socket, and the list of the requests that the kernel has received from it."""
    stack = Stack()
    seen: list[Request] = []
    kernel = stack.kernel_socket(NETLINK_GENERIC)
    kernel.ports.input = Receiver(kernel, seen.append, Request).receive
    return stack.open(NETLINK_GENERIC, 1), seen


def check(
    tried: PolicyTable, data: bytes, validate: int = policy.STRICT
) -> tuple[int, str | None, int | None]:
    """Validate the attributes in `data`. Return the errno, the text of the extended ACK, and the offset of
    the invalid attribute. Offset 0 is the first attribute.
    """
    sock, seen = receiver()
    sock.send(message(NLMSG_MIN_TYPE, data, flags=NLM_F_REQUEST))
    sock.drain()
    asked = seen.pop()
    try:
        policy.validator(tried, validate).parse(asked, NLMSG_HDRLEN, asked.end)
    except OSError as error:
        place = asked.extack.bad_attribute
        return error.errno or 0, asked.extack.message, None if place is None else place - NLMSG_HDRLEN
    return 0, asked.extack.message, None


KINDS = {
    NlaType.U8: (1, "little", False),
    NlaType.U16: (2, "little", False),
    NlaType.U32: (4, "little", False),
    NlaType.U64: (8, "little", False),
    NlaType.S8: (1, "little", True),
    NlaType.S16: (2, "little", True),
    NlaType.S32: (4, "little", True),
    NlaType.S64: (8, "little", True),
    NlaType.BE16: (2, "big", False),
    NlaType.BE32: (4, "big", False),
}
"""For each number type: its size in bytes, its byte order, and True if it is signed."""


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_at_the_limits_of_a_range(kind: NlaType) -> None:
    size, order, signed = KINDS[kind]
    for low, high in ((3, 7), (0, 0), (-5, -2) if signed else (1, 2)):
        for validation, first, last in (
            (Validation.RANGE, low, high),
            (Validation.MIN, low, 100),
            (Validation.MAX, -100 if signed else 0, high),
        ):
            tried = of(kind, validation, minimum=low, maximum=high)
            for number in range(-6 if signed else 0, 10):
                data = number.to_bytes(size, order, signed=signed)  # type: ignore[arg-type]
                for validate in (policy.STRICT, policy.LIBERAL):
                    expected = 0 if first <= number <= last else ERANGE
                    assert check(tried, attribute(1, data), validate)[0] == expected, (low, high, number)


@pytest.mark.parametrize("kind", KINDS)
def test_lengths_of_numbers(kind: NlaType) -> None:
    size = KINDS[kind][0]
    for length in range(18):
        data = attribute(1, bytes(length))
        assert check(of(kind), data)[0] == (0 if length == size else EINVAL)
        assert check(of(kind), data, policy.LIBERAL)[0] == (0 if length >= size else ERANGE)


def test_bits_of_a_bitfield() -> None:
    """The selector may contain only valid bits, and the value only selected bits."""
    for mask in range(4):
        tried = of(NlaType.BITFIELD32, mask=mask)
        for value, selector in product(range(5), repeat=2):
            valid = mask and not selector & ~mask and not value & ~selector
            data = attribute(1, U32.pack(value) + U32.pack(selector))
            assert check(tried, data)[0] == (0 if valid else EINVAL), (mask, value, selector)
    for length in range(14):
        expected = 0 if length == 8 else ERANGE
        assert check(of(NlaType.BITFIELD32, mask=1), attribute(1, bytes(length)))[0] == expected


LENGTHS = [
    # attribute type, validation and limits of the policy; valid lengths: in strict mode, in liberal mode
    (NlaType.BINARY, Validation.NONE, {"length": 3}, range(4), range(4)),
    (NlaType.BINARY, Validation.NONE, {}, range(9), range(9)),
    (NlaType.BINARY, Validation.RANGE, {"minimum": 2, "maximum": 4}, range(2, 5), range(2, 5)),
    (NlaType.BINARY, Validation.MIN, {"minimum": 2}, range(2, 9), range(2, 9)),
    (NlaType.BINARY, Validation.MAX, {"maximum": 4}, range(5), range(5)),
    (NlaType.BINARY, Validation.RANGE_WARN_TOO_LONG, {"minimum": 2, "maximum": 4}, range(2, 5), range(2, 9)),
    (NlaType.STRING, Validation.NONE, {"length": 3}, range(1, 5), range(1, 5)),
    (NlaType.NUL_STRING, Validation.NONE, {"length": 3}, range(1, 5), range(1, 5)),
    (NlaType.UNSPEC, Validation.NONE, {"length": 3}, range(0), range(3, 9)),
    (NlaType.FLAG, Validation.NONE, {}, range(1), range(1)),
    (NlaType.MSECS, Validation.NONE, {}, range(8, 9), range(8, 9)),
    (NlaType.UINT, Validation.NONE, {}, (4, 8), (4, 8)),
    (NlaType.SINT, Validation.NONE, {}, (4, 8), (4, 8)),
]


@pytest.mark.parametrize(("kind", "validation", "fields", "strict", "liberal"), LENGTHS)
def test_lengths_of_payloads(
    kind: NlaType, validation: Validation, fields: dict[str, int], strict: range, liberal: range
) -> None:
    tried = of(kind, validation, **fields)
    for length in range(9):
        data = attribute(1, bytes(length))
        assert (check(tried, data)[0] == 0) is (length in strict), length
        assert (check(tried, data, policy.LIBERAL)[0] == 0) is (length in liberal), length


def test_lengths_of_the_entries_of_an_array() -> None:
    array = table(AttributePolicy(NlaType.NESTED_ARRAY, nested=of(NlaType.U8)))
    bare = table(AttributePolicy(NlaType.NESTED_ARRAY))
    for length in range(4):
        data = attribute(1 | NLA_F_NESTED, bytes(length))
        assert check(array, data)[0] == check(bare, data)[0] == (ERANGE if length else 0)
    good = attribute(7, attribute(1, b"\1"))
    for length in range(4):
        data = attribute(1 | NLA_F_NESTED, good + attribute(7, bytes(length)))
        expected = (ERANGE, "Array element too short", 16) if length else (0, None, None)
        assert check(array, data) == expected
        assert check(bare, data)[0] == 0
    for entries in (attribute(7, attribute(1, b"\1\2")) + good, good + attribute(7, attribute(1, b"\1\2"))):
        assert check(array, attribute(1 | NLA_F_NESTED, entries))[0] == EINVAL


@pytest.mark.parametrize("kind", [NlaType.NESTED, NlaType.NESTED_ARRAY])
def test_policies_have_at_most_ten_levels(kind: NlaType) -> None:
    itself = PolicyTable("loop", ())
    object.__setattr__(itself, "attributes", (AttributePolicy(), AttributePolicy(kind, nested=itself)))
    data, levels = b"", 0
    while check(itself, data)[0] == 0:
        data, levels = (
            attribute(1 | NLA_F_NESTED, data if kind is NlaType.NESTED else attribute(1, data)),
            levels + 1,
        )
    assert check(itself, data)[1] == "allowed policy recursion depth exceeded"
    assert levels == 11


U = nl.NL_POLICY_TYPE_ATTR_MIN_VALUE_U, nl.NL_POLICY_TYPE_ATTR_MAX_VALUE_U
S = nl.NL_POLICY_TYPE_ATTR_MIN_VALUE_S, nl.NL_POLICY_TYPE_ATTR_MAX_VALUE_S
LENGTH = nl.NL_POLICY_TYPE_ATTR_MIN_LENGTH, nl.NL_POLICY_TYPE_ATTR_MAX_LENGTH


def pair(types: tuple[int, int], low: int, high: int) -> dict[int, bytes]:
    return {type: U64.pack(value & 2**64 - 1) for type, value in zip(types, (low, high), strict=True)}


def lengths(low: int, high: int) -> dict[int, bytes]:
    return {type: U32.pack(value) for type, value in zip(LENGTH, (low, high), strict=True) if value}


DUMPED: list[tuple[AttributePolicy, int, int, dict[int, bytes]]] = [
    # policy; then its dump: estimated size in bytes, attribute type, attributes other than the type
    (AttributePolicy(NlaType.FLAG), 16, nl.NL_ATTR_TYPE_FLAG, {}),
    (AttributePolicy(NlaType.U8), 48, nl.NL_ATTR_TYPE_U8, pair(U, 0, 255)),
    (AttributePolicy(NlaType.U16), 48, nl.NL_ATTR_TYPE_U16, pair(U, 0, 65535)),
    (AttributePolicy(NlaType.U32), 48, nl.NL_ATTR_TYPE_U32, pair(U, 0, 2**32 - 1)),
    (AttributePolicy(NlaType.U64), 48, nl.NL_ATTR_TYPE_U64, pair(U, 0, 2**64 - 1)),
    (AttributePolicy(NlaType.UINT), 48, nl.NL_ATTR_TYPE_UINT, pair(U, 0, 2**64 - 1)),
    (AttributePolicy(NlaType.MSECS), 48, nl.NL_ATTR_TYPE_UINT, pair(U, 0, 2**64 - 1)),
    (AttributePolicy(NlaType.S8), 48, nl.NL_ATTR_TYPE_S8, pair(S, -128, 127)),
    (AttributePolicy(NlaType.S16), 48, nl.NL_ATTR_TYPE_S16, pair(S, -(2**15), 2**15 - 1)),
    (AttributePolicy(NlaType.S32), 48, nl.NL_ATTR_TYPE_S32, pair(S, -(2**31), 2**31 - 1)),
    (AttributePolicy(NlaType.S64), 48, nl.NL_ATTR_TYPE_S64, pair(S, -(2**63), 2**63 - 1)),
    (AttributePolicy(NlaType.SINT), 48, nl.NL_ATTR_TYPE_SINT, pair(S, -(2**63), 2**63 - 1)),
    (
        AttributePolicy(NlaType.U32, Validation.MASK, mask=5),
        48,
        nl.NL_ATTR_TYPE_U32,
        {nl.NL_POLICY_TYPE_ATTR_MASK: U64.pack(5)},
    ),
    (
        AttributePolicy(NlaType.U32, Validation.RANGE, minimum=3, maximum=9),
        48,
        nl.NL_ATTR_TYPE_U32,
        pair(U, 3, 9),
    ),
    (
        AttributePolicy(NlaType.S32, Validation.MIN, minimum=-3),
        48,
        nl.NL_ATTR_TYPE_S32,
        pair(S, -3, 2**31 - 1),
    ),
    (AttributePolicy(NlaType.BINARY), 32, nl.NL_ATTR_TYPE_BINARY, {}),
    (AttributePolicy(NlaType.BINARY, length=7), 32, nl.NL_ATTR_TYPE_BINARY, lengths(0, 7)),
    (
        AttributePolicy(NlaType.BINARY, Validation.RANGE, minimum=2, maximum=9),
        32,
        nl.NL_ATTR_TYPE_BINARY,
        lengths(2, 9),
    ),
    (
        AttributePolicy(NlaType.BINARY, Validation.RANGE, minimum=0, maximum=65534),
        32,
        nl.NL_ATTR_TYPE_BINARY,
        lengths(0, 65534),
    ),
    (
        AttributePolicy(NlaType.BINARY, Validation.RANGE_WARN_TOO_LONG, minimum=1, maximum=65535),
        32,
        nl.NL_ATTR_TYPE_BINARY,
        lengths(1, 0),
    ),
    (AttributePolicy(NlaType.STRING, length=7), 32, nl.NL_ATTR_TYPE_STRING, lengths(0, 7)),
    (AttributePolicy(NlaType.NUL_STRING, length=7), 32, nl.NL_ATTR_TYPE_NUL_STRING, lengths(0, 7)),
    (AttributePolicy(NlaType.NESTED), 32, nl.NL_ATTR_TYPE_NESTED, {}),
    (AttributePolicy(NlaType.NESTED_ARRAY), 32, nl.NL_ATTR_TYPE_NESTED_ARRAY, {}),
    (
        AttributePolicy(NlaType.BITFIELD32, mask=6),
        24,
        nl.NL_ATTR_TYPE_BITFIELD32,
        {nl.NL_POLICY_TYPE_ATTR_BITFIELD32_MASK: U32.pack(6)},
    ),
    (AttributePolicy(), 0, -1, {}),
    (AttributePolicy(NlaType.REJECT), 0, -1, {}),
]


@pytest.mark.parametrize(("told", "size", "kind", "others"), DUMPED)
def test_attributes_of_a_dumped_policy(
    told: AttributePolicy, size: int, kind: int, others: dict[int, bytes]
) -> None:
    assert size_estimate(told) == size
    writer = MessageWriter(1000)
    assert write_attribute(writer, 4, told) is (kind >= 0)
    if kind < 0:
        assert not writer.data
        return
    ((type, nest),) = iterate_attributes(bytes(writer.data))
    found = dict(iterate_attributes(nest))
    assert type & ~NLA_F_NESTED == 4
    assert found.pop(nl.NL_POLICY_TYPE_ATTR_TYPE) == U32.pack(kind)
    assert {each: data for each, data in found.items() if each != nl.NL_POLICY_TYPE_ATTR_PAD} == others
