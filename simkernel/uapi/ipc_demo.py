"""The interface of `ipc_demo`, a kernel module that comes with simkernel.  The file ipc_demo.yaml specifies
the module's netlink family.

/dev/ipc_demo/question: write(2) a question and read(2) its answer; IPC_DEMO_ASK; or mmap(2),
IPC_DEMO_RING. /dev/ipc_demo/event: read(2) returns event records, the oldest first; poll(2); SIGIO with
O_ASYNC. /dev/ipc_demo/frame: read(2) or mmap(2) the current frame.
"""

from __future__ import annotations

import struct
from typing import ClassVar, Final

import attrs

from simkernel.uapi.ioctl import _IO, _IOR, _IOW, _IOWR
from simkernel.uapi.structure import Structure

MAX_QUESTION: Final = 65536
"""Maximum size in bytes of a question, the data that a program sends to /dev/ipc_demo/question."""
ANSWER_OFFSET: Final = 65536
"""Offset of the answer in the memory that a program maps from /dev/ipc_demo/question.  The question is at
offset 0.
"""
QUESTION_MEMORY: Final = ANSWER_OFFSET + MAX_QUESTION
MAX_FRAME: Final = 1920 * 1080 * 2
"""Maximum size of a frame in bytes: 1920x1080 pixels of two bytes each."""


@attrs.frozen
class IpcDemoAsk(Structure):
    """The argument of the request IPC_DEMO_ASK: the addresses of a question and of the buffer for its answer,
    and the size of each in bytes.

    struct ipc_demo_ask { u64 question; u64 answer; u32 size; u32 reserved; }
    """

    LAYOUT: ClassVar = struct.Struct("<QQII")

    question: int
    answer: int
    size: int
    reserved: int = 0


@attrs.frozen
class IpcDemoStart(Structure):
    """The argument of the request IPC_DEMO_START: the time between two events in ns, and the number of
    events.

    struct ipc_demo_start { u64 interval; u32 count; u32 reserved; }
    """

    LAYOUT: ClassVar = struct.Struct("<QII")

    interval: int
    count: int
    reserved: int = 0


@attrs.frozen
class IpcDemoEvent(Structure):
    """An event that read(2) returns from /dev/ipc_demo/event: its number, counted from 1, and its time in ns.

    struct ipc_demo_event { u64 number; u64 time; }
    """

    LAYOUT: ClassVar = struct.Struct("<QQ")

    number: int
    time: int


IPC_DEMO_ASK: Final = _IOWR("D", 0x01, IpcDemoAsk.SIZE)
IPC_DEMO_RING: Final = _IO("D", 0x02)
"""Request: read the question from the memory that the program has mapped from /dev/ipc_demo/question, and
write the answer to the same memory. The argument is the question's size in bytes.
"""
IPC_DEMO_START: Final = _IOW("D", 0x03, IpcDemoStart.SIZE)
IPC_DEMO_SET_EVENTFD: Final = _IO("D", 0x04)
"""Request: add 1 to an eventfd at every event that the driver sends, until the device file is closed. The
argument is the eventfd's descriptor.
"""
IPC_DEMO_LAST: Final = _IOR("D", 0x06, IpcDemoEvent.SIZE)
"""Request: get the event that the driver has sent most recently. A program that polls in a loop uses this
request.
"""
IPC_DEMO_TAKE: Final = _IO("D", 0x05)
"""Request: produce the next frame.  The argument is the frame's size in bytes; the result is the frame's
number.
"""
