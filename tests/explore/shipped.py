"""Search targets: groups of programs that use the shipped drivers. A device may be unplugged at any step of
the programs.

The device comes back 5 ms later.  One of the programs may be killed at any step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final

from simkernel import millis
from simkernel.hardware import Camera, Mouse
from simkernel.hardware.mouse.motion import Move, Script
from simkernel.testing.sim import Body
from simkernel.uapi import errno
from simkernel.uapi import input as ev
from simkernel.uapi.fcntl import F_SETFL, F_SETOWN, O_ASYNC, O_NONBLOCK, O_RDWR, O_WRONLY
from simkernel.uapi.input_event_codes import BTN_LEFT, EV_KEY, EV_REL, EV_SYN, REL_X, SYN_REPORT
from simkernel.uapi.poll import POLLIN, POLLPRI
from simkernel.uapi.signal import SIG_IGN, SIGIO, SIGKILL
from simkernel.uapi.video import ioctls as io
from simkernel.uapi.video import structures as s
from simkernel.uapi.video import videodev2 as v4l2
from simkernel.uapi.video.v4l2_controls import V4L2_CID_EXPOSURE, V4L2_CID_GAIN, V4L2_CID_TEST_PATTERN
from tests.drivers.evdev import Reader
from tests.drivers.v4l2 import CAPTURE, Video

GONE: Final = {
    errno.EAGAIN,
    errno.EBADF,
    errno.EBUSY,
    errno.EEXIST,
    errno.EFAULT,
    errno.EINTR,
    errno.EINVAL,
    errno.EIO,
    errno.ENFILE,
    errno.ENOBUFS,
    errno.ENODEV,
    errno.ENOENT,
    errno.ENOMEM,
    errno.ENXIO,
    errno.EPIPE,
    errno.EPROTONOSUPPORT,
    errno.ETIMEDOUT,
}
"""Errors that a program may get because its device is unplugged, another program uses the device, or the
search injects a fault.

An oops fails the run even if the program only gets EFAULT.
"""


@contextmanager
def tolerant() -> Iterator[None]:
    """Suppress an OSError in the body of the `with` statement if its errno is in GONE, such as ENODEV after
    an unplug.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in GONE:
            raise


Program = Callable[..., None]


def tolerates(program: Program) -> Program:
    """Decorate a program: an OSError whose errno is in GONE, such as ENODEV after an unplug, ends it
    normally.
    """

    def run(app: Any, *arguments: Any) -> None:
        with tolerant():
            program(app, *arguments)

    run.__name__ = program.__name__
    return run


def write(app: Any, path: str, data: bytes) -> None:
    """Write a file below /sys."""
    fd = app.open(path, O_WRONLY)
    try:
        app.write(fd, data)
    finally:
        app.close(fd)


# -- the camera over netlink ----------------------------------------------------


@tolerates
def view(app: Any) -> None:
    """Stream a few frames over netlink, then close the socket while the camera streams."""
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
        camera.do("stream-on")


@tolerates
def adjust(app: Any) -> None:
    """Read and change the controls and the format during a stream."""
    with app.genetlink("camera") as camera:
        for number in range(4):
            camera.dump("get-device")
            camera.dump("get-control")
            camera.do("get-control", control="exposure")
            camera.do("set-control", control="gain", value=number + 1)
            with tolerant():
                camera.do("set-format", width=320, height=240)
            app.sleep(0.01)


@tolerates
def inspect(app: Any) -> None:
    """Make the requests of the family `camera` that the other programs omit, and try to stream."""
    with app.genetlink("camera") as camera:
        for _ in range(2):
            camera.do("get-device")
            camera.do("get-format")
            camera.dump("list-formats")
            with tolerant():
                camera.do("set-format", **{"pixel-format": "YUYV", "interval": 20_000_000})
            camera.do("get-statistics")
            with tolerant():
                camera.do("stream-on")
            app.sleep(0.02)
            with tolerant():
                camera.dump("read-frame", sequence=1)
            camera.do("stream-off")


# -- the camera's video device --------------------------------------------------


@tolerates
def capture(app: Any) -> None:
    """Map the buffers of the video device and dequeue frames."""
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


@tolerates
def churn(app: Any) -> None:
    """Allocate, map, prepare and free buffers without blocking. Leave some mapped."""
    video = Video.open(app, O_RDWR | O_NONBLOCK, process=app)
    copy = app.dup(video.fd)
    try:
        for _ in range(2):
            wanted = s.V4l2CreateBuffers(count=2, type=CAPTURE, fmt=video.format().pack())
            with tolerant():
                video.ask(io.VIDIOC_CREATE_BUFS, wanted)
            with tolerant():
                video.map(0)
            with tolerant():
                video.ask(io.VIDIOC_PREPARE_BUF, s.V4l2Buffer(1, CAPTURE))
                video.queue(1)
                video.on()
            video.poll(POLLIN | POLLPRI, 0.03)
            with tolerant():
                video.queue(video.dequeue().index)
            with tolerant():
                video.off()
                video.map(1).close()
                video.ask(io.VIDIOC_REMOVE_BUFS, s.V4l2RemoveBuffers(0, 1, CAPTURE))
    finally:
        app.close(copy)
        video.close()


@tolerates
def tune(app: Any) -> None:
    """Make the requests of the video device that the other programs omit, and receive events of controls."""
    video = Video.open(app, process=app)
    try:
        video.subscribe(V4L2_CID_GAIN, v4l2.V4L2_EVENT_SUB_FL_SEND_INITIAL)
        video.subscribe(V4L2_CID_EXPOSURE, v4l2.V4L2_EVENT_SUB_FL_ALLOW_FEEDBACK)
        video.event()
        video.ask(io.VIDIOC_QUERYCAP, s.V4l2Capability())
        video.ask(io.VIDIOC_ENUM_FMT, s.V4l2Fmtdesc(0, CAPTURE))
        video.ask(io.VIDIOC_ENUMINPUT, s.V4l2Input())
        video.number(io.VIDIOC_S_INPUT, video.number(io.VIDIOC_G_INPUT))
        video.number(io.VIDIOC_S_PRIORITY, video.number(io.VIDIOC_G_PRIORITY))
        video.format(io.VIDIOC_TRY_FMT, width=300, height=200)
        with tolerant():
            video.parm(io.VIDIOC_S_PARM, numerator=1, denominator=50)
        video.parm()
        video.ask(io.VIDIOC_QUERYCTRL, s.V4l2Queryctrl(V4L2_CID_GAIN))
        video.ask(io.VIDIOC_QUERY_EXT_CTRL, s.V4l2QueryExtCtrl(V4L2_CID_GAIN))
        video.ask(io.VIDIOC_QUERYMENU, s.V4l2Querymenu(V4L2_CID_TEST_PATTERN, 1))
        for number in range(2):
            video.set(V4L2_CID_EXPOSURE, video.get(V4L2_CID_EXPOSURE) + 1)
            video.ext(io.VIDIOC_S_EXT_CTRLS, 0, [(V4L2_CID_GAIN, number + 7)])
            video.ext(io.VIDIOC_G_EXT_CTRLS, 0, [(V4L2_CID_GAIN, 0), (V4L2_CID_EXPOSURE, 0)])
            video.event()
            video.poll(POLLPRI, 0.01)
        video.ask(io.VIDIOC_UNSUBSCRIBE_EVENT, s.V4l2EventSubscription(v4l2.V4L2_EVENT_CTRL, V4L2_CID_GAIN))
    finally:
        video.close()


# -- the mouse --------------------------------------------------------------------


@tolerates
def read_mouse(app: Any, grab: bool) -> None:
    """Read events, poll, and grab the device for some time."""
    reader = Reader(app, app.open("/dev/input/event0", O_RDWR | O_NONBLOCK))
    try:
        for _ in range(4):
            reader.poll(0.02)
            reader.take()
            if grab:
                with tolerant():
                    reader.ask(ev.EVIOCGRAB, 1)
                    reader.ask(ev.EVIOCGRAB, 0)
    finally:
        app.close(reader.fd)


@tolerates
def ask_mouse(app: Any) -> None:
    """Use every request of the event device, write to it, receive SIGIO, and finally revoke the access."""
    app.signal(SIGIO, SIG_IGN)
    reader = Reader(app, app.open("/dev/input/event0", O_RDWR | O_NONBLOCK))
    copy = app.dup(reader.fd)
    try:
        app.fcntl(reader.fd, F_SETOWN, app.getpid())
        app.fcntl(reader.fd, F_SETFL, O_NONBLOCK | O_ASYNC)
        reader.ask(ev.EVIOCGVERSION, bytes(4))
        reader.ask(ev.EVIOCGID, bytes(8))
        for text in (ev.EVIOCGNAME, ev.EVIOCGPHYS, ev.EVIOCGUNIQ):
            reader.ask(text(32), bytes(32))
        for bits in (ev.EVIOCGPROP, ev.EVIOCGKEY, ev.EVIOCGLED, ev.EVIOCGSND, ev.EVIOCGSW):
            reader.bits(bits)
        reader.bits(lambda size: ev.EVIOCGBIT(EV_REL, size))
        reader.ask(ev.EVIOCSCLOCKID, bytes([1, 0, 0, 0]))
        events = ((EV_REL, REL_X, 3), (EV_KEY, BTN_LEFT, 1), (EV_KEY, BTN_LEFT, 0), (EV_SYN, SYN_REPORT, 0))
        for _ in range(2):
            app.write(reader.fd, b"".join(ev.InputEvent(0, 0, *event).pack() for event in events))
            app.sleep(0.01)
            reader.take()
        mask = app.mmap(-1, 8)
        reader.ask(ev.EVIOCSMASK, ev.InputMask(EV_REL, 8, mask.address).pack())
        reader.ask(ev.EVIOCGMASK, ev.InputMask(EV_REL, 8, mask.address).pack())
        app.sleep(0.01)
        reader.ask(ev.EVIOCREVOKE, 0)
        reader.take()
    finally:
        app.close(copy)
        app.close(reader.fd)


@tolerates
def share(app: Any) -> None:
    """Read from one open event device in two threads, which both block."""
    reader = Reader(app, app.open("/dev/input/event0", O_RDWR))

    def second(thread: Any) -> None:
        with tolerant():
            thread.read(reader.fd, 24)

    app.thread(second)
    try:
        for _ in range(3):
            reader.events()
    finally:
        app.close(reader.fd)


@tolerates
def silence(app: Any) -> None:
    """Inhibit the input device and let it continue."""
    for _ in range(3):
        for value in (b"1", b"0"):
            with tolerant():
                write(app, "/sys/class/input/input0/inhibited", value)
            app.sleep(0.004)


@tolerates
def follow(app: Any) -> None:
    """Receive motion over netlink, and make every request of the family `mouse`."""
    with app.genetlink("mouse") as mouse:
        mouse.join("motion")
        for rate in (125, 250):
            mouse.do("get-device")
            mouse.dump("get-device")
            with tolerant():
                mouse.do("set-rate", rate=rate)
            mouse.dump("get-state")
            mouse.do("get-state")
            mouse.do("get-statistics")
            app.sleep(0.02)


ATTRIBUTES: Final = ("uevent", "name", "modalias", "capabilities/rel", "id/vendor", "index", "inhibited")


# -- camera and mouse together ------------------------------------------------------


@tolerates
def look(app: Any) -> None:
    """Read the files of the devices in sysfs and /proc."""
    folders = ["/sys/class", "/sys/bus/simbus/devices", "/sys/bus/simbus/drivers"]
    folders += ["/sys/class/input", "/sys/class/camera", "/sys/class/mouse", "/sys/class/video4linux"]
    for path in folders:
        with tolerant():
            for name in app.listdir(path):
                for file in ATTRIBUTES:
                    with suppress(OSError):
                        app.read_file(f"{path}/{name}/{file}")
    for path in ("/proc/bus/input/devices", "/proc/modules", "/proc/interrupts", "/proc/devices"):
        with tolerant():
            app.read_file(path)


@tolerates
def reload(app: Any, module: str, *parameters: dict[str, object]) -> None:
    """Unload a driver, and load it with other parameters."""
    for given in parameters:
        with tolerant():
            app.rmmod(module)
        app.sleep(0.003)
        with tolerant():
            app.modprobe(module, **given)


@tolerates
def prune(app: Any, *modules: str) -> None:
    """Unload every unused module."""
    for _ in range(3):
        for module in modules:
            with tolerant():
                app.rmmod(module)
        app.sleep(0.004)


@tolerates
def rebind(app: Any, driver: str) -> None:
    """Unbind the device and bind it again."""
    for _ in range(3):
        for file in ("unbind", "bind"):
            with tolerant():
                write(app, f"/sys/bus/simbus/drivers/{driver}/{file}", b"0:1")
            app.sleep(0.002)


def together(app: Any, sim: Any, device: str, programs: tuple[tuple[Any, ...], ...], victim: int) -> None:
    """Run programs concurrently. The device is unplugged at one step, and a program is killed at another."""
    sim.any_step(vanish, sim, device)
    pids = [app.spawn(program, *arguments) for program, *arguments in programs]
    if victim >= 0:
        sim.any_step(kill, sim, pids[victim])
    sim.quiet()


def vanish(sim: Any, device: str) -> None:
    """Unplug a device, and plug it in again 5 ms later."""
    if sim.device(device).slot is not None:
        sim.unplug(device)
        sim.machine.at(sim.machine.now + millis(5), sim.plug, device)


def kill(sim: Any, pid: int) -> None:
    """Kill a program, unless it has ended."""
    processes = sim.machine.kernel.processes
    with suppress(ProcessLookupError):
        processes.send_signal(processes.find(pid), SIGKILL)


def story(device: Callable[[], Any], name: str, *programs: tuple[Any, ...], victim: int = -1) -> Body:
    """Return a search target: programs that use one device. `victim` is the index of the program that is
    killed.
    """
    body = partial(together, device=name, programs=programs, victim=victim)
    body.__name__ = "together"  # type: ignore[attr-defined]
    return Body(body, devices=(device,))


def moving_mouse() -> Mouse:
    """Return a mouse that moves and clicks for 60 ms."""
    return Mouse(Script([Move(millis(at), 3, -2, buttons=at // 8 % 2) for at in range(10, 70, 4)]))


camera = partial(story, Camera, "camera0")
mouse = partial(story, moving_mouse, "mouse0")

STORIES: Final = {
    "camera over netlink": camera((view,), (adjust,), (inspect,)),
    "camera over netlink, killed": camera((view,), (view,), (adjust,), victim=0),
    "video": camera((capture,), (capture,), (adjust,)),
    "video buffers": camera((capture,), (churn,), (tune,)),
    "video, killed": camera((churn,), (capture,), (inspect,), victim=1),
    "camera's module": camera(
        (view,), (capture,), (reload, "camera", {"buffers": 3}, {"buffers": 99}, {}), (look,)
    ),
    "camera's driver": camera((churn,), (tune,), (rebind, "camera"), (prune, "video", "camera", "video")),
    "mouse": mouse((read_mouse, False), (read_mouse, True), (look,)),
    "mouse requests": mouse((ask_mouse,), (share,), (silence,), (follow,)),
    "mouse, killed": mouse((ask_mouse,), (read_mouse, True), (silence,), victim=0),
    "mouse's module": mouse((read_mouse, False), (reload, "mouse", {"rate": 250}, {"rate": 1}, {}), (look,)),
    "mouse's driver": mouse(
        (ask_mouse,), (follow,), (rebind, "mouse"), (prune, "input", "mouse", "devclass", "input")
    ),
}
