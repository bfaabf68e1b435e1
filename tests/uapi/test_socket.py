"""Sizes of control messages with their headers, compared with the host's."""

from __future__ import annotations

import socket as host
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.uapi import socket


@pytest.mark.skipif(
    sys.platform != "linux" or sys.maxsize < 1 << 32, reason="compares with a 64-bit Linux host"
)
@given(st.integers(0, 1 << 20))
def test_sizes_are_those_of_the_host(length):
    assert socket.CMSG_LEN(length) == host.CMSG_LEN(length)
    assert socket.CMSG_SPACE(length) == host.CMSG_SPACE(length)


def test_credentials_take_32_bytes_of_control():
    assert socket.CmsgHdr.SIZE == socket.CMSG_HDRLEN == 16
    assert socket.Ucred.SIZE == 12
    assert socket.CMSG_LEN(12) == 28
    assert socket.CMSG_SPACE(12) == 32
