"""A program's socket converts arguments as `socket.socket` does. These tests need no netlink on the host."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.application import arguments

BILLION = 10**9


@given(st.floats(0, 9e9) | st.integers(0, 9 * BILLION))
def test_a_timeout_is_rounded_up_as_python_does(seconds: float) -> None:
    made = arguments.timeout(seconds)
    assert made == math.ceil(seconds * BILLION)
    assert made >= Fraction(seconds) * BILLION * (1 - Fraction(1, 2**52))


@given(st.floats(max_value=0, exclude_max=True, allow_infinity=False) | st.integers(-9 * BILLION, -1))
def test_a_timeout_is_not_negative(seconds: float) -> None:
    with pytest.raises((ValueError, OverflowError)):
        arguments.timeout(seconds)


@given(st.integers())
def test_a_c_int_has_32_bits(value: int) -> None:
    if -(2**31) <= value < 2**31:
        assert arguments.c_int(value) == value
        assert arguments.option_as_int(arguments.option(value)) == value
    else:
        with pytest.raises(OverflowError):
            arguments.c_int(value)
        with pytest.raises(TypeError):
            arguments.option(value)


@given(st.integers(), st.integers())
def test_an_address_is_taken_modulo_2_to_the_32(portid: int, groups: int) -> None:
    assert arguments.netlink_address((portid, groups), "bind") == (portid % 2**32, groups % 2**32)


@given(st.binary(max_size=20))
def test_the_same_bytes_in_any_wrapping(data: bytes) -> None:
    for wrapped in (data, bytearray(data), memoryview(data)):
        assert arguments.data(wrapped) == data
        assert arguments.option(wrapped) == data


@given(st.binary(max_size=3))
def test_a_short_option_is_filled_up_with_zeros(value: bytes) -> None:
    assert arguments.option_as_int(value) == int.from_bytes(value, "little")


@pytest.mark.parametrize("wrong", [None, 1, "text", [1], 1.5])
def test_an_object_without_bytes_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError):
        arguments.data(wrong)
    with pytest.raises(TypeError):
        arguments.writable(wrong, "recv_into")


def test_a_size_says_what_is_wrong_with_it() -> None:
    with pytest.raises(ValueError, match="negative buffersize in recv"):
        arguments.size(-1, "negative buffersize in recv")
    with pytest.raises(ValueError, match="invalid ancillary data"):
        arguments.control_size(2**31)
    with pytest.raises(OverflowError):
        arguments.size(2**63, "")
