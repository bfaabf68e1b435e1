"""Socket filters in classic BPF: arithmetic, loads, jumps, netlink attributes, and filters that the kernel
refuses.
"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.kernel.net.filter import Filter
from simkernel.kernel.net.filter_check import CODES
from simkernel.uapi import filter as bpf
from simkernel.uapi.errno import EINVAL
from simkernel.uapi.filter import SockFilter
from simkernel.uapi.netlink import NLA_F_NESTED, attribute

ACCEPT = SockFilter(bpf.BPF_RET | bpf.BPF_K, k=0xFFFFFFFF)
RETURN_A = SockFilter(bpf.BPF_RET | bpf.BPF_A)
LOAD_WORD = bpf.BPF_LD | bpf.BPF_W | bpf.BPF_ABS
LOAD_BYTE = bpf.BPF_LD | bpf.BPF_B | bpf.BPF_ABS
LOAD_VALUE = bpf.BPF_LD | bpf.BPF_IMM
LOAD_X = bpf.BPF_LDX | bpf.BPF_IMM


def program(*instructions: SockFilter) -> Filter:
    return Filter(b"".join(each.pack() for each in instructions), Random(0))


def computed(*instructions: SockFilter, data: bytes = b"") -> int:
    """Return the accumulator at the end of a filter."""
    return program(*instructions, RETURN_A).run(data)


@pytest.mark.parametrize(
    ("operation", "a", "b", "result"),
    [
        (bpf.BPF_ADD, 0xFFFFFFFF, 2, 1),
        (bpf.BPF_SUB, 1, 2, 0xFFFFFFFF),
        (bpf.BPF_MUL, 0x80000000, 2, 0),
        (bpf.BPF_DIV, 7, 2, 3),
        (bpf.BPF_MOD, 7, 4, 3),
        (bpf.BPF_OR, 5, 2, 7),
        (bpf.BPF_AND, 6, 3, 2),
        (bpf.BPF_XOR, 6, 3, 5),
        (bpf.BPF_LSH, 1, 31, 0x80000000),
        (bpf.BPF_RSH, 0x80000000, 31, 1),
    ],
)
def test_arithmetic_has_32_bits(operation: int, a: int, b: int, result: int) -> None:
    assert computed(SockFilter(LOAD_VALUE, k=a), SockFilter(bpf.BPF_ALU | operation, k=b)) == result
    by_x = SockFilter(bpf.BPF_ALU | operation | bpf.BPF_X)
    assert computed(SockFilter(LOAD_VALUE, k=a), SockFilter(LOAD_X, k=b), by_x) == result


def test_dividing_by_nothing_drops() -> None:
    divide = SockFilter(bpf.BPF_ALU | bpf.BPF_DIV | bpf.BPF_X)
    assert program(SockFilter(LOAD_VALUE, k=1), divide, ACCEPT).run(b"x") == 0


def test_loads_are_big_endian_and_a_load_beyond_the_end_drops() -> None:
    assert computed(SockFilter(LOAD_WORD, k=1), data=b"\0\1\2\3\4") == 0x01020304
    assert program(SockFilter(LOAD_WORD, k=2), ACCEPT).run(b"\0\1\2\3\4") == 0
    assert computed(SockFilter(LOAD_BYTE, k=bpf.SKF_NET_OFF & 0xFFFFFFFF), data=b"\7") == 7
    assert program(SockFilter(LOAD_BYTE, k=bpf.SKF_LL_OFF & 0xFFFFFFFF), ACCEPT).run(b"\7") == 0


def test_jumps() -> None:
    """This filter comes from udev. It accepts only messages that begin with "libu"."""
    udev = program(
        SockFilter(LOAD_WORD, k=0),
        SockFilter(bpf.BPF_JMP | bpf.BPF_JEQ | bpf.BPF_K, jt=0, jf=1, k=0x6C696275),
        ACCEPT,
        SockFilter(bpf.BPF_RET | bpf.BPF_K, k=0),
    )
    assert (udev.run(b"libudev\0"), udev.run(b"add@/x\0\0")) == (0xFFFFFFFF, 0)


def test_attributes_are_found_outside_and_inside() -> None:
    data = attribute(1, b"abcd") + attribute(2 | NLA_F_NESTED, attribute(3, b"x"))
    outside = SockFilter(LOAD_WORD, k=(bpf.SKF_AD_OFF + bpf.SKF_AD_NLATTR) & 0xFFFFFFFF)
    inside = SockFilter(LOAD_WORD, k=(bpf.SKF_AD_OFF + bpf.SKF_AD_NLATTR_NEST) & 0xFFFFFFFF)
    assert computed(SockFilter(LOAD_VALUE, k=0), SockFilter(LOAD_X, k=2), outside, data=data) == 8
    assert computed(SockFilter(LOAD_VALUE, k=8), SockFilter(LOAD_X, k=3), inside, data=data) == 12
    assert computed(SockFilter(LOAD_VALUE, k=0), SockFilter(LOAD_X, k=9), outside, data=data) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        [SockFilter(LOAD_VALUE)],
        [SockFilter(0x77), ACCEPT],
        [SockFilter(bpf.BPF_ALU | bpf.BPF_DIV, k=0), ACCEPT],
        [SockFilter(bpf.BPF_ALU | bpf.BPF_LSH, k=32), ACCEPT],
        [SockFilter(bpf.BPF_JMP | bpf.BPF_JA, k=1), ACCEPT],
        [SockFilter(bpf.BPF_JMP | bpf.BPF_JEQ, jt=0, jf=1), ACCEPT],
        [SockFilter(bpf.BPF_ST, k=16), ACCEPT],
        [SockFilter(bpf.BPF_LD | bpf.BPF_MEM, k=0), ACCEPT],
        [SockFilter(LOAD_WORD, k=(bpf.SKF_AD_OFF + 2) & 0xFFFFFFFF), ACCEPT],
        [ACCEPT] * 4097,
    ],
)
def test_unsafe_arguments_are_refused(wrong: list[SockFilter]) -> None:
    with pytest.raises(OSError) as refused:
        program(*wrong)
    assert refused.value.errno == EINVAL


def test_memory_must_be_written_on_every_way_to_it() -> None:
    branch = SockFilter(bpf.BPF_JMP | bpf.BPF_JEQ | bpf.BPF_K, jt=1, jf=0)
    load = SockFilter(bpf.BPF_LD | bpf.BPF_MEM, k=0)
    with pytest.raises(OSError):
        program(branch, SockFilter(bpf.BPF_ST, k=0), load, ACCEPT)
    program(SockFilter(bpf.BPF_ST, k=0), branch, SockFilter(LOAD_VALUE), load, ACCEPT)


INSTRUCTIONS = st.builds(
    SockFilter,
    st.one_of(st.sampled_from(sorted(CODES)), st.integers(0, 0xFFFF)),
    st.integers(0, 4),
    st.integers(0, 4),
    st.one_of(st.integers(0, 40), st.integers(0xFFFFF000, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF)),
)


@given(st.lists(INSTRUCTIONS, max_size=12), st.binary(max_size=60))
def test_every_accepted_filter_ends(instructions: list[SockFilter], data: bytes) -> None:
    """Every filter that the checker accepts ends within a bounded number of instructions."""
    try:
        accepted = program(*instructions, RETURN_A)
    except OSError as error:
        assert error.errno == EINVAL
        return
    assert 0 <= accepted.run(data) <= 0xFFFFFFFF
