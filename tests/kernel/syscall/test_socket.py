"""Socket calls on descriptors of all kinds."""

from __future__ import annotations

import pytest

from simkernel import Machine
from simkernel.uapi.errno import EBADF, ENOTSOCK
from simkernel.uapi.netlink import NETLINK_USERSOCK
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW

SOCKET, EVENT = 3, 4


@pytest.mark.parametrize(
    ("fd", "errno"), [*((fd, EBADF) for fd in (-1, -2, -9999, 0, 5, 9999)), (EVENT, ENOTSOCK)]
)
def test_inline_lookup_matches_file_table(fd: int, errno: int) -> None:
    """sendto(2) and recvfrom(2) look up their descriptor inline, getsockname(2) calls `FileTable.get`."""
    with Machine(udev=False) as machine:
        process = machine.blocking()
        app = process.app
        assert process.run(app.call("socket", AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)) == SOCKET
        assert process.run(app.call("eventfd2", 0, 0)) == EVENT
        for name, arguments in (("getsockname", ()), ("recvfrom", (1,)), ("sendto", (b"x",))):
            with pytest.raises(OSError) as caught:
                process.run(app.call(name, fd, *arguments))
            assert caught.value.errno == errno
