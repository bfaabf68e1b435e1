"""Stories over the shipped drivers, to be perturbed: programs use a device that may vanish at any step."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from simkernel import millis
from simkernel.hardware import Camera, Mouse
from simkernel.hardware.mouse.motion import Move, Script
from simkernel.testing.sim import Body
from simkernel.uapi.errno import (
    EAGAIN,
    EBADF,
    EBUSY,
    EINTR,
    EINVAL,
    EIO,
    ENODEV,
    ENOENT,
    ENOMEM,
    ENXIO,
    EPIPE,
)
from simkernel.uapi.fcntl import O_NONBLOCK, O_RDWR
from tests.drivers.evdev import Reader
from tests.drivers.v4l2 import Video

GONE = {EAGAIN, EBADF, EBUSY, EINTR, EINVAL, EIO, ENODEV, ENOENT, ENOMEM, ENXIO, EPIPE}
"""Errors that a program gets from a device that vanishes, or that another program uses."""


def tolerant(program: Callable[..., object]) -> Callable[..., object]:
    """Return a program that ends when its device is gone."""

    def run(app: Any, *arguments: Any) -> None:
        try:
            program(app, *arguments)
        except OSError as error:
            if error.errno not in GONE:
                raise

    run.__name__ = program.__name__
    return run


@tolerant
def view(app: Any) -> None:
    """Stream a few frames over netlink."""
    with app.genetlink("camera") as camera:
        camera.join("frames")
        camera.do("set-format", width=160, height=120)
        camera.do("stream-on")
        for _ in range(2):
            app.sleep(0.04)
            with suppress(BlockingIOError):
                camera.dump("read-frame")
        camera.do("get-statistics")
        camera.do("stream-off")


@tolerant
def adjust(app: Any) -> None:
    """Read and change the controls and the format meanwhile."""
    with app.genetlink("camera") as camera:
        for number in range(4):
            camera.dump("get-device")
            camera.dump("get-control")
            camera.do("set-control", control="gain", value=number + 1)
            with suppress(OSError):
                camera.do("set-format", width=320, height=240)
            app.sleep(0.01)


@tolerant
def capture(app: Any) -> None:
    """Map the buffers of the video device and take frames."""
    video = Video.open(app, process=app)
    try:
        video.set_format(160, 120)
        maps = video.start(3)
        for _ in range(3):
            buffer = video.dequeue()
            bytes(maps[buffer.index][:16])
            video.queue(buffer.index)
        video.off()
        for each in maps:
            each.close()
        video.request(0)
    finally:
        video.close()


@tolerant
def read_mouse(app: Any, grab: bool) -> None:
    """Read events, poll, and grab the device for a while."""
    fd = app.open("/dev/input/event0", O_RDWR | O_NONBLOCK)
    reader = Reader(app, fd)
    try:
        for _ in range(4):
            reader.poll(0.02)
            reader.take()
            if grab:
                with suppress(BlockingIOError):
                    app.ioctl(fd, 0x40044590, 1)
                    app.ioctl(fd, 0x40044590, 0)
    finally:
        app.close(fd)


@tolerant
def look(app: Any) -> None:
    """Read what sysfs and /proc have of the devices."""
    for path in ("/sys/class", "/sys/bus/simbus/devices", "/sys/class/input", "/sys/class/camera"):
        with suppress(FileNotFoundError, NotADirectoryError):
            for name in app.listdir(path):
                with suppress(OSError):
                    app.read_file(f"{path}/{name}/uevent")
    for path in ("/proc/bus/input/devices", "/proc/modules", "/proc/interrupts", "/proc/devices"):
        with suppress(FileNotFoundError):
            app.read_file(path)


@tolerant
def reload(app: Any, module: str) -> None:
    """Remove a driver and load it again."""
    for _ in range(2):
        with suppress(OSError):
            app.rmmod(module)
        app.sleep(0.003)
        app.modprobe(module)


def together(app: Any, sim: Any, device: str, programs: tuple[tuple[Any, ...], ...]) -> None:
    """Run programs side by side; the device vanishes at any step and comes back."""
    for program, *arguments in programs:
        app.spawn(program, *arguments)
    sim.any_step(vanish, sim, device)
    sim.quiet()


def vanish(sim: Any, device: str) -> None:
    """Unplug a device, and plug it in again 5 ms later."""
    if sim.device(device).slot is not None:
        sim.unplug(device)
        sim.machine.at(sim.machine.now + millis(5), sim.plug, device)


def story(device: Callable[[], Any], name: str, *programs: tuple[Any, ...]) -> Body:
    """A target: programs with one device."""
    body = partial(together, device=name, programs=programs)
    body.__name__ = "together"  # type: ignore[attr-defined]
    return Body(body, devices=(device,))


def moving_mouse() -> Mouse:
    """A mouse that moves and clicks for 60 ms."""
    return Mouse(Script([Move(millis(at), 3, -2, buttons=at // 8 % 2) for at in range(10, 70, 4)]))


STORIES = {
    "camera over netlink": story(Camera, "camera0", (view,), (adjust,), (look,)),
    "video": story(Camera, "camera0", (capture,), (capture,), (adjust,)),
    "camera's module": story(Camera, "camera0", (view,), (reload, "camera"), (look,)),
    "mouse": story(moving_mouse, "mouse0", (read_mouse, False), (read_mouse, True), (look,)),
    "mouse's module": story(moving_mouse, "mouse0", (read_mouse, False), (reload, "mouse"), (look,)),
}
