"""Can an application talk to hardware directly?  No: a program cannot address a register, so it must ask the
driver.
"""

from __future__ import annotations

import zlib
from typing import Any, Final

from simkernel import App
from simkernel.hardware import Camera
from simkernel.hardware.bus.registers import WINDOW_SIZE, window
from simkernel.hardware.camera import registers
from simkernel.uapi.fcntl import O_RDWR
from simkernel.uapi.mman import MAP_SHARED, PROT_READ, PROT_WRITE
from simkernel.uapi.video import ioctls
from simkernel.uapi.video.structures import (
    V4l2Buffer,
    V4l2Control,
    V4l2Format,
    V4l2PixFormat,
    V4l2Requestbuffers,
    V4l2Streamparm,
)
from simkernel.uapi.video.v4l2_controls import V4L2_CID_GAIN
from simkernel.uapi.video.videodev2 import V4L2_BUF_TYPE_VIDEO_CAPTURE, V4L2_PIX_FMT_GREY

from .stage import ACCESSES, USER, Stage, result_or_error

NODE: Final = "/dev/video0"
GAIN: Final = 40
WIDTH, HEIGHT = 160, 120
BUFFERS: Final = 3
CRC: Final = 4
"""Size of the checksum at the end of a frame, in bytes."""
CAPTURE: Final = V4L2_BUF_TYPE_VIDEO_CAPTURE


def hardware(stage: Stage) -> None:
    """Show that a program cannot access a register directly, that it can ask the driver, and that it can
    access memory that the driver maps.
    """
    camera = Camera()
    stage.plug(camera)
    stage.prepare("camera", node=NODE)
    assert camera.slot is not None
    attempts(stage, camera.slot.address + registers.GAIN)
    asking(stage)
    frames(stage, camera.slot.number)
    stage.answer(
        "No. A program cannot address a register. It asks the driver by a system call, and the driver "
        "accesses the register. The hardware writes to memory and raises an interrupt, and the driver wakes "
        "the program. A program accesses only memory that a driver has mapped for it, and the driver "
        "decides which."
    )


# -- direct access --------------------------------------------------------------------


async def intruder(app: App, address: int) -> str:
    """Try to access the register at `address` through /dev/mem, and by an ioctl with a pointer to it."""
    opened = await result_or_error(app.open("/dev/mem", O_RDWR))
    fd = await app.open(NODE, O_RDWR)
    # A raw call, as from C.
    asked = await result_or_error(app.call("ioctl", fd, ioctls.VIDIOC_G_CTRL, address))
    await app.close(fd)
    return f"{opened} {asked}"


def attempts(stage: Stage, address: int) -> None:
    """Try to reach a register as a user and as root."""
    stage.say(
        f"The camera's data sheet gives the address of the register for its gain: {address:#x}. A program "
        "tries to access it, first as an ordinary user, then as root."
    )
    with stage.shown(*ACCESSES) as seen:
        by_user = stage.do(intruder, address, name="user", uid=USER)
        by_root = stage.do(intruder, address, name="super")
    stage.fact("errors_of_the_user", by_user, "ENOENT EFAULT")
    stage.fact("errors_of_root", by_root, "ENOENT EFAULT")
    stage.fact("registers_reached", len(seen.named("rwmmio_read") + seen.named("rwmmio_write")), 0)
    stage.so(
        "An address in a program refers to the program's own memory, and nothing is mapped at the address "
        "of the register: EFAULT. The file /dev/mem with the machine's memory does not exist: ENOENT. No "
        "register was accessed, not even by root."
    )


# -- access through the driver ----------------------------------------------------------


async def viewer(app: App) -> None:
    """Set the camera's gain and query its frame interval by ioctl."""
    fd = await app.open(NODE, O_RDWR)
    await app.ioctl(fd, ioctls.VIDIOC_S_CTRL, bytearray(V4l2Control(V4L2_CID_GAIN, GAIN).pack()))
    await app.ioctl(fd, ioctls.VIDIOC_G_PARM, bytearray(V4l2Streamparm(CAPTURE).pack()))
    await app.close(fd)


def asking(stage: Stage) -> None:
    """Set the register for the camera's gain through the driver."""
    stage.say("Now the program sets the gain through the driver, by an ioctl.")
    with stage.shown(*ACCESSES) as seen:
        stage.do(viewer, name="user", uid=USER)
    written = stage.one(seen, "rwmmio_write")
    read = stage.one(seen, "rwmmio_read")
    inside = {"sys_enter": 1, "sys_exit": -1}
    depth, within = 0, 0
    for each in seen.records:
        if each.fields.get("call") == "ioctl":
            depth += inside[each.name]
        within += depth * (each.name in ACCESSES)
    stage.fact("register_written", written.fields["register"], "GAIN")
    stage.fact("value_written", written.fields["value"], GAIN)
    stage.fact("register_read", read.fields["register"], "FRAME_INTERVAL")
    stage.fact("accesses_within_a_call", within, 2)
    stage.so(
        "During the program's ioctl(2), the driver wrote one register and read another. The program passed a "
        "file descriptor, a request and a structure. Only the driver used addresses of registers."
    )


# -- frames -------------------------------------------------------------------------------


async def streamer(app: App, stage: Stage, slot: int) -> None:
    """Map frame buffers, wait for a frame, and read it."""
    fd = await app.open(NODE, O_RDWR)

    async def ask(request: int, argument: Any) -> Any:
        data = bytearray(argument.pack())
        await app.ioctl(fd, request, data)
        return type(argument).unpack(data)

    picture = V4l2PixFormat(WIDTH, HEIGHT, V4L2_PIX_FMT_GREY)
    await ask(ioctls.VIDIOC_S_FMT, V4l2Format(CAPTURE, picture.pack()))
    await ask(ioctls.VIDIOC_REQBUFS, V4l2Requestbuffers(BUFFERS, CAPTURE))
    mapped = [await ask(ioctls.VIDIOC_QUERYBUF, V4l2Buffer(index, CAPTURE)) for index in range(BUFFERS)]
    with stage.shown():
        memory = [(await map_shared(app, fd, each.length, each.m)).memory for each in mapped]
        error = await result_or_error(map_shared(app, fd, WINDOW_SIZE, window(slot)))
    stage.fact("buffers_mapped", len(memory), BUFFERS)
    stage.fact("registers_mapped", error, "EINVAL")
    stage.so(
        "A driver can map memory into a program, and it decides which memory: this driver maps the frame "
        "buffers, but not the registers."
    )
    for each in mapped:
        await ask(ioctls.VIDIOC_QBUF, each)
    await app.ioctl(fd, ioctls.VIDIOC_STREAMON, CAPTURE.to_bytes(4, "little"))
    stage.say("Now the camera takes a picture, and the program sleeps until the picture is in memory.")
    with stage.shown("frame_start", "dma_write", "irq_raise", "irq_handler_entry", *ACCESSES) as seen:
        taken = await ask(ioctls.VIDIOC_DQBUF, V4l2Buffer(0, CAPTURE))
    with stage.watch() as looking:
        frame = bytes(memory[taken.index][: taken.bytesused])
    await app.close(fd)
    stage.fact("calls_for_a_frame", len(seen.named("sys_enter")), 1)
    stage.fact("frames_written_by_the_camera", len(seen.named("dma_write", length=len(frame))), 1)
    stage.fact("interrupts", len(seen.named("irq_handler_entry")), 1)
    stage.fact("bytes_looked_at", len(frame), WIDTH * HEIGHT)
    stage.fact("calls_to_look_at_them", len(looking.named("sys_enter")), 0)
    stage.fact("checksum_is_right", zlib.crc32(frame[:-CRC]) == int.from_bytes(frame[-CRC:], "little"), True)
    stage.so(
        "The camera wrote the frame to memory and raised its interrupt line. The driver's handler collected "
        f"the frame and woke the program. Then the program read {len(frame)} bytes without a system call, "
        "because camera, driver and program share this memory."
    )


def frames(stage: Stage, slot: int) -> None:
    """Show how a frame reaches the program: by DMA, an interrupt, a wake-up, and mapped memory."""
    stage.say(
        "Now the program reads a frame. A frame is too large to copy, so the program maps the driver's "
        "buffers into its own memory. Then it tries to map the registers, too."
    )
    stage.do(streamer, stage, slot, name="user", uid=USER)


def map_shared(app: App, fd: int, length: int, offset: int) -> Any:
    """Map part of the file `fd` with MAP_SHARED, by the raw system call mmap(2)."""
    return app.call("mmap", 0, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset)
