"""A receive into several buffers fills them in order, and writes nothing outside of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel import Machine
from simkernel.application.received import scatter
from simkernel.uapi.netlink import NETLINK_USERSOCK
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW


@given(st.binary(max_size=30), st.lists(st.integers(0, 12), max_size=5))
def test_buffers_are_filled_one_after_the_other(data: bytes, sizes: list[int]) -> None:
    buffers = [bytearray(b"." * size) for size in sizes]
    scatter(data, map(memoryview, buffers))
    room = sum(sizes)
    assert b"".join(buffers) == data[:room].ljust(room, b".")
    assert list(map(len, buffers)) == sizes


@pytest.mark.parametrize("how", ["recvmsg_into", "readv"])
def test_a_message_goes_into_all_buffers(how: str) -> None:
    buffers = [bytearray(b"...") for _ in range(3)]
    seen: list[Any] = []

    async def program(app: Any) -> None:
        sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        await sock.bind((7, 0))
        await sock.sendto(b"message", (7, 0))
        if how == "readv":
            seen.append(await app.readv(sock.fileno(), buffers))
        else:
            length, *_ = await sock.recvmsg_into(buffers)
            seen.append(length)

    with Machine(udev=False) as machine:
        machine.spawn(program)
        machine.run()
    assert seen == [7]
    assert buffers == [b"mes", b"sag", b"e.."]
