"""Unix sockets: filters of datagrams, the flow id that passes from the sender to the receiver in a trace, and
files in flight.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from simkernel import Machine, millis
from simkernel.engine import Record
from simkernel.uapi.filter import BPF_K, BPF_RET, SockFilter

KINDS = {"dgram": socket.SOCK_DGRAM, "stream": socket.SOCK_STREAM, "seqpacket": socket.SOCK_SEQPACKET}


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(udev=False) as machine:
        yield machine


@pytest.mark.parametrize(
    ("limit", "received"), [(0, None), (1, b"a"), (3, b"abc"), (5, b"abcde"), (9, b"abcde")]
)
def test_a_filter_cuts_or_drops_a_datagram(machine: Machine, limit: int, received: bytes | None) -> None:
    """The sender gets no error if the receiver's filter cuts or drops its datagram (`sk_filter()`)."""
    app = machine.blocking()
    one, other = app.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock = app.task.files.get(other.descriptor).object
    sock.attach_filter(SockFilter(BPF_RET | BPF_K, k=limit).pack(), Random(0))
    assert one.send(b"abcde") == 5
    other.setblocking(False)
    if received is None:
        with pytest.raises(BlockingIOError):
            other.recv(10)
        assert app.task.files.get(one.descriptor).object.wmem == 0
    else:
        assert other.recv(10) == received


@pytest.mark.parametrize("kind", KINDS)
def test_a_receiver_continues_the_flow_of_the_sender(machine: Machine, kind: str) -> None:
    records: list[Record] = []
    machine.trace.subscribe(records.append)

    async def program(app: Any) -> None:
        one, other = await app.socketpair(socket.AF_UNIX, KINDS[kind])

        async def receiver(app: Any) -> None:
            mine = await app.socket(fileno=other.fileno())
            await mine.recv(10)
            await app.write(await app.open("/dev/null", os.O_WRONLY), b"after")

        await app.thread(receiver)
        await app.sleep(0.001)
        await one.send(b"x")
        await app.sleep(0.001)

    machine.spawn(program)
    machine.run(until=millis(10))
    calls = [each for each in records if each.name in ("sys_enter", "sys_exit")]
    flows = {(each.name, each.fields["call"]): each.flow for each in calls}
    assert flows[("sys_exit", "recvfrom")] == flows[("sys_exit", "sendto")] > 0


def test_fdinfo_counts_files_in_flight_to_an_unconnected_datagram_socket(machine: Machine) -> None:
    """The scm_fds line of a socket's fdinfo counts the files that are sent to it and not yet received
    (`unix_show_fdinfo()`). A stream that is not connected shows 0.
    """
    app = machine.blocking()
    receiver, sender, stream = (
        app.socket(socket.AF_UNIX, kind) for kind in (KINDS["dgram"], KINDS["dgram"], KINDS["stream"])
    )
    receiver.bind("\0here")
    sender.sendmsg(
        [b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("<i", sender.descriptor))], 0, "\0here"
    )
    for sock, count in ((receiver, 1), (sender, 0), (stream, 0)):
        assert f"scm_fds: {count}\n" in app.read_file(f"/proc/self/fdinfo/{sock.descriptor}").decode()
