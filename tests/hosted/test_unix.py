"""Unix sockets of hosted programs, used directly and through asyncio."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from simkernel import Machine
from simkernel.hosted import hosted

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="hosted programs need Python on Linux")

PROGRAM = """
import asyncio, os, socket

async def ask(question, where):
    async def answer(reader, writer):
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(answer, where)
    reader, writer = await asyncio.open_unix_connection(where)
    writer.write(question)
    said = await reader.readline()
    writer.close()
    server.close()
    return said
"""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A program that uses unix sockets, hosted on a machine."""
    (tmp_path / "speaker.py").write_text(PROGRAM)
    monkeypatch.syspath_prepend(tmp_path)
    with Machine() as machine, hosted(machine, "speaker") as host:
        yield host


@pytest.mark.parametrize("where", ["/tmp/simkernel-door", b"\0simkernel-door"])
def test_server_and_client_exchange_data(host: Any, where: str | bytes) -> None:
    speaker = host.import_module("speaker")
    assert asyncio.run(speaker.ask(b"hello\n", where)) == b"HELLO\n"
    if isinstance(where, str):
        assert host.os.listdir("/tmp") == ["simkernel-door"]
        assert not os.path.exists(where), "it is the machine's, not this host's"
        assert asyncio.run(speaker.ask(b"again\n", where)) == b"AGAIN\n"


def test_plain_sockets_exchange_data(host: Any) -> None:
    one, other = host.socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    reading, writing = host.os.pipe()
    one.sendmsg([b"take"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [writing]))])
    data, control, _, _ = other.recvmsg(10, 100)
    (fd,) = array("i", control[0][2])
    host.os.write(fd, b"hello")
    assert (data, host.os.read(reading, 10)) == (b"take", b"hello")
    server = host.socket.socket(socket.AF_UNIX)
    server.bind("/tmp/door")
    server.listen()
    client = host.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.connect("/tmp/door")
    connection, address = server.accept()
    assert isinstance(connection, host.socket.socket) and address == ""
    connection.sendall(b"welcome")
    assert host.socket.fromfd(client.fileno(), socket.AF_UNIX, socket.SOCK_STREAM).recv(10) == b"welcome"


async def _datagrams(loop: Any) -> None:
    await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (lambda loop: loop.create_connection(asyncio.Protocol, "localhost", 80), OSError),
        (lambda loop: loop.create_server(asyncio.Protocol, "localhost", 0), OSError),
        (_datagrams, OSError),
        (lambda loop: loop.getaddrinfo("localhost", 80), OSError),
        (lambda loop: loop.subprocess_exec(asyncio.SubprocessProtocol, "true"), OSError),
    ],
)
def test_host_is_not_accessed(host: Any, ask: Callable[[Any], Any], error: type[Exception]) -> None:
    async def program() -> None:
        await ask(asyncio.get_running_loop())

    with pytest.raises(error):
        asyncio.run(program())


def test_add_signal_handler_is_refused(host: Any) -> None:
    async def program() -> None:
        asyncio.get_running_loop().add_signal_handler(10, print)

    with pytest.raises(NotImplementedError):
        asyncio.run(program())
