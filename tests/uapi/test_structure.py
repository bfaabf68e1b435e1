"""Every fixed structure packs and unpacks by the same rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.uapi.netlink import NlAttr, NlMsgHdr, SockaddrNl
from simkernel.uapi.structure import Malformed, Structure
from tests.uapi.strategies import KINDS, STRUCTURES, structures


@given(st.sampled_from(STRUCTURES).flatmap(structures), st.sampled_from(KINDS), st.binary(max_size=9))
def test_an_object_comes_back_from_its_bytes_wherever_they_begin(thing, kind, before):
    data = thing.pack()
    assert len(data) == thing.SIZE
    assert type(thing).unpack(kind(before + data + b"after"), len(before)) == thing


@given(st.data(), st.sampled_from(STRUCTURES))
def test_bytes_come_back_from_their_object(data, cls):
    raw = data.draw(st.binary(min_size=cls.SIZE, max_size=cls.SIZE))
    again = cls.unpack(raw).pack()
    assert again == raw or "x" in cls.LAYOUT.format
    assert cls.unpack(again) == cls.unpack(raw)


@given(st.sampled_from(STRUCTURES), st.binary(max_size=24), st.integers(0, 30))
def test_too_few_bytes_raise_malformed_only(cls, data, offset):
    if len(data) - offset >= cls.SIZE:
        cls.unpack(data, offset)
        return
    with pytest.raises(Malformed) as caught:
        cls.unpack(data, offset)
    assert f"offset {offset}: expected {cls.SIZE} bytes" in str(caught.value)


def test_the_wire_is_little_endian():
    assert NlMsgHdr(0x10, 2, 3, 4, 0x01020304).pack().hex() == "10000000020003000400000004030201"
    assert SockaddrNl(pid=1, groups=2).pack().hex() == "100000000100000002000000"


def test_an_error_names_the_place_and_the_cause():
    with pytest.raises(Malformed, match=r"^NlAttr at offset 6: expected 4 bytes, found 2$"):
        NlAttr.unpack(bytes(8), 6)


@pytest.mark.parametrize("cls", STRUCTURES)
def test_structures_are_small_values(cls: type[Structure]):
    first, second = cls.unpack(bytes(cls.SIZE)), cls.unpack(bytes(cls.SIZE))
    assert first == second
    assert hash(first) == hash(second)
    assert not hasattr(first, "__dict__")
    with pytest.raises(AttributeError):
        first.length = 1
