"""Streams: from the first program that wants frames to the last, and the interrupts in between.

The work is split as it is on Linux.  The interrupt handler does what cannot wait: it silences the
device, takes the frames that have come, and sees to it that the device has buffers.  Its thread does
what takes longer: it tells the programs.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import ExitStack, suppress

from simkernel.driverapi.genetlink import genlmsg_multicast
from simkernel.driverapi.interrupt import IRQ_HANDLED, IRQ_NONE, IRQ_WAKE_THREAD
from simkernel.driverapi.io import ALL_ONES, readl
from simkernel.driverapi.ktime import ktime_get
from simkernel.driverapi.module import module_put, try_module_get
from simkernel.hardware.camera import registers as hw
from simkernel.uapi.errno import EBUSY, ENODEV, os_error

from .device import Camera
from .ring import Descriptors, Frame, Ring

LOSSES = hw.IRQ_OVERRUN | hw.IRQ_DMA_ERROR
INTERRUPTS = hw.IRQ_FRAME_DONE | LOSSES


# -- beginning and end ------------------------------------------------------


async def stream_on(camera: Camera, user: Hashable) -> None:
    """`user` wants frames: begin a stream if there is none.  ENODEV, ENOMEM, ETIMEDOUT.

    EBUSY while the camera streams for a program that maps its frames (capture.py).
    """
    async with camera.mutex:
        camera.check_present()
        if camera.ring is None:
            await start(camera, lambda: Ring(camera.device, camera.buffers, camera.read(hw.FRAME_BYTES)))
        elif not isinstance(camera.ring, Ring):
            raise os_error(EBUSY)
        with camera.lock:
            camera.users.add(user)


async def stream_off(camera: Camera, user: Hashable) -> None:
    """`user` wants no more frames: end the stream if nobody else does.  ENODEV."""
    async with camera.mutex:
        camera.check_present()
        with camera.lock:
            remove_user(camera, user)
        await _stop_if_idle(camera)


def remove_user(camera: Camera, user: Hashable) -> bool:
    """`user` is gone; whether it had wanted frames.  The spinlock is held.

    The stream is for `stop_if_idle` to end.
    """
    known = user in camera.users
    camera.users.discard(user)
    return known


async def stop_if_idle(camera: Camera) -> None:
    """End the stream if nobody wants it any more."""
    async with camera.mutex:
        await _stop_if_idle(camera)


async def shut_down(camera: Camera) -> None:
    """The driver is being unbound, perhaps since the camera has been torn out: netlink's stream ends."""
    async with camera.mutex:
        with camera.lock:
            camera.gone = True
            camera.users.clear()
        if isinstance(camera.ring, Ring):
            await stop(camera, "device-removed")


async def start(camera: Camera, make: Callable[[], Descriptors]) -> None:
    """Begin a stream into what `make` makes; the mutex is held.  ENODEV, ENOMEM, ETIMEDOUT.

    Each step is undone, the last first, if a later one fails.
    """
    with ExitStack() as undo:
        if not try_module_get(camera.this):  # a stream keeps the module from being unloaded
            raise os_error(ENODEV)
        undo.callback(module_put, camera.this)
        camera.write(hw.CONTROL_POWER, hw.CONTROL)
        undo.callback(camera.write, 0, hw.CONTROL)
        await camera.wait_status(hw.STATUS_READY, hw.STATUS_READY)
        ring = make()
        with camera.lock:
            camera.ring = ring
        camera.write(ring.address, hw.RING_ADDRESS)
        camera.write(len(ring), hw.RING_SIZE)
        camera.write(hw.IRQ_ALL, hw.IRQ_STATUS)
        camera.write(INTERRUPTS, hw.IRQ_ENABLE)
        camera.write(hw.CONTROL_POWER | hw.CONTROL_STREAM, hw.CONTROL)
        undo.pop_all()


async def _stop_if_idle(camera: Camera) -> None:
    with camera.lock:
        idle = isinstance(camera.ring, Ring) and not camera.users
    if idle:
        await stop(camera, "stopped")


async def stop(camera: Camera, reason: str) -> None:
    """End the stream; the mutex is held.  The buffers go only when the device can write to them no more."""
    camera.write(hw.CONTROL_POWER, hw.CONTROL)
    with suppress(OSError):  # a camera that is torn out, or hangs, is done with as well
        await camera.wait_status(hw.STATUS_BUSY, 0)
    camera.write(0, hw.IRQ_ENABLE)
    lost = readl(camera.io, hw.DROPPED)
    if camera.is_absent(lost):
        lost = 0  # nobody can tell any more
    camera.write(0, hw.CONTROL)
    with camera.lock:
        ring, camera.ring = camera.ring, None
        assert ring is not None
        ring.collect(ktime_get(camera.this))
        camera.totals.lost += lost
        camera.totals.produced += ring.collected + lost
        camera.totals.overwritten += ring.overwritten
        camera.totals.discarded += ring.unread
        camera.unannounced.clear()
        camera.overrun = False
    ring.free()
    genlmsg_multicast(camera.family, "stream-ended", {"device": camera.name, "reason": reason})
    module_put(camera.this)


# -- interrupts -------------------------------------------------------------


def interrupt(irq: int, camera: Camera) -> int:
    """Called in interrupt context, for a line that others may share."""
    status = readl(camera.io, hw.IRQ_STATUS)
    if status == ALL_ONES or not status & INTERRUPTS:
        return IRQ_NONE
    camera.write(status, hw.IRQ_STATUS)  # before looking: a frame that comes afterwards interrupts again
    with camera.lock:
        camera.totals.interrupts += 1
        if camera.ring is None:
            return IRQ_HANDLED
        camera.unannounced += camera.ring.collect(ktime_get(camera.this))
        camera.overrun = camera.overrun or bool(status & LOSSES)
    return IRQ_WAKE_THREAD


def announce(irq: int, camera: Camera) -> int:
    """The thread of `interrupt`."""
    with camera.lock:
        frames = [frame for frame in camera.unannounced if frame.kept]
        camera.unannounced.clear()
        overrun, camera.overrun = camera.overrun, False
    for frame in frames:
        genlmsg_multicast(camera.family, "frame-ready", _frame_ready(camera, frame))
    lost = readl(camera.io, hw.DROPPED) if overrun else 0
    if overrun and not camera.is_absent(lost):
        genlmsg_multicast(camera.family, "overrun", {"device": camera.name, "lost": lost})
    return IRQ_HANDLED


def _frame_ready(camera: Camera, frame: Frame) -> dict[str, object]:
    return {
        "device": camera.name,
        "sequence": frame.sequence,
        "bytes": len(frame.pixels),
        "checksum": frame.checksum,
        "times": {
            "exposure-start": frame.exposure_start,
            "readout-end": frame.readout_end,
            "dma-done": frame.dma_done,
            "interrupt": frame.interrupt,
            "announced": ktime_get(camera.this),
        },
    }
