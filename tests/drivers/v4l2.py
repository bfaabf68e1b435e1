"""A program with a camera's video device open, for tests. The method `ask` makes any ioctl request with a
structure as argument. Other methods are shorter forms for common requests.
"""

from __future__ import annotations

import zlib
from typing import Any, TypeVar

import attrs

from simkernel import Machine
from simkernel.blocking.process import Blocking
from simkernel.uapi.fcntl import O_NONBLOCK, O_RDWR
from simkernel.uapi.mman import MAP_SHARED, PROT_READ, PROT_WRITE
from simkernel.uapi.structure import S32, Structure
from simkernel.uapi.video import ioctls as io
from simkernel.uapi.video import structures as s
from simkernel.uapi.video import videodev2 as v4l2

S = TypeVar("S", bound=Structure)

NODE = "/dev/video0"
CAPTURE = v4l2.V4L2_BUF_TYPE_VIDEO_CAPTURE
MMAP = v4l2.V4L2_MEMORY_MMAP
QUERIES = {
    io.VIDIOC_QUERYCTRL: s.V4l2Queryctrl,
    io.VIDIOC_QUERY_EXT_CTRL: s.V4l2QueryExtCtrl,
}


def filled(cls: type[S], **fields: Any) -> S:
    """Return a structure filled with 0xff except for some fields, as v4l2-compliance does."""
    made = cls.unpack(b"\xff" * cls.SIZE)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


@attrs.define
class Video:
    """An open video device. Requests raise OSError."""

    process: Blocking
    fd: int

    @classmethod
    def open(
        cls, machine: Machine, flags: int = O_RDWR, process: Blocking | None = None, path: str = NODE
    ) -> Video:
        process = process or machine.blocking()
        return cls(process, process.open(path, flags))

    @classmethod
    def nonblocking(cls, machine: Machine) -> Video:
        return cls.open(machine, O_RDWR | O_NONBLOCK)

    # -- requests ---------------------------------------------------------------

    def ask(self, request: int, argument: S) -> S:
        """Make a request, and return its argument as the kernel has filled it in."""
        buffer = bytearray(argument.pack())
        self.process.ioctl(self.fd, request, buffer)
        return type(argument).unpack(buffer)

    def number(self, request: int, value: int = 0) -> int:
        """Make a request with an int as argument."""
        buffer = bytearray(S32.pack(value))
        self.process.ioctl(self.fd, request, buffer)
        return int(S32.unpack(buffer)[0])

    def close(self) -> None:
        self.process.close(self.fd)

    # -- formats ------------------------------------------------------------------

    def format(self, request: int = io.VIDIOC_G_FMT, **fields: Any) -> s.V4l2PixFormat:
        """Make VIDIOC_G_FMT, S_FMT or TRY_FMT."""
        wanted = s.V4l2Format(CAPTURE, s.V4l2PixFormat(**fields).pack())
        return s.V4l2PixFormat.unpack(self.ask(request, wanted).fmt)

    def set_format(self, width: int, height: int, fourcc: int = v4l2.V4L2_PIX_FMT_GREY) -> s.V4l2PixFormat:
        return self.format(io.VIDIOC_S_FMT, width=width, height=height, pixelformat=fourcc)

    def parm(self, request: int = io.VIDIOC_G_PARM, **fields: Any) -> s.V4l2Captureparm:
        """Make VIDIOC_G_PARM or S_PARM."""
        wanted = s.V4l2Streamparm(CAPTURE, s.V4l2Captureparm(**fields).pack())
        return s.V4l2Captureparm.unpack(self.ask(request, wanted).parm)

    # -- controls -------------------------------------------------------------------

    def get(self, id: int) -> int:
        return self.ask(io.VIDIOC_G_CTRL, s.V4l2Control(id)).value

    def set(self, id: int, value: int) -> int:
        return self.ask(io.VIDIOC_S_CTRL, s.V4l2Control(id, value)).value

    def ext(self, request: int, which: int, items: list[tuple[int, int]]) -> ExtResult:
        """Make VIDIOC_G_EXT_CTRLS, S_EXT_CTRLS or TRY_EXT_CTRLS. An error is part of the result."""
        data = b"".join(s.V4l2ExtControl(id, 0, b"", S32.pack(value)).pack() for id, value in items)
        memory = self.process.mmap(-1, max(len(data), 1))
        memory[: len(data)] = data
        argument = bytearray(s.V4l2ExtControls(which, len(items), 99, controls=memory.address).pack())
        number = 0
        try:
            self.process.ioctl(self.fd, request, argument)
        except OSError as error:
            number = error.errno or 0
        after = s.V4l2ExtControls.unpack(argument)
        found = [s.V4l2ExtControl.unpack(memory[:], i * s.V4l2ExtControl.SIZE) for i in range(len(items))]
        memory.close()
        values = [int(S32.unpack_from(each.union)[0]) for each in found]
        return ExtResult(number, after.error_idx, values, after)

    def subscribe(self, id: int, flags: int = 0) -> None:
        self.ask(io.VIDIOC_SUBSCRIBE_EVENT, s.V4l2EventSubscription(v4l2.V4L2_EVENT_CTRL, id, flags))

    def event(self) -> tuple[s.V4l2Event, s.V4l2EventCtrl]:
        event = self.ask(io.VIDIOC_DQEVENT, s.V4l2Event())
        return event, s.V4l2EventCtrl.unpack(event.u)

    # -- buffers ----------------------------------------------------------------------

    def request(self, count: int) -> int:
        return self.ask(io.VIDIOC_REQBUFS, s.V4l2Requestbuffers(count, CAPTURE)).count

    def query(self, index: int) -> s.V4l2Buffer:
        return self.ask(io.VIDIOC_QUERYBUF, s.V4l2Buffer(index, CAPTURE))

    def queue(self, index: int) -> s.V4l2Buffer:
        return self.ask(io.VIDIOC_QBUF, s.V4l2Buffer(index, CAPTURE))

    def dequeue(self) -> s.V4l2Buffer:
        return self.ask(io.VIDIOC_DQBUF, s.V4l2Buffer(0, CAPTURE))

    def map(self, index: int, prot: int = PROT_READ | PROT_WRITE) -> Any:
        buffer = self.query(index)
        return self.process.mmap(self.fd, buffer.length, MAP_SHARED, prot, offset=buffer.m)

    def on(self) -> None:
        self.number(io.VIDIOC_STREAMON, CAPTURE)

    def off(self) -> None:
        self.number(io.VIDIOC_STREAMOFF, CAPTURE)

    def poll(self, events: int, timeout: float = 0) -> int:
        return dict(self.process.poll([(self.fd, events)], timeout)).get(self.fd, 0)

    def start(self, count: int = 4) -> list[Any]:
        """Request buffers, map them, queue them and start the stream. Return the mappings."""
        maps = [self.map(index) for index in range(self.request(count))]
        for index in range(count):
            self.queue(index)
        self.on()
        return maps


@attrs.frozen
class ExtResult:
    """Result of a request for several controls."""

    errno: int
    error_idx: int
    values: list[int]
    argument: s.V4l2ExtControls


def is_whole(frame: bytes) -> bool:
    """Return True if the last four bytes of a frame are the CRC-32 of all bytes before them."""
    return zlib.crc32(frame[:-4]) == int.from_bytes(frame[-4:], "little")
