"""Calls on unix sockets in strace's format."""

from __future__ import annotations

import io

import pytest

from simkernel import Machine
from simkernel.application.app import App
from simkernel.engine import Record
from simkernel.trace.strace import Strace
from simkernel.uapi.socket import AF_UNIX, SOCK_DGRAM, SOCK_STREAM
from tests.trace.strace.test_strace import call, printed

PATH = b"\1\0/tmp/a\0"
ABSTRACT = b"\1\0\0abs"
UNNAMED = b"\1\0"
RIGHTS = (1, 1, (7).to_bytes(4, "little"))
CREDENTIALS = (1, 2, b"".join(number.to_bytes(4, "little") for number in (12, 1000, 100)))

LINES: list[tuple[list[Record], str]] = [
    (call("socket", 1, 0x80002, 0, result=3), "socket(AF_UNIX, SOCK_DGRAM|SOCK_CLOEXEC, 0) = 3"),
    (call("bind", 3, PATH, result=None), 'bind(3, {sa_family=AF_UNIX, sun_path="/tmp/a"}, 9) = 0'),
    (call("bind", 4, ABSTRACT, result=None), 'bind(4, {sa_family=AF_UNIX, sun_path=@"abs"}, 6) = 0'),
    (
        call("getsockname", 5, result=UNNAMED),
        "getsockname(5, {sa_family=AF_UNIX}, [110 => 2]) = 0",
    ),
    (
        call("getpeername", 9, result=PATH),
        'getpeername(9, {sa_family=AF_UNIX, sun_path="/tmp/a"}, [110 => 9]) = 0',
    ),
    (call("socketpair", 1, 1, 0, result=(5, 6)), "socketpair(AF_UNIX, SOCK_STREAM, 0, [5, 6]) = 0"),
    (
        call("accept4", 8, 0x80000, result=(11, UNNAMED)),
        "accept4(8, {sa_family=AF_UNIX}, [110 => 2], SOCK_CLOEXEC) = 11",
    ),
    (call("listen", 8, 3, result=None), "listen(8, 3)                      = 0"),
    (call("shutdown", 5, 1, result=None), "shutdown(5, SHUT_WR)              = 0"),
    (
        call("sendmsg", 5, b"f", (RIGHTS,), 0, result=1),
        r'sendmsg(5, {msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base="\x66", iov_len=1}], msg_iovlen=1, '
        "msg_control=[{cmsg_len=20, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[7]}], "
        "msg_controllen=24, msg_flags=0}, 0) = 1",
    ),
    (
        call("sendmsg", 5, b"f", (CREDENTIALS,), 0, result=1),
        r'sendmsg(5, {msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base="\x66", iov_len=1}], msg_iovlen=1, '
        "msg_control=[{cmsg_len=28, cmsg_level=SOL_SOCKET, cmsg_type=SCM_CREDENTIALS, "
        "cmsg_data={pid=12, uid=1000, gid=100}}], msg_controllen=32, msg_flags=0}, 0) = 1",
    ),
    (
        call("recvfrom", 3, 100, 0, result=(b"", 0, [], 0, ABSTRACT)),
        'recvfrom(3, "", 100, 0, {sa_family=AF_UNIX, sun_path=@"abs"}, [110 => 6]) = 0',
    ),
]  # fmt: skip
"""Output of strace 6.13 on Linux, for a socket that was opened before the trace."""


@pytest.mark.parametrize(("records", "line"), LINES)
def test_a_call_is_a_line_of_strace(records: list[Record], line: str) -> None:
    assert printed(records) == [f"7     {line}"]


def test_data_of_unix_sockets_are_texts() -> None:
    out = io.StringIO()

    async def program(app: App) -> None:
        one, other = await app.socketpair(AF_UNIX, SOCK_STREAM)
        await one.send(b"hello\n")
        await other.recv(10)
        datagrams = await app.socket(AF_UNIX, SOCK_DGRAM)
        await datagrams.bind("/tmp/a")
        await one.close()
        await (await app.socket(AF_UNIX, SOCK_DGRAM)).sendto(b"hi", "/tmp/a")
        await datagrams.recvfrom(100)

    with Machine(udev=False) as machine:
        machine.trace.subscribe(Strace(out))
        machine.spawn(program)
        machine.run()
    lines = [line.split(maxsplit=1)[1] for line in out.getvalue().splitlines()]
    assert 'sendto(3, "hello\\n", 6, 0, NULL, 0) = 6' in lines
    assert 'recvfrom(4, "hello\\n", 10, 0, NULL, [110 => 0]) = 6' in lines
    assert 'sendto(3, "hi", 2, 0, {sa_family=AF_UNIX, sun_path="/tmp/a"}, 9) = 2' in lines
    assert 'recvfrom(5, "hi", 100, 0, NULL, [110 => 0]) = 2' in lines
