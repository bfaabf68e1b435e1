"""Netlink messages and attributes: encoding, decoding, alignment, and malformed bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.uapi.errno import EPERM
from simkernel.uapi.netlink import (
    NLA_F_NESTED,
    NLA_MAX_PAYLOAD,
    NLMSG_ERROR,
    NlAttr,
    NlMsgHdr,
    align4,
    attribute,
    iterate_attributes,
    iterate_messages,
    locate_attributes,
    message,
    nested,
    reply,
)
from simkernel.uapi.structure import S32, Malformed
from tests.uapi.strategies import KINDS, payloads, u16, u32

attributes = st.lists(st.tuples(u16, payloads), max_size=6)
kinds = st.sampled_from(KINDS)


@given(st.lists(st.tuples(u16, payloads, u16, u32, u32), max_size=5), kinds)
def test_messages_come_back(messages, kind):
    datagram = b"".join(
        message(type, payload, flags=flags, seq=seq, pid=pid) for type, payload, flags, seq, pid in messages
    )
    found = list(iterate_messages(kind(datagram)))
    assert [(h.type, p, h.flags, h.seq, h.pid) for h, p in found] == messages
    assert all(isinstance(payload, kind) for _, payload in found)


def test_reply_is_a_payload_or_raises_the_error():
    assert bytes(reply(message(16, b"text"))) == b"text"
    acknowledged = bytes(20)
    assert bytes(reply(message(NLMSG_ERROR, acknowledged))) == acknowledged
    refusal = message(NLMSG_ERROR, S32.pack(-EPERM) + bytes(16))
    with pytest.raises(PermissionError, match="NLMSG_ERROR, EPERM"):
        reply(refusal)
    with pytest.raises(PermissionError, match="not for you"):
        reply(refusal, "not for you")


@given(attributes, kinds)
def test_attributes_come_back(attributes, kind):
    data = b"".join(attribute(type, payload) for type, payload in attributes)
    found = list(iterate_attributes(kind(data)))
    assert found == attributes
    assert all(isinstance(payload, kind) for _, payload in found)


@given(u16, payloads)
def test_each_message_and_attribute_ends_where_the_next_may_begin(type, payload):
    for data, header in ((attribute(type, payload), NlAttr), (message(type, payload), NlMsgHdr)):
        length = header.unpack(data).length
        assert length == header.SIZE + len(payload)
        assert len(data) == align4(length)
        assert not any(data[length:])


@given(st.integers(0, 1 << 32))
def test_alignment(length):
    assert align4(length) % 4 == 0
    assert 0 <= align4(length) - length < 4


@given(st.binary(max_size=80), kinds)
def test_garbage_raises_malformed_only(data, kind):
    for iterate in (iterate_messages, iterate_attributes):
        try:
            for _, payload in iterate(kind(data)):
                assert bytes(payload) in data
        except Malformed as error:
            assert "offset" in str(error)


@given(attributes, st.binary(max_size=3), st.integers(0, 5))
def test_remaining_bytes_are_counted(attributes, rest, before):
    data = bytes(before) + b"".join(attribute(type, payload) for type, payload in attributes) + rest
    located, left = locate_attributes(data, before)
    assert [(type, data[start:end]) for type, start, end in located] == attributes
    assert left == len(rest)


@given(st.binary(max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_no_attribute_is_found_outside_the_bounds(data, offset, end):
    end = min(end, len(data))
    located, left = locate_attributes(data, offset, end)
    assert all(offset + NlAttr.SIZE <= start <= stop <= end for _, start, stop in located)
    assert 0 <= left <= max(end - offset, 0)


def test_the_last_attribute_and_message_need_no_padding():
    assert list(iterate_attributes(attribute(1, b"a")[:5])) == [(1, b"a")]
    assert [payload for _, payload in iterate_messages(message(20, b"a")[:17])] == [b"a"]


def test_a_nest_holds_attributes_and_says_so():
    data = nested(7, attribute(1, b"abc"), attribute(2))
    assert data.hex() == "10000780070001006162630004000200"
    ((type, inner),) = iterate_attributes(data)
    assert type == 7 | NLA_F_NESTED
    assert list(iterate_attributes(inner)) == [(1, b"abc"), (2, b"")]


@pytest.mark.parametrize(
    ("length", "expected"),
    [(3, "expected a length of 4 to 8, found 3"), (9, "expected a length of 4 to 8, found 9")],
)
def test_a_bad_length_of_an_attribute_comes_after_the_good_ones(length, expected):
    found = iterate_attributes(attribute(1, b"good") + NlAttr(length, 2).pack() + bytes(4))
    assert next(found) == (1, b"good")
    with pytest.raises(Malformed, match=f"^attribute at offset 8: {expected}$"):
        next(found)


@pytest.mark.parametrize("length", [0, 15, 21, 0xFFFFFFFF])
def test_a_bad_length_of_a_message_comes_after_the_good_ones(length):
    found = iterate_messages(message(20, b"good") + NlMsgHdr(length, NLMSG_ERROR).pack() + bytes(4))
    assert next(found)[1] == b"good"
    with pytest.raises(
        Malformed, match=f"^message at offset 20: expected a length of 16 to 20, found {length}$"
    ):
        next(found)


def test_an_attribute_has_room_for_64_kib_less_five_bytes():
    assert len(attribute(1, bytes(NLA_MAX_PAYLOAD))) == 0x10000
    with pytest.raises(ValueError, match="at most 65531 bytes"):
        attribute(1, bytes(NLA_MAX_PAYLOAD + 1))
    with pytest.raises(ValueError, match="attribute of type 65536"):
        attribute(0x10000)
