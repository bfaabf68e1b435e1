"""A real Linux kernel gives the same result for each capability probe that it can run."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.scenarios.ipc.conftest import Cells

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform != "linux", reason="the host has no Linux kernel to compare with"),
]

RECORD = 16
USERSOCK = 2
NOBODY = 65534
ENOUGH = 5000
Send = Callable[[bytes], object]
Receive = Callable[[int], bytes]
Pair = tuple[Send, Receive]


def a_pipe() -> Iterator[Pair]:
    there, here = os.pipe()
    os.set_blocking(here, False)
    yield lambda data: os.write(here, data), lambda size: os.read(there, size)
    os.close(there)
    os.close(here)


def unix(kind: socket.SocketKind) -> Iterator[Pair]:
    here, there = socket.socketpair(socket.AF_UNIX, kind)
    here.setblocking(False)
    with here, there:
        yield here.send, there.recv


TRANSPORTS: dict[str, Callable[[], Iterator[Pair]]] = {
    "pipe": a_pipe,
    "unix-stream": lambda: unix(socket.SOCK_STREAM),
    "unix-dgram": lambda: unix(socket.SOCK_DGRAM),
}


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def pair(transport: str) -> Iterator[Pair]:
    yield from TRANSPORTS[transport]()


def test_bounds(transport: str, pair: Pair, cells: Cells) -> None:
    send, receive = pair
    send(b"1" * RECORD)
    send(b"2" * RECORD)
    got = receive(RECORD * 3 // 2)
    assert cells[transport]["bounds"] == ("yes" if got == b"1" * RECORD else "no: cut amid")


def test_an_old_reader(transport: str, pair: Pair, cells: Cells) -> None:
    send, receive = pair
    for number in (1, 2):
        send(number.to_bytes(8, "little") + b"new time")
    read = [int.from_bytes(receive(8), "little") for _ in range(2)]
    assert cells[transport]["extensible"] == ("yes" if read == [1, 2] else "no: misread")


def test_how_much_goes_in_unread(transport: str, pair: Pair, cells: Cells) -> None:
    if transport != "pipe" and Path("/proc/sys/net/core/wmem_default").read_text() != "212992\n":
        pytest.skip("this host's sockets have another send buffer")
    send, _ = pair
    count = 0
    with pytest.raises(BlockingIOError):
        while count < ENOUGH:
            send(bytes(RECORD))
            count += 1
    assert cells[transport]["flow"] == f"EAGAIN after {count}"


def test_an_eventfd_adds_up_and_has_no_room_for_more(cells: Cells) -> None:
    fd = os.eventfd(0)
    for _ in range(2):
        os.eventfd_write(fd, 1)
    assert os.eventfd_read(fd) == 2
    assert cells["eventfd"]["bounds"] == "no: added up"
    with pytest.raises(OSError) as refused:
        os.write(fd, bytes(16))
    assert cells["eventfd"]["extensible"] == f"no: {errno.errorcode[refused.value.errno or 0]}"
    os.close(fd)


HEAR_TWO_SIGNALS = """
import os, signal
heard = []
signal.signal(signal.SIGUSR1, lambda number, frame: heard.append(number))
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
for _ in range(2):
    os.kill(os.getpid(), signal.SIGUSR1)
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
print(len(heard))
"""
"""A script that sends itself SIGUSR1 twice while the signal is blocked, and prints how often its handler was
called. It runs in a separate process with one thread. In a process with several threads, another thread could
receive the first signal.
"""


def test_signals_merge(cells: Cells) -> None:
    heard = subprocess.run([sys.executable, "-c", HEAR_TWO_SIGNALS], capture_output=True, check=True).stdout
    assert int(heard) == 1
    assert cells["signal"]["bounds"] == "no: merged"


# -- netlink between programs -------------------------------------------------------


@pytest.fixture
def usersock() -> Iterator[Callable[[], socket.socket]]:
    """Return a function that makes bound sockets of NETLINK_USERSOCK."""
    made: list[socket.socket] = []

    def make() -> socket.socket:
        try:
            sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, USERSOCK)
        except OSError as error:
            pytest.skip(f"no NETLINK_USERSOCK here: {error}")
        sock.bind((0, 0))
        made.append(sock)
        return sock

    yield make
    for sock in made:
        sock.close()


def join(sock: socket.socket) -> None:
    try:
        sock.setsockopt(270, 1, 3)  # SOL_NETLINK, NETLINK_ADD_MEMBERSHIP
    except PermissionError:
        pytest.skip("joining a group wants CAP_NET_ADMIN")


def to_group(sock: socket.socket, data: bytes) -> None:
    with pytest.raises(ConnectionRefusedError):  # the kernel also sends to port id 0, which has no socket
        sock.sendto(data, (0, 1 << 2))


def test_usersock_keeps_bounds(usersock: Callable[[], socket.socket], cells: Cells) -> None:
    here, there = usersock(), usersock()
    for byte in (b"1", b"2"):
        here.sendto(byte * RECORD, there.getsockname())
    assert there.recv(RECORD * 3 // 2) == b"1" * RECORD
    assert cells["usersock"]["bounds"] == "yes"


def test_usersock_loses_unread_multicasts(usersock: Callable[[], socket.socket], cells: Cells) -> None:
    if Path("/proc/sys/net/core/rmem_default").read_text() != "212992\n":
        pytest.skip("this host's sockets have another receive buffer")
    here, there = usersock(), usersock()
    join(there)
    length = 16 + 2 * 12
    for _ in range(ENOUGH):
        to_group(here, bytes(length))
    there.setblocking(False)
    with pytest.raises(OSError) as overrun:
        there.recv(1000)
    heard = 0
    with pytest.raises(BlockingIOError):
        while True:
            there.recv(1000)
            heard += 1
    name = errno.errorcode[overrun.value.errno or 0]
    assert cells["usersock"]["flow"] == f"lost {ENOUGH - heard}, {name}"


def test_usersock_makes_a_sender_to_one_port_wait(usersock: Callable[[], socket.socket]) -> None:
    here, there = usersock(), usersock()
    here.setblocking(False)
    with pytest.raises(BlockingIOError):
        for _ in range(ENOUGH):
            here.sendto(bytes(RECORD), there.getsockname())


# -- permissions ----------------------------------------------------------------------


def as_nobody(attempt: Callable[[], object]) -> str:
    """Call `attempt` as an ordinary user. Return the name of the errno that it raises, or "nothing"."""
    if os.getuid():
        pytest.skip("becoming another user wants root")
    pid = os.fork()
    if pid == 0:
        try:
            os.setuid(NOBODY)
            attempt()
        except OSError as error:
            os._exit(error.errno or 0)
        finally:
            os._exit(0)
    _, status = os.waitpid(pid, 0)
    return errno.errorcode.get(os.waitstatus_to_exitcode(status), "nothing")


def test_an_ordinary_user_sends_root_no_signal(cells: Cells) -> None:
    root = os.getpid()
    got = as_nobody(lambda: os.kill(root, signal.SIGUSR1))
    assert cells["signal"]["permission"] == cells["sigio"]["permission"] == f"same user: {got}"


def test_an_ordinary_user_joins_no_group(cells: Cells) -> None:
    def attempt() -> None:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, USERSOCK) as sock:
            sock.bind((0, 0))
            sock.setsockopt(270, 1, 3)

    assert cells["usersock"]["permission"] == f"capability: {as_nobody(attempt)}"


def test_an_ordinary_user_sends_to_no_group_of_generic_netlink(cells: Cells) -> None:
    def attempt() -> None:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) as sock:
            sock.bind((0, 0))
            sock.sendto(bytes(RECORD), (0, 1))

    assert cells["netlink"]["permission"] == f"capability: {as_nobody(attempt)}"


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_connecting_needs_write_permission_for_the_node(kind: socket.SocketKind, cells: Cells) -> None:
    def attempt() -> None:
        with socket.socket(socket.AF_UNIX, kind) as sock:
            sock.connect(path)

    with TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, kind) as listener:
        Path(folder).chmod(0o755)
        path = f"{folder}/socket"
        listener.bind(path)
        if kind == socket.SOCK_STREAM:
            listener.listen()
        Path(path).chmod(0o600)
        got = as_nobody(attempt)
    transport = "unix-stream" if kind == socket.SOCK_STREAM else "unix-dgram"
    assert cells[transport]["permission"] == f"file mode: {got}"


def test_read_only_memory_is_not_mapped_for_writing(cells: Cells, tmp_path: Path) -> None:
    import mmap

    path = tmp_path / "page"
    path.write_bytes(bytes(4096))
    with path.open("rb") as file, pytest.raises(PermissionError) as refused:
        mmap.mmap(file.fileno(), 4096)
    assert cells["mmap"]["permission"] == f"file mode: {errno.errorcode[refused.value.errno or 0]}"
