"""Unix sockets, and programs that block on them: names in the file system, permissions, and wake-ups.

The live search compares calls that do not block with the host's kernel (tests/conformance/live/programs).
"""

from __future__ import annotations

import os
import socket
from struct import pack, unpack

import pytest

from simkernel import Machine, millis, seconds
from simkernel.application.app import App
from tests.kernel.refused import refused

STREAM, DGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM
UNIX = socket.AF_UNIX
CREDENTIALS = 2
"""Linux's number of the control message SCM_CREDENTIALS."""
PEERGROUPS = 59
"""Linux's number of the socket option SO_PEERGROUPS."""


# -- names in the tree ---------------------------------------------------------------------------------


def test_a_name_is_a_node(machine: Machine) -> None:
    """bind(2) applies the umask. The node stays after the socket is closed."""
    user = machine.blocking(uid=1000)
    user.umask(0o027)
    sock = user.socket(UNIX, STREAM)
    sock.bind("/tmp/door")
    status = user.stat("/tmp/door")
    assert (oct(status.st_mode), status.st_uid) == ("0o140750", 1000)
    assert sock.getsockname() == "/tmp/door"
    assert refused(lambda: user.open("/tmp/door", os.O_RDWR)) == "ENXIO"
    sock.close()
    assert refused(lambda: user.socket(UNIX, STREAM).connect("/tmp/door")) == "ECONNREFUSED"
    assert refused(lambda: user.socket(UNIX, STREAM).bind("/tmp/door")) == "EADDRINUSE"
    user.unlink("/tmp/door")
    user.socket(UNIX, STREAM).bind("/tmp/door")


def test_write_permission_for_the_node_allows_connect(machine: Machine) -> None:
    owner, other, root = (machine.blocking(uid=uid) for uid in (1000, 1001, 0))
    server = owner.socket(UNIX, STREAM)
    server.bind("/tmp/door")
    server.listen(5)
    assert refused(lambda: other.socket(UNIX, STREAM).connect("/tmp/door")) == "EACCES"
    root.socket(UNIX, STREAM).connect("/tmp/door")
    owner.chmod("/tmp/door", 0o777)
    other.socket(UNIX, STREAM).connect("/tmp/door")


def test_other_forms_of_a_name(machine: Machine) -> None:
    process = machine.blocking(uid=1000)
    process.mkdir("/tmp/closed", 0o000)
    process.symlink("door", "/tmp/link")
    sock = process.socket(UNIX, DGRAM)
    sock.bind("/tmp/door")
    for path, name in {
        "/tmp/none": "ENOENT", "/tmp/door/more": "ENOTDIR", "/tmp/closed/x": "EACCES",
        "/dev/null": "ECONNREFUSED",
    }.items():  # fmt: skip
        assert refused(lambda path=path: process.socket(UNIX, DGRAM).connect(path)) == name
    process.socket(UNIX, DGRAM).connect("/tmp/link")
    assert refused(lambda: process.socket(UNIX, STREAM).connect("/tmp/door")) == "EPROTOTYPE"
    assert refused(lambda: sock.bind("/tmp/second")) == "EINVAL"
    assert "second" not in process.listdir("/tmp"), "made, and taken away again"
    assert refused(lambda: sock.bind("/tmp/door")) == "EADDRINUSE"
    process.chdir("/tmp")
    relative = process.socket(UNIX, DGRAM)
    relative.bind("here")
    assert relative.getsockname() == "here"
    process.rename("here", "there")
    process.socket(UNIX, DGRAM).connect("/tmp/there")


# -- waiting -------------------------------------------------------------------------------------------


def test_connecting_waits_while_the_queue_is_full(machine: Machine) -> None:
    """A backlog of 0 allows one pending connection."""
    done = []

    async def server(app: App) -> None:
        sock = await app.socket(UNIX, STREAM)
        await sock.bind("/tmp/door")
        await sock.listen(0)
        await app.sleep(1)
        for _ in range(3):
            connection, _ = await sock.accept()
            done.append(("accepted", await connection.recv(10)))

    async def client(app: App, number: int) -> None:
        await app.sleep(0.1 * number)
        sock = await app.socket(UNIX, STREAM)
        await sock.connect("/tmp/door")
        done.append((number, app.monotonic_ns() // millis(100)))
        await sock.send(b"%d" % number)

    machine.spawn(server)
    for number in (1, 2, 3):
        machine.spawn(lambda app, number=number: client(app, number))
    machine.run(until=seconds(3))
    assert [each for each in done if each[0] != "accepted"] == [(1, 1), (2, 10), (3, 10)]
    assert [each[1] for each in done if each[0] == "accepted"] == [b"1", b"2", b"3"]


@pytest.mark.parametrize("kind", [STREAM, DGRAM])
def test_a_writer_waits_for_space_and_continues(machine: Machine, kind: int) -> None:
    """On a socket pair, the send buffer of the sender limits the bytes in flight, both for datagrams and for
    streams.
    """
    sent, got = [], []

    async def family(app: App) -> None:
        one, other = await app.socketpair(UNIX, kind)

        async def reader(app: App) -> None:
            await app.sleep(1)
            mine = await app.socket(fileno=other.fileno())
            while sum(map(len, got)) < 300_000:
                got.append(await mine.recv(1000))

        await app.thread(reader)
        for number in range(300):
            await one.send(bytes([number % 256]) * 1000)
            sent.append(app.monotonic_ns())
        await app.sleep(1)

    machine.spawn(family)
    machine.run(until=seconds(5))
    at_once = sum(time < seconds(1) for time in sent)
    assert (at_once, len(sent)) == (93, 300), "as many fit on Linux 6.18"
    assert b"".join(got) == b"".join(bytes([number % 256]) * 1000 for number in range(300))


def test_datagrams_to_a_socket_with_other_senders(machine: Machine) -> None:
    """The queue of an unconnected receiver holds eleven datagrams. The twelfth send blocks, and poll()
    reports the connected sender as not writable.
    """
    receiver, sender = machine.blocking(), machine.blocking()
    inbox = receiver.socket(UNIX, DGRAM)
    inbox.bind(b"\0inbox")
    sock = sender.socket(UNIX, DGRAM)
    sock.connect(b"\0inbox")
    sock.setblocking(False)
    for _ in range(11):
        sock.send(b"x")
    assert refused(lambda: sock.send(b"x")) == "EAGAIN"
    assert sender.poll([(sock, 4)], 0) == []
    assert inbox.recv(10) == b"x"
    assert sender.poll([(sock, 4)], 0) == [(sock.descriptor, 4)]


def test_a_poller_for_space_is_woken_by_a_reader(machine: Machine) -> None:
    woken = []

    async def family(app: App) -> None:
        inbox = await app.socket(UNIX, DGRAM)
        await inbox.bind(b"\0inbox")

        async def reader(app: App) -> None:
            await app.sleep(1)
            mine = await app.socket(fileno=inbox.fileno())
            await mine.recv(1)

        sock = await app.socket(UNIX, DGRAM)
        await sock.connect(b"\0inbox")
        for _ in range(11):
            await sock.send(b"x")
        await app.thread(reader)
        woken.append((await app.poll([(sock, 4)]), app.monotonic_ns() // seconds(1)))

    machine.spawn(family)
    machine.run(until=seconds(3))
    assert [(events[0][1], time) for events, time in woken] == [(4, 1)]


# -- the peer closes ---------------------------------------------------------------------------------


def test_a_reader_is_woken_when_the_writer_ends(machine: Machine) -> None:
    got = []

    async def reader(app: App) -> None:
        one, other = await app.socketpair(UNIX, STREAM)
        fds = one.fileno(), other.fileno()

        async def writer(app: App) -> None:
            await app.close(fds[0])
            await app.sleep(1)
            await app.write(fds[1], b"last words")

        await app.spawn(writer)
        await other.close()
        got.append(await one.recv(100))
        got.append(await one.recv(100))

    machine.spawn(reader)
    machine.run(until=seconds(3))
    assert got == [b"last words", b""]


@pytest.mark.parametrize("told", [False, True])
def test_writing_without_a_reader_raises_sigpipe_unless_suppressed(machine: Machine, told: bool) -> None:
    """This program sets the default action of SIGPIPE, so the signal ends it unless MSG_NOSIGNAL is set.
    Other programs ignore SIGPIPE, as Python's interpreter does.
    """
    seen = []

    async def writer(app: App) -> None:
        one, other = await app.socketpair(UNIX, STREAM)
        await other.close()
        await app.signal(13, 0)
        try:
            await one.send(b"x", socket.MSG_NOSIGNAL if told else 0)
        except BrokenPipeError:
            seen.append("EPIPE")

    async def parent(app: App) -> None:
        pid = await app.spawn(writer)
        _, status = await app.waitpid(pid)
        seen.append(status)

    machine.spawn(parent)
    machine.run(until=seconds(1))
    assert seen == (["EPIPE", 0] if told else [13])


def test_closing_with_unread_bytes_is_a_reset(machine: Machine) -> None:
    process = machine.blocking()
    one, other = process.socketpair(UNIX, STREAM)
    one.send(b"unread")
    other.close()
    assert refused(lambda: one.recv(1)) == "ECONNRESET"
    assert one.recv(1) == b""


# -- credentials ---------------------------------------------------------------------------------------


def test_credentials_of_the_peer(machine: Machine) -> None:
    """SO_PEERCRED of a client returns the credentials that the listener had at listen(). SO_PEERCRED of an
    accepted socket returns those that the client had at connect().
    """
    server, client = machine.blocking(uid=1000), machine.blocking(uid=1001)
    listener = server.socket(UNIX, STREAM)
    listener.bind("/tmp/door")
    listener.listen(1)
    server.chmod("/tmp/door", 0o777)
    sock = client.socket(UNIX, STREAM)
    sock.connect("/tmp/door")
    connection, _ = listener.accept()
    assert unpack("3i", connection.getsockopt(1, socket.SO_PEERCRED, 12)) == (client.getpid(), 1001, 1001)
    assert unpack("3i", sock.getsockopt(1, socket.SO_PEERCRED, 12)) == (server.getpid(), 1000, 1000)


def test_which_groups_the_other_end_is_in(machine: Machine) -> None:
    process = machine.blocking(uid=0)
    lone = process.socket(UNIX, DGRAM)
    assert refused(lambda: lone.getsockopt(1, PEERGROUPS, 12)) == "ENODATA"
    process.setgroups([7, 3, 100])
    one, _ = process.socketpair(UNIX, STREAM)
    assert refused(lambda: one.getsockopt(1, PEERGROUPS, 8)) == "ERANGE"
    assert unpack("3i", one.getsockopt(1, PEERGROUPS, 100)) == (3, 7, 100)


def test_a_sender_cannot_claim_another_identity(machine: Machine) -> None:
    user, root = machine.blocking(uid=1000), machine.blocking(uid=0)
    for process, claim, name in (
        (user, (user.getpid(), 1000, 1000), ""), (user, (1, 1000, 1000), "EPERM"),
        (user, (user.getpid(), 0, 1000), "EPERM"), (user, (user.getpid(), 1000, 0), "EPERM"),
        (root, (user.getpid(), 5, 6), ""), (root, (99_999, 0, 0), "ESRCH"),
    ):  # fmt: skip
        one, other = process.socketpair(UNIX, DGRAM)
        other.setsockopt(1, socket.SO_PASSCRED, 1)
        message = [(1, CREDENTIALS, pack("3i", *claim))]
        if name:
            assert refused(lambda one=one, message=message: one.sendmsg([b"x"], message)) == name
        else:
            one.sendmsg([b"x"], message)
            assert other.recvmsg(1, 100)[1] == message


def test_a_file_travels(machine: Machine) -> None:
    """The receiver gets the same open file, which stays open after the sender has ended."""
    read = []

    async def parent(app: App) -> None:
        one, other = await app.socketpair(UNIX, STREAM)

        async def child(app: App) -> None:
            fd = await app.open("/tmp/text", os.O_CREAT | os.O_RDWR)
            await app.write(fd, b"hello")
            await app.lseek(fd, 1, os.SEEK_SET)
            mine = await app.socket(fileno=other.fileno())
            await mine.sendmsg([b"take"], [(1, socket.SCM_RIGHTS, pack("i", fd))])

        await app.waitpid(await app.spawn(child))
        _, control, _, _ = await one.recvmsg(10, 100)
        (fd,) = unpack("i", control[0][2])
        read.append(await app.read(fd, 10))

    machine.spawn(parent)
    machine.run(until=seconds(1))
    assert read == [b"ello"]


def test_queued_messages_are_released_with_the_queue(machine: Machine) -> None:
    process = machine.blocking()
    one, other = process.socketpair(UNIX, DGRAM)
    reading, writing = process.pipe()
    one.sendmsg([b"x"], [(1, socket.SCM_RIGHTS, pack("i", writing))])
    process.close(writing)
    assert process.poll([(reading, 1)], 0) == []
    other.close()
    assert process.poll([(reading, 1)], 0) == [(reading, 16)], "nobody has the write end any more"


def _sent(sock: object, *fds: int) -> None:
    sock.sendmsg([b"x"], [(1, socket.SCM_RIGHTS, pack(f"{len(fds)}i", *fds))])


@pytest.mark.parametrize("kind", [STREAM, DGRAM])
def test_sockets_in_a_cycle_of_queues_are_collected(machine: Machine, kind: int) -> None:
    """Each end of a socket pair is in the queue of the other end. One queue also holds the write end of a
    pipe. After the program has closed all of them, the kernel frees them.
    """
    process = machine.blocking()
    one, other = process.socketpair(UNIX, kind)
    reading, writing = process.pipe()
    _sent(one, one.descriptor, writing)
    _sent(other, other.descriptor)
    for fd in (writing, one, other):
        process.close(fd)
    assert process.poll([(reading, 1)], 0) == [], "nothing was closed that would have had it looked for"
    process.socket(UNIX, STREAM).close()
    assert process.poll([(reading, 1)], 0) == [(reading, 16)]


def test_reachable_sockets_are_not_collected(machine: Machine) -> None:
    """A file stays open while it is reachable through a queue, through a queue in a queue, or through a
    pending connection.
    """
    process = machine.blocking()
    reading, writing = process.pipe()
    keep, first = process.socketpair(UNIX, STREAM)
    second, third = process.socketpair(UNIX, STREAM)
    listener, client = (process.socket(UNIX, STREAM) for _ in range(2))
    listener.bind(b"\0door")
    listener.listen(1)
    client.connect(b"\0door")
    _sent(client, third.descriptor)
    _sent(second, writing, listener.descriptor)
    _sent(first, listener.descriptor)
    for fd in (writing, first, second, third, listener, client):
        process.close(fd)
    process.socket(UNIX, STREAM).close()
    assert process.poll([(reading, 1)], 0) == []
    (again,) = unpack("i", keep.recvmsg(1, 100)[1][0][2])
    connection, _ = process.socket(fileno=again).accept()
    (inner,) = unpack("i", connection.recvmsg(1, 100)[1][0][2])
    control = process.socket(fileno=inner).recvmsg(1, 100)[1]
    assert len(control[0][2]) == 8


def test_a_send_that_fails_passes_no_file(machine: Machine) -> None:
    """A send that fails, or whose sender is killed, passes no file."""
    process = machine.blocking()
    _, writing = process.pipe()
    inbox, sock = process.socket(UNIX, DGRAM), process.socket(UNIX, DGRAM)
    inbox.bind(b"\0inbox")
    sock.connect(b"\0inbox")
    sock.setblocking(False)
    for _ in range(11):
        sock.send(b"x")
    for _ in range(1000):
        assert refused(lambda: _sent(sock, writing)) == "EAGAIN"
    assert unpack("i", process.ioctl(sock, 0x5411, bytes(4)))[0] < 212_992 // 4, "SIOCOUTQ"
    for _ in range(11):
        inbox.recv(1)
    assert unpack("i", process.ioctl(sock, 0x5411, bytes(4)))[0] == 0

    async def killed(app: App) -> None:
        one, _ = await app.socketpair(UNIX, STREAM)
        _, end = await app.pipe()
        while True:
            await one.sendmsg([bytes(1000)], [(1, socket.SCM_RIGHTS, pack("i", end))])

    pid = machine.spawn(killed).pid
    machine.run(until=machine.now + seconds(1))
    ends = [file for _, file in machine.kernel.processes.find(pid).files.items()]
    machine.blocking(uid=0).kill(pid, 9)
    machine.run(until=machine.now + seconds(1))
    assert {file.references for file in ends} == {0}
