"""SOCK_SEQPACKET: connections that keep the boundaries of records, and blocking calls on such connections.

The live search compares calls that do not block with the host's kernel (tests/conformance/live/programs).
"""

from __future__ import annotations

import errno
import socket
from array import array
from struct import pack, unpack
from typing import Any

import pytest

from simkernel import Machine, seconds
from simkernel.application.app import App
from simkernel.uapi.signal import SIG_DFL, SIGPIPE
from tests.kernel.refused import refused

UNIX, STREAM, DGRAM, SEQPACKET = socket.AF_UNIX, socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET


def test_server_echoes_records_until_end_of_file(machine: Machine) -> None:
    """Records keep their boundaries. An empty record is received, and is not an end of file."""
    said: list[Any] = []

    async def server(app: App) -> None:
        listener = await app.socket(UNIX, SEQPACKET)
        await listener.bind("/tmp/records")
        await listener.listen(1)
        connection, _ = await listener.accept()
        said.append(await connection.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE))
        for _ in range(4):
            data, _, flags, _ = await connection.recvmsg(3)
            said.append((data, flags))
        said.append(await connection.recv(100))

    async def client(app: App) -> None:
        await app.sleep(1)
        sock = await app.socket(UNIX, SEQPACKET)
        await sock.connect("/tmp/records")
        for record in (b"one", b"four", b"", b"x"):
            await sock.send(record, socket.MSG_EOR)
            await app.sleep(0.1)

    machine.spawn(server)
    machine.spawn(client)
    machine.run(until=seconds(3))
    assert said == [SEQPACKET, (b"one", 0), (b"fou", socket.MSG_TRUNC), (b"", 0), (b"x", 0), b""]


def test_sender_waits_for_its_send_buffer(machine: Machine) -> None:
    """A connection's records are bounded only by SO_SNDBUF, not by a queue length."""
    times: list[int] = []

    async def program(app: App) -> None:
        one, other = await app.socketpair(UNIX, SEQPACKET)
        fd = other.fileno()

        async def reader(app: App) -> None:
            await app.sleep(1)
            while await app.read(fd, 1000):
                pass

        await app.thread(reader)
        for number in range(200):
            assert await one.send(bytes([number]) * 1000) == 1000
            times.append(app.monotonic_ns())

    machine.spawn(program)
    machine.run(until=seconds(3))
    assert (sum(time < seconds(1) for time in times), len(times)) == (93, 200), "as many fit on Linux 6.18"


def test_refused_calls_have_linux_errnos(machine: Machine) -> None:
    process = machine.blocking()
    made = [process.socket(UNIX, kind | socket.SOCK_NONBLOCK) for kind in (SEQPACKET, SEQPACKET, STREAM)]
    sock, listener, stream = made
    assert refused(lambda: sock.listen(1)) == "EINVAL", "no name"
    assert refused(lambda: sock.send(b"x")) == "ENOTCONN"
    assert refused(lambda: sock.recv(1)) == "ENOTCONN"
    assert refused(lambda: sock.accept()) == "EINVAL"
    listener.bind("/tmp/records")
    assert refused(lambda: sock.connect("/tmp/records")) == "ECONNREFUSED", "it does not listen"
    listener.listen(0)
    assert refused(lambda: stream.connect("/tmp/records")) == "EPROTOTYPE"
    sock.connect("/tmp/records")
    assert refused(lambda: sock.connect("/tmp/records")) == "EAGAIN", "the queue is full"
    accepted, _ = listener.accept()
    assert refused(lambda: sock.connect("/tmp/records")) == "EISCONN"
    assert sock.sendto(b"x", "/tmp/nothing") == 1, "the address is ignored"
    assert refused(lambda: sock.send(bytes(300_000))) == "EMSGSIZE"
    assert refused(lambda: sock.send(b"x", socket.MSG_OOB)) == "ENOTSUP", "which is EOPNOTSUPP"
    accepted.close()
    assert refused(lambda: sock.send(b"x")) == "ECONNRESET", "a record was not read"
    assert refused(lambda: sock.send(b"x")) == "EPIPE"
    assert sock.recv(1) == b"", "the end of file, though it is non-blocking"


def test_broken_pipe_is_no_signal(machine: Machine) -> None:
    """A send to a closed peer fails with EPIPE. A stream would also send SIGPIPE to the program, but
    `unix_dgram_sendmsg()` sends no signal.
    """
    said: list[int | None] = []

    async def program(app: App) -> None:
        await app.signal(SIGPIPE, SIG_DFL)
        one, other = await app.socketpair(UNIX, SEQPACKET)
        await other.close()
        try:
            await one.send(b"x")
        except BrokenPipeError as error:
            said.append(error.errno)

    machine.spawn(program)
    machine.run(until=seconds(1))
    assert said == [errno.EPIPE]


def test_record_carries_files_and_credentials(machine: Machine) -> None:
    process = machine.blocking()
    one, other = process.socketpair(UNIX, SEQPACKET)
    other.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    reading, writing = process.pipe()
    one.sendmsg([b"take ", b"this"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [writing]))])
    data, control, flags, _ = other.recvmsg(100, 100)
    assert (data, flags, [kind for _, kind, _ in control]) == (b"take this", 0, [2, socket.SCM_RIGHTS])
    assert unpack("iII", control[0][2]) == (process.getpid(), 0, 0)
    process.write(unpack("i", control[1][2])[0], b"through it")
    assert process.read(reading, 100) == b"through it"


def test_sockets_are_listed_with_their_type(machine: Machine) -> None:
    process = machine.blocking()
    listener, client = (process.socket(UNIX, SEQPACKET) for _ in range(2))
    listener.bind("/tmp/records")
    listener.listen(1)
    client.connect("/tmp/records")
    lines = process.read_file("/proc/net/unix").decode().splitlines()[1:]
    columns = [line.split()[1:] for line in lines]
    assert [[each[1], *each[3:5], *each[6:]] for each in columns] == [
        ["00000000", "0005", "01", "/tmp/records"],
        ["00000000", "0005", "03"],
        ["00000000", "0005", "02", "/tmp/records"],
    ]
    assert columns[0][2] == "00010000"


def test_queued_bytes_are_those_of_all_records(machine: Machine) -> None:
    process = machine.blocking()
    for kind, queued in ((SEQPACKET, 5), (DGRAM, 2)):
        one, other = process.socketpair(UNIX, kind)
        one.send(b"ab")
        one.send(b"cde")
        assert unpack("i", process.ioctl(other, 0x541B, bytes(4)))[0] == queued, "SIOCINQ"


def test_connection_that_is_not_accepted_is_reset(machine: Machine) -> None:
    process = machine.blocking()
    listener, client = (process.socket(UNIX, SEQPACKET) for _ in range(2))
    listener.bind(b"\0records")
    listener.listen(1)
    client.connect(b"\0records")
    listener.close()
    assert process.poll([(client, 0x7FFF)], 0) == [(client.descriptor, 9053)]
    assert refused(lambda: client.recv(1)) == "ECONNRESET"
    assert client.recv(1) == b""


@pytest.mark.parametrize(("unread", "expected"), [([b"x"], 9053), ([b""], 9045), ([b"", b""], 9053)])
def test_unread_records_are_a_reset_but_one_empty_record(
    machine: Machine, unread: list[bytes], expected: int
) -> None:
    """If the first unread buffer of the closed socket has no bytes, `unix_release_sock()` ignores it. Such a
    buffer can remain after an out-of-band byte.
    """
    process = machine.blocking()
    one, other = process.socketpair(UNIX, SEQPACKET)
    for record in unread:
        one.send(record)
    other.close()
    assert process.poll([(one, 0x7FFF)], 0) == [(one.descriptor, expected)]


def test_sender_before_accept_has_credentials(machine: Machine) -> None:
    """A client sends before the server accepts. `maybe_add_creds()` adds the client's credentials, because
    the accepted socket may set SO_PASSCRED later.
    """
    process = machine.blocking()
    for kind in (STREAM, SEQPACKET):
        listener, client = (process.socket(UNIX, kind) for _ in range(2))
        listener.bind(b"\0records")
        listener.listen(1)
        client.connect(b"\0records")
        client.send(b"x")
        accepted, _ = listener.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        assert accepted.recvmsg(1, 100)[1] == [(1, 2, pack("iII", process.getpid(), 0, 0))]
        listener.close()
