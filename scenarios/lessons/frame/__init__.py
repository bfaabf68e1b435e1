"""Lesson 6: the path of a frame from the sensor to a program, and the time of each part.

Covers: exposure, read-out, DMA, an interrupt handler and its thread, a multicast event, a dump of pixels and
    mapped buffers; bytes that the kernel copies.
Scenario: A camera sends 30 frames per second. A program receives an event for each frame by netlink, and gets
    the pixels by netlink or by mmap. The report divides the time of a frame among camera, driver, kernel and
    program.
When useful: to learn to measure before optimizing. The goal needs both settings: a smaller frame shortens the
    camera's part, and mmap the software's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

from simkernel import App, millis
from simkernel.hardware import Camera
from simkernel.scenario import Run, ScenarioParameter, scenario
from simkernel.uapi.fcntl import O_RDWR
from simkernel.uapi.video import ioctls
from simkernel.uapi.video.structures import V4l2Buffer, V4l2Requestbuffers
from simkernel.uapi.video.videodev2 import V4L2_BUF_TYPE_VIDEO_CAPTURE

SIZES = ("160x120", "320x240", "640x480", "1280x720", "1920x1080")
FRAMES = 12
VIDEO_GID = 44
LIMIT = millis(10)
SHARE = 1000
"""The goal: each frame reaches the program within LIMIT ns after its exposure begins, and software takes less
than 1/SHARE of the time from the exposure to the program.
"""
PARTS = (
    "camera: exposure",
    "camera: read-out",
    "camera: last bytes by DMA",
    "driver: interrupt handler",
    "driver: thread",
    "kernel: event by netlink",
)
LAST = {"netlink": "program: pixels by netlink", "mmap": "program: pixels by mmap"}
STATIONS = ("readout-end", "dma-done", "interrupt", "announced")

Take = Callable[[int], Awaitable[int]]


async def by_netlink(app: App, camera: Any) -> Take:
    """Start a netlink stream.  Return a function that reads a frame by a dump."""
    await camera.do("stream-on")

    async def take(sequence: int) -> int:
        await camera.dump("read-frame", sequence=sequence)
        return app.monotonic_ns()

    return take


async def by_mmap(app: App, camera: Any) -> Take:
    """Start a V4L2 stream into four shared buffers.  Return a function that dequeues a frame."""
    fd = await app.open("/dev/video0", O_RDWR)

    async def ask(request: int, argument: Any) -> Any:
        data = bytearray(argument.pack())
        await app.ioctl(fd, request, data)
        return argument.unpack(data)

    kind = V4L2_BUF_TYPE_VIDEO_CAPTURE
    for index in range((await ask(ioctls.VIDIOC_REQBUFS, V4l2Requestbuffers(4, kind))).count):
        buffer = await ask(ioctls.VIDIOC_QUERYBUF, V4l2Buffer(index, kind))
        await app.mmap(fd, buffer.length, offset=buffer.m)
        await ask(ioctls.VIDIOC_QBUF, buffer)
    await app.ioctl(fd, ioctls.VIDIOC_STREAMON, kind.to_bytes(4, "little"))

    async def take(sequence: int) -> int:
        buffer = await ask(ioctls.VIDIOC_DQBUF, V4l2Buffer(0, kind))
        taken = app.monotonic_ns()
        await ask(ioctls.VIDIOC_QBUF, buffer)
        return taken

    return take


async def viewer(app: App, run: Run, frames: dict[int, tuple[int, ...]]) -> None:
    """Read FRAMES frames, and record the times of their steps."""
    camera = await app.genetlink("camera")
    await camera.join("frames")
    width, height = map(int, run["size"].split("x"))
    await camera.do("set-format", width=width, height=height, pixel_format="YUYV", interval=round(1e9 / 30))
    control: dict[str, Any] = await camera.do("get-control", control="exposure") or {}
    exposure = control["value"] * 1000
    take = await (by_mmap if run["pixels"] == "mmap" else by_netlink)(app, camera)
    async for event in camera.events("frame-ready"):
        heard = app.monotonic_ns()
        read = await take(event["sequence"])
        times, begun = event["times"], event["times"]["exposure-start"]
        stations = (times[each] for each in STATIONS)
        frames[event["sequence"]] = (begun, begun + exposure, *stations, heard, read)
        if len(frames) == FRAMES:
            break


@scenario(
    ScenarioParameter("size", str, "640x480", choices=SIZES, unit="pixels", help="width x height of a frame"),
    ScenarioParameter(
        "pixels", str, "netlink", choices=tuple(LAST), help="transport of the pixels to the program"
    ),
)
def frame(run: Run) -> None:
    machine = run.machine(instrumented=True)
    flows: dict[int, int] = {}

    def note(record: Any) -> None:
        if record.name == "frame_start":
            flows[record.fields["sequence"]] = record.flow

    machine.trace.subscribe(note)
    machine.plug(Camera())
    machine.run(until=millis(10))
    frames: dict[int, tuple[int, ...]] = {}
    before = machine.statistics
    machine.spawn(viewer, run, frames, uid=1000, gid=VIDEO_GID)
    machine.run(until=millis(600))
    copied = (machine.statistics["copies"]["bytes"] - before["copies"]["bytes"]) // FRAMES
    report(run, frames, copied)
    for sequence, times in frames.items():
        name = f"frame {sequence}: {(times[-1] - times[0]) / 1e6:.3f} ms"
        run.follow(name, flows[sequence], chosen=sequence == FRAMES // 2)


def report(run: Run, frames: dict[int, tuple[int, ...]], copied: int) -> None:
    """Report how long each step of one frame takes. Check all frames to decide whether the run reaches the
    goal.
    """
    parts = [after - before for before, after in pairwise(frames[FRAMES // 2])]
    whole, software = sum(parts), sum(parts[3:])
    run.text(
        f"Frame {FRAMES // 2} of {run['size']} pixels is in the program {whole / 1e6:.3f} ms after its "
        f"exposure begins. The camera takes {(whole - software) / 1e6:.3f} ms of that, software "
        f"{software / 1e6:.3f} ms ({software / whole:.3%}). The kernel copies {copied:,} bytes for a frame."
    )
    names = (*PARTS, LAST[run["pixels"]])
    rows = [(name, f"{ns / 1000:.3f}", f"{ns / whole:.3%}") for name, ns in zip(names, parts, strict=True)]
    run.table(f"Where the time of frame {FRAMES // 2} goes", ("part", "µs", "share"), rows)
    run.metric("parts_ns", parts)
    run.metric("copied", copied)
    latest = max(times[-1] - times[0] for times in frames.values())
    share = max((times[-1] - times[3]) / (times[-1] - times[0]) for times in frames.values())
    run.metric("latest_ns", latest)
    run.goal(
        latest <= LIMIT and share < 1 / SHARE,
        f"the slowest frame takes {latest / 1e6:.3f} ms (at most {LIMIT / 1e6:g} ms are allowed), and "
        f"software takes up to {share:.3%} of a frame's time (less than {1 / SHARE:.1%} is allowed).",
    )
