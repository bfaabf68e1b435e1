"""Messages in the format of strace 6.13, compared with strace's output for the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.trace.strace.families import Family
from simkernel.trace.strace.messages import Decoder
from simkernel.trace.strace.quoting import c_string
from simkernel.trace.strace.specification import family_from
from simkernel.uapi.genetlink import GENL_ID_CTRL, GenlMsgHdr
from simkernel.uapi.netlink import NETLINK_GENERIC, NETLINK_USERSOCK, attribute, message, nested
from simkernel.ynl import parse
from tests.trace.records import NEWFAMILY

LINUX = {0x11: "VFS_DQUOT", 0x13: "thermal", 0x14: "netdev", 0x15: "ethtool", 0x16: "NLBL_MGMT"}
"""Generic netlink families, by id, of the Linux machine on which recorded.txt was made."""

RECORDED = [
    (int(protocol), bytes.fromhex(data.strip("-")), text)
    for protocol, data, text in (
        line.split(" ", 2) for line in Path(__file__).with_name("recorded.txt").read_text().splitlines()
    )
]

DEVIATIONS = {
    "text": '"text"',
    "tex": '"tex"',
    "text\n\0\1": r'"text\n\0\1"',
    bytes.fromhex("38000000f401ffff0100000005000000").decode("latin-1") + "q" * 14: (
        r'"8\0\0\0\364\1\377\377\1\0\0\0\5\0\0\0qqqqqqqqqqqqqq"'
    ),
}
"""Datagrams of NETLINK_USERSOCK that are not netlink messages, and the strings that simkernel prints for
them. strace prints one of them as a netlink header, and the others in hexadecimal.
"""

SPECIFICATION = """
name: camera
doc: A camera.
definitions:
  - {type: enum, name: pixel-format, entries: [grey, yuyv]}
  - {type: flags, name: state, entries: [streaming, full]}
attribute-sets:
  - name: camera
    attributes:
      - {name: format, type: u32, enum: pixel-format}
      - {name: state, type: u8, enum: state}
      - {name: name, type: string}
      - {name: size, type: nest, nested-attributes: size}
  - name: size
    attributes:
      - {name: width, type: u32}
operations:
  list:
    - name: set-format
      doc: Set the format.
      attribute-set: camera
      do: {request: {attributes: [format, size]}}
    - name: get-size
      doc: Ask for the size.
      attribute-set: size
      do: {reply: {attributes: [width]}}
"""


def family(id: int, name: str) -> bytes:
    return message(
        GENL_ID_CTRL,
        GenlMsgHdr(1).pack() + attribute(2, name.encode() + b"\0") + attribute(1, id.to_bytes(2, "little")),
    )


@pytest.mark.parametrize(("protocol", "data", "expected"), RECORDED)
def test_messages_are_printed_as_strace_prints_them(protocol: int, data: bytes, expected: str) -> None:
    decoder = Decoder()
    for id, name in LINUX.items():
        decoder.learn(family(id, name))
    text = data.decode("latin-1") if protocol == NETLINK_USERSOCK else ""
    assert decoder.datagram(protocol, data) == DEVIATIONS.get(text, expected)


@pytest.mark.parametrize(
    "data",
    [
        b"is anybody there?",
        b"hello, this is a text of more than sixteen bytes",
        bytes(64),
        (5).to_bytes(4, "little") * 16,
        (64).to_bytes(8, "little") * 8,
        message(0x10, b"a message") + b"and a text after it",
    ],
)
def test_a_user_datagram_that_is_no_message_is_printed_as_a_string(data: bytes) -> None:
    assert Decoder().datagram(NETLINK_USERSOCK, data) == c_string(data)


@given(st.text(min_size=1).map(str.encode))
def test_a_user_datagram_of_text_is_not_printed_as_a_header(data: bytes) -> None:
    assert "nlmsg_len" not in Decoder().datagram(NETLINK_USERSOCK, data)


@given(st.lists(st.tuples(st.sampled_from([1, 2, 3, 4, 0x10, 0xFFFF]), st.binary(max_size=40)), min_size=1))
def test_each_message_in_a_user_datagram_is_printed_with_its_header(
    messages: list[tuple[int, bytes]],
) -> None:
    data = b"".join(message(*each) for each in messages)
    printed = Decoder().datagram(NETLINK_USERSOCK, data)
    assert printed.startswith(("{nlmsg_len=", "[{nlmsg_len=", "[[{nlmsg_len="))


@given(st.sampled_from([0, 2, 15, 16, 31, None]), st.binary(max_size=120))
def test_any_bytes_can_be_printed(protocol: int | None, data: bytes) -> None:
    decoder = Decoder()
    decoder.learn(data)
    assert decoder.datagram(protocol, data).isprintable()


@given(st.binary(max_size=100), st.integers(0, 0xFFFF), st.integers(0, 0x3FF))
def test_any_message_can_be_printed(payload: bytes, kind: int, flags: int) -> None:
    decoder = Decoder(lambda name: family_from(parse(SPECIFICATION, "camera.yaml")))
    decoder.learn(NEWFAMILY)
    for type in (kind, 2, 3, 0x10, 0x1C):
        assert decoder.datagram(NETLINK_GENERIC, message(type, payload, flags=flags)).isprintable()


def test_a_specification_gives_the_names_that_c_would_have() -> None:
    decoder = Decoder(lambda name: family_from(parse(SPECIFICATION, "camera.yaml")))
    decoder.learn(NEWFAMILY)
    request = message(
        0x1C,
        GenlMsgHdr(1).pack()
        + attribute(1, b"\1\0\0\0")
        + attribute(2, b"\5")
        + attribute(3, b"hi\0")
        + nested(4, attribute(1, b"\x80\2\0\0"))
        + attribute(9, b"?"),
    )
    printed = decoder.datagram(NETLINK_GENERIC, request)
    assert printed.partition("}, ")[2] == (
        "{cmd=CAMERA_CMD_SET_FORMAT, version=1}, ["
        "[{nla_len=8, nla_type=CAMERA_A_FORMAT}, CAMERA_PIXEL_FORMAT_YUYV], "
        "[{nla_len=5, nla_type=CAMERA_A_STATE}, CAMERA_STATE_STREAMING|0x4], "
        '[{nla_len=7, nla_type=CAMERA_A_NAME}, "hi"], '
        "[{nla_len=12, nla_type=NLA_F_NESTED|CAMERA_A_SIZE}, "
        "[{nla_len=8, nla_type=CAMERA_A_SIZE_WIDTH}, 640]], "
        '[{nla_len=5, nla_type=0x9 /* CAMERA_A_??? */}, "\\x3f"]]]'
    )


def test_attributes_are_those_of_the_command_s_set() -> None:
    decoder = Decoder(lambda name: family_from(parse(SPECIFICATION, "camera.yaml")))
    decoder.learn(NEWFAMILY)
    printed = decoder.datagram(
        NETLINK_GENERIC, message(0x1C, GenlMsgHdr(2).pack() + attribute(1, b"\1\0\0\0"))
    )
    assert printed.endswith(
        "{cmd=CAMERA_CMD_GET_SIZE, version=1}, [{nla_len=8, nla_type=CAMERA_A_SIZE_WIDTH}, 1]]"
    )


def test_the_operations_that_nlctrl_lists_have_their_own_family_s_names() -> None:
    decoder = Decoder(lambda name: Family(name, {1: "CAMERA_CMD_SET_FORMAT"}, unknown="CAMERA_CMD"))
    operation = nested(6, nested(1, attribute(1, b"\1\0\0\0")))
    printed = decoder.datagram(NETLINK_GENERIC, NEWFAMILY[:16] + NEWFAMILY[16:] + operation)
    told = message(GENL_ID_CTRL, NEWFAMILY[16:] + operation)
    assert "CTRL_ATTR_OP_ID}, CAMERA_CMD_SET_FORMAT" in decoder.datagram(NETLINK_GENERIC, told)
    assert "CTRL_CMD_NEWFAMILY" in printed
