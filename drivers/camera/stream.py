"""Streams: start, stop and interrupts.  The first user starts a stream, and the last one stops it.

As on Linux, the work is split.  The interrupt handler does the urgent part: it clears the interrupt,
collects the frames and returns buffers to the device.  The interrupt thread does the rest: it sends the
netlink events.
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


# -- start and stop ---------------------------------------------------------


async def stream_on(camera: Camera, user: Hashable) -> None:
    """Add a netlink socket to the users of the stream. Start a netlink stream if no stream runs.

    Raise ENODEV if the camera is unplugged, EBUSY during a V4L2 stream (capture.py), ENOMEM if allocation
    fails, ETIMEDOUT if the camera does not become ready.
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
    """Remove a netlink socket from the users of the stream. Stop the stream if no users are left. Raise
    ENODEV if the camera is unplugged.
    """
    async with camera.mutex:
        camera.check_present()
        with camera.lock:
            remove_user(camera, user)
        await _stop_if_idle(camera)


def remove_user(camera: Camera, user: Hashable) -> bool:
    """Remove a netlink socket from the users of the stream. Return False if the socket was not a user. The
    caller holds the spinlock.

    This does not stop the stream: call `stop_if_idle` afterwards.
    """
    known = user in camera.users
    camera.users.discard(user)
    return known


async def stop_if_idle(camera: Camera) -> None:
    """Stop the netlink stream if it has no users."""
    async with camera.mutex:
        await _stop_if_idle(camera)


async def shut_down(camera: Camera) -> None:
    """Stop the netlink stream, because the driver is being unbound.  The camera may already be unplugged."""
    async with camera.mutex:
        with camera.lock:
            camera.gone = True
            camera.users.clear()
        if isinstance(camera.ring, Ring):
            await stop(camera, "device-removed")


async def start(camera: Camera, make: Callable[[], Descriptors]) -> None:
    """Start a stream. `make` is a function that allocates the stream's ring of DMA descriptors. The caller
    holds the mutex.

    If a step fails, the steps before it are undone, the last first.  Raise ENODEV if the camera is
    unplugged, ENOMEM if allocation fails, ETIMEDOUT if the camera does not become ready.
    """
    with ExitStack() as undo:
        if not try_module_get(camera.this):  # the module stays loaded while a stream runs
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
    """Stop the stream.  The caller holds the mutex.

    The buffers are freed only after the device has stopped writing to them.
    """
    camera.write(hw.CONTROL_POWER, hw.CONTROL)
    with suppress(OSError):  # an unplugged camera never becomes idle: stop the stream nevertheless
        await camera.wait_status(hw.STATUS_BUSY, 0)
    camera.write(0, hw.IRQ_ENABLE)
    lost = readl(camera.io, hw.DROPPED)
    if camera.is_absent(lost):
        lost = 0  # an unplugged camera's counter of lost frames cannot be read
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
    """Handle an interrupt of the camera.  Other devices can share the interrupt line."""
    status = readl(camera.io, hw.IRQ_STATUS)
    if status == ALL_ONES or not status & INTERRUPTS:
        return IRQ_NONE
    # Clear the interrupt before `collect`, so that a frame that arrives meanwhile raises a new interrupt.
    camera.write(status, hw.IRQ_STATUS)
    with camera.lock:
        camera.totals.interrupts += 1
        if camera.ring is None:
            return IRQ_HANDLED
        camera.unannounced += camera.ring.collect(ktime_get(camera.this))
        camera.overrun = camera.overrun or bool(status & LOSSES)
    return IRQ_WAKE_THREAD


def announce(irq: int, camera: Camera) -> int:
    """Send the netlink events about new frames and lost frames. The interrupt thread calls this."""
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
