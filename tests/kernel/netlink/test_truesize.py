"""Memory charged for a buffer, in bytes. The expected values are those of SO_MEMINFO on Linux 6.18."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.kernel.net.truesize import GOODSIZE, allot, truesize, user_truesize
from simkernel.uapi.errno import ENOBUFS


@pytest.mark.parametrize(
    ("length", "unicast", "multicast"),
    [
        (1, 832, 832),
        (256, 832, 832),
        (257, 1280, 1280),
        (704, 1280, 1280),
        (705, 2304, 2304),
        (1728, 2304, 2304),
        (1729, 4352, 4352),
        (3776, 4352, 4352),
        (3777, 4416, 8448),
        (7872, 8512 - 64, 8448),
        (7873, 8512, 16640),
        (60000, 60608, 65792),
    ],
)
def test_of_a_program(length: int, unicast: int, multicast: int) -> None:
    assert user_truesize(length, False) == unicast
    assert user_truesize(length, True) == multicast


@pytest.mark.parametrize(("length", "expected"), [(16, 832), (1600, 2304), (1601, 4352), (3776, 4352)])
def test_of_the_kernel_a_buffer_that_is_half_empty_is_cut(length: int, expected: int) -> None:
    """`netlink_trim()` shrinks a buffer that the kernel has allocated for a message, if its unused part is at
    least half of its truesize.
    """
    assert truesize(GOODSIZE, length) == expected


@given(st.integers(1, 4_000_000))
def test_a_buffer_has_the_requested_size(size: int) -> None:
    room, cost = allot(size)
    assert room >= size
    assert cost == room + 576


def test_no_piece_of_memory_is_larger_than_four_megabytes() -> None:
    allot(4 * 2**20 - 320)
    with pytest.raises(OSError) as refused:
        allot(4 * 2**20 - 319)
    assert refused.value.errno == ENOBUFS
