"""Extended ACKs: packed, unpacked, and read from messages of Linux 6.18."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.uapi.extack import ExtAck, extended_ack
from simkernel.uapi.netlink import (
    NLM_F_ACK_TLVS,
    NLM_F_CAPPED,
    NLM_F_MULTI,
    NLMSG_DONE,
    NLMSG_ERROR,
    NlMsgErr,
    NlMsgHdr,
    attribute,
    iterate_attributes,
    iterate_messages,
    message,
)
from simkernel.uapi.structure import S32, Malformed
from tests.uapi.strategies import KINDS, payloads, structures, texts, u16, u32

acks = st.builds(
    ExtAck,
    message=st.none() | texts(""),
    cookie=st.none() | st.binary(max_size=20),
    offset=st.none() | u32,
    policy=st.none() | payloads,
    missing_type=st.none() | u32,
    missing_nest=st.none() | u32,
)

# CTRL_CMD_GETFAMILY with a too long attribute: the error repeats the request.
LONG_NAME = bytes.fromhex(
    "980000000200000207000000452e0000eaffffff40000000100005000700000000000000030100002c000200"
    "78787878787878787878787878787878787878787878787878787878787878787878787878787878"
    "27000100417474726962757465206661696c656420706f6c6963792076616c69646174696f6e0000"
    "080002001400000014000480080007000f000000080001000c000000"
)
# A command of the family netdev without its required attribute, on a socket with NETLINK_CAP_ACK.
MISSING = bytes.fromhex(
    "2c00000002000003000000002ba5c7bceaffffff140000001400010000000000000000000800050001000000"
)


@given(acks, st.sampled_from(KINDS))
def test_an_extended_ack_comes_back(ack, kind):
    assert ExtAck.unpack(kind(ack.pack())) == ack


@given(acks)
def test_its_attributes_stand_in_the_kernels_order(ack):
    types = [type & 0xFF for type, _ in iterate_attributes(ack.pack())]
    assert types == [type for type in (1, 3, 2, 4, 5, 6) if type in types]


@given(structures(NlMsgErr), acks, payloads)
def test_it_is_found_after_the_request_and_after_its_header_alone(error, ack, request):
    whole = NlMsgErr(error.error, 16 + len(request), error.type, error.flags, error.seq, error.pid).pack()
    padding = bytes(-len(request) % 4)
    answers = (
        message(NLMSG_ERROR, whole + request + padding + ack.pack(), flags=NLM_F_ACK_TLVS),
        message(NLMSG_ERROR, error.pack() + ack.pack(), flags=NLM_F_ACK_TLVS | NLM_F_CAPPED),
        message(NLMSG_DONE, S32.pack(error.error) + ack.pack(), flags=NLM_F_MULTI | NLM_F_ACK_TLVS),
    )
    for answer in answers:
        ((header, payload),) = iterate_messages(answer)
        assert extended_ack(header, payload) == ack


@given(u16, st.sampled_from([NLMSG_ERROR, NLMSG_DONE]), st.binary(max_size=80))
def test_garbage_raises_malformed_only(flags, type, payload):
    try:
        extended_ack(NlMsgHdr(16 + len(payload), type, flags), payload)
    except Malformed:
        assert flags & NLM_F_ACK_TLVS


def test_without_the_flag_there_is_none():
    payload = NlMsgErr(0, 16, 16).pack() + ExtAck(message="no").pack()
    assert extended_ack(NlMsgHdr(16 + len(payload), NLMSG_ERROR), payload) == ExtAck()


def test_an_attribute_that_breaks_its_policy_has_linux_s_error():
    ((header, payload),) = iterate_messages(LONG_NAME)
    assert NlMsgErr.unpack(payload).error == -22
    ack = extended_ack(header, payload)
    assert ack.message == "Attribute failed policy validation"
    assert ack.offset == 20
    assert ack.policy is not None
    assert dict(iterate_attributes(ack.policy)) == {7: b"\x0f\0\0\0", 1: b"\x0c\0\0\0"}
    assert ack.pack() == LONG_NAME[-len(ack.pack()) :]


def test_a_missing_attribute_has_linux_s_error():
    ((header, payload),) = iterate_messages(MISSING)
    assert extended_ack(header, payload) == ExtAck(missing_type=1)


def test_unknown_attributes_are_passed_over():
    assert ExtAck.unpack(attribute(99, b"new") + ExtAck(offset=4).pack()) == ExtAck(offset=4)


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (NlMsgErr(-22, 400, 16).pack(), "expected at offset 404, but the reply ends at 20"),
        (NlMsgErr(-22, 15, 16).pack(), "expected at least 16 bytes, found 15"),
        (b"\0\0", "NlMsgErr at offset 0: expected 20 bytes, found 2"),
        (NlMsgErr(-22, 16, 16).pack() + attribute(2, b"\0"), "expected 4 bytes, found 1"),
    ],
)
def test_an_error_says_what_is_wrong(payload, text):
    with pytest.raises(Malformed, match=text):
        extended_ack(NlMsgHdr(16 + len(payload), NLMSG_ERROR, NLM_F_ACK_TLVS), payload)
