"""ipc_demo: every interface gives the same replies, and has its own limits."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkernel import Machine, micros, millis
from simkernel.blocking import Blocking
from simkernel.uapi.ipc_demo import (
    ANSWER_OFFSET,
    IPC_DEMO_ASK,
    IPC_DEMO_LAST,
    IPC_DEMO_RING,
    IPC_DEMO_SET_EVENTFD,
    IPC_DEMO_START,
    IPC_DEMO_TAKE,
    MAX_FRAME,
    MAX_QUESTION,
    QUESTION_MEMORY,
    IpcDemoAsk,
    IpcDemoEvent,
    IpcDemoStart,
)
from simkernel.uapi.signal import SIGIO
from tests.examples import examples

WHOLE_PAGE = 4096
HALF_A_PAGE = 2047
"""Maximum number of bytes that ipc_demo's sysfs file can show in one page of 4096 bytes. Each byte is shown
as two hexadecimal digits.
"""


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """Return a machine with ipc_demo loaded."""
    with Machine() as machine:
        machine.blocking().modprobe("ipc_demo")
        yield machine


@pytest.fixture(scope="module")
def user(machine: Machine) -> Blocking:
    """Return an unprivileged user's process."""
    return machine.blocking(uid=1000)


def inverted(question: bytes) -> bytes:
    """Return the expected reply: the bytes with their bits inverted."""
    return bytes(byte ^ 0xFF for byte in question)


@given(question=st.binary(min_size=1, max_size=5000))
@settings(max_examples=examples(20))
def test_every_interface_gives_the_same_answer(user: Blocking, question: bytes) -> None:
    size = len(question)
    fd = user.open("/dev/ipc_demo/question", os.O_RDWR)
    user.write(fd, question)
    assert user.read(fd, size + 1) == inverted(question)
    assert user.read(fd, 1) == b""
    with user.mmap(fd, QUESTION_MEMORY) as shared:
        shared[:size] = question
        user.ioctl(fd, IPC_DEMO_RING, size)
        assert shared[ANSWER_OFFSET : ANSWER_OFFSET + size] == inverted(question)
    with user.mmap(-1, 16384) as own:
        own[:size] = question
        user.ioctl(fd, IPC_DEMO_ASK, IpcDemoAsk(own.address, own.address + 8192, size).pack())
        assert own[8192 : 8192 + size] == inverted(question)
    user.close(fd)
    with user.genetlink("ipc_demo") as client:
        assert b"".join(client.do("ask", question=[question])["answer"]) == inverted(question)
    if size <= HALF_A_PAGE:
        fd = user.open("/sys/class/ipc_demo/question/answer", os.O_RDWR)
        user.write(fd, question)
        assert bytes.fromhex(user.pread(fd, WHOLE_PAGE, 0).decode()) == inverted(question)
        user.close(fd)


def test_the_longest_question_needs_two_attributes(user: Blocking) -> None:
    question = os.urandom(1) * MAX_QUESTION
    with user.genetlink("ipc_demo") as client:
        parts = client.do("ask", question=[question[:65531], question[65531:]])["answer"]
        assert b"".join(parts) == inverted(question)
        assert len(parts) == 2


def test_a_text_beyond_one_page_is_cut_and_logged_with_its_attribute(
    machine: Machine, user: Blocking
) -> None:
    fd = user.open("/sys/class/ipc_demo/question/answer", os.O_RDWR)
    user.write(fd, bytes(WHOLE_PAGE))
    assert len(user.pread(fd, WHOLE_PAGE, 0)) == WHOLE_PAGE - 1
    user.close(fd)
    said = [record.text for record in machine.log.records]
    assert "fill_read_buffer: answer_show returned bad count" in said


def test_events_arrive_over_every_interface(machine: Machine, user: Blocking) -> None:
    with user.genetlink("ipc_demo") as client:
        client.join("events")
        fd, bell, counted = (user.open("/dev/ipc_demo/event", os.O_RDWR) for _ in range(3))
        eventfd = user.eventfd(0)
        user.ioctl(counted, IPC_DEMO_SET_EVENTFD, eventfd)
        heard: list[int] = []
        user.signal(SIGIO, heard.append)
        user.fcntl(bell, 8, user.getpid())
        user.fcntl(bell, 4, os.O_ASYNC)
        last = user.mmap(fd, WHOLE_PAGE, prot=1)
        client.do("start", count=3, interval=millis(1))
        records = []
        while len(records) < 3:
            try:
                records.append(IpcDemoEvent.unpack(user.read(fd, IpcDemoEvent.SIZE)))
            except InterruptedError:
                continue
        assert [each.time - records[0].time for each in records] == [0, millis(1), millis(2)]
        events = client.events("event")
        assert [next(events)["number"] for _ in range(3)] == [each.number for each in records]
        assert user.eventfd_read(eventfd) == 3
        assert heard == [SIGIO] * 3
        assert last[: IpcDemoEvent.SIZE] == records[-1].pack()
        assert user.ioctl(fd, IPC_DEMO_LAST, bytes(IpcDemoEvent.SIZE)) == records[-1].pack()
        text = f"{records[-1].number} {records[-1].time}\n"
        assert user.read_file("/sys/class/ipc_demo/event/last").decode() == text
        last.close()
        for each in (fd, bell, counted, eventfd):
            user.close(each)


def test_a_late_reader_sees_a_gap(user: Blocking) -> None:
    fd = user.open("/dev/ipc_demo/event", os.O_RDWR)
    user.ioctl(fd, IPC_DEMO_START, IpcDemoStart(micros(10), 100).pack())
    user.sleep(0.1)
    user.ioctl(fd, IPC_DEMO_START, IpcDemoStart(micros(10), 1).pack())
    data = user.read(fd, 1 << 16)
    user.sleep(0.1)
    data += user.read(fd, 1 << 16) if len(data) == 64 * IpcDemoEvent.SIZE else b""
    numbers = [IpcDemoEvent.unpack(data, start).number for start in range(0, len(data), IpcDemoEvent.SIZE)]
    assert numbers[:64] == [*range(numbers[0], numbers[0] + 64)]
    assert numbers[64:] in ([], [numbers[0] + 100])
    user.close(fd)


@pytest.mark.parametrize("size", [1, 4096, 100_000, MAX_FRAME])
def test_a_frame_is_the_same_over_every_interface(user: Blocking, size: int) -> None:
    fd = user.open("/dev/ipc_demo/frame", os.O_RDWR)
    number = user.ioctl(fd, IPC_DEMO_TAKE, size)
    frame = bytes([number & 0xFF]) * size
    assert user.read(fd, size + 1) == frame
    with user.mmap(fd, MAX_FRAME) as shared:
        assert shared[:size] == frame
    with user.genetlink("ipc_demo") as client:
        parts = client.dump("read")
        assert b"".join(part["data"] for part in parts) == frame
    user.close(fd)


def test_unload_leaves_nothing_behind(machine: Machine) -> None:
    with Machine() as other:
        root = other.blocking()
        root.modprobe("ipc_demo")
        root.rmmod("ipc_demo")
        assert "ipc_demo" not in root.listdir("/dev")
        assert "ipc_demo" not in root.listdir("/sys/class")
        assert "ipc_demo" not in [each["name"] for each in root.lsmod()]
        assert not other.kernel.taints.letters
