"""Request numbers of ioctl(2): encoded and decoded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.uapi import ioctl


@given(st.integers(0, 3), st.integers(0, 255), st.integers(0, 255), st.integers(0, 0x3FFF))
def test_the_parts_come_back_from_the_number(direction: int, type: int, number: int, size: int) -> None:
    request = ioctl._IOC(direction, type, number, size)
    assert 0 <= request < 1 << 32
    parts = (
        ioctl._IOC_DIR(request),
        ioctl._IOC_TYPE(request),
        ioctl._IOC_NR(request),
        ioctl._IOC_SIZE(request),
    )
    assert parts == (direction, type, number, size)


def test_well_known_request_numbers() -> None:
    """EVIOCGRAB, EVIOCGID, VIDIOC_DQBUF and BLKRRPART, as in Linux's headers on x86-64."""
    assert ioctl._IOW("E", 0x90, 4) == 0x40044590
    assert ioctl._IOR("E", 0x02, 8) == 0x80084502
    assert ioctl._IOWR("V", 17, 88) == 0xC0585611
    assert ioctl._IO(0x12, 95) == 0x125F


def test_an_argument_that_is_too_long() -> None:
    with pytest.raises(ValueError, match="use at most 16383 bytes"):
        ioctl._IOR("E", 1, 1 << 14)
