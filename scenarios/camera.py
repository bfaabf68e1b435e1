"""A camera is plugged in, its driver is loaded, and a program displays its frames.

Covers: hot-plugging, uevents, udevd and modprobe by MODALIAS; a generic netlink family with commands,
    dumps and events; V4L2 with mapped buffers; interrupts, DMA, a ring of buffers; the latency of a frame.
Scenario: The kernel announces the camera, and udevd loads its driver. An unprivileged viewer finds it,
    sets a format and starts a stream. For each frame it receives an event from a multicast group, reads the
    frame by a dump and verifies its checksum. The report follows the viewer's request down to a register, and
    a frame from the sensor up to the viewer; --details adds uevents, the times of the frame, and all figures.
When useful: to see the whole machine at work; to find out what a slow program, a short ring or a large frame
    does to loss and latency: --set work=60, --set buffers=3, --set size=1920x1080. With --set pixels=mmap
    the frames are mapped from /dev/video0 instead of sent, and the report states what that saves.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import attrs

from simkernel import App, Machine, millis, seconds
from simkernel.hardware import Camera
from simkernel.scenario import Run, ScenarioParameter, scenario
from simkernel.scenario.figures import distribution, quantiles
from simkernel.uapi.errno import ENOBUFS
from simkernel.uapi.fcntl import O_NONBLOCK, O_RDWR
from simkernel.uapi.poll import POLLIN
from simkernel.uapi.video import ioctls
from simkernel.uapi.video.structures import V4l2Buffer, V4l2Requestbuffers
from simkernel.uapi.video.videodev2 import V4L2_BUF_TYPE_VIDEO_CAPTURE

SIZES = ("160x120", "320x240", "640x480", "800x600", "1280x720", "1920x1080")
FORMATS = ("GREY", "YUYV", "RGB24")
CHECKSUM_SIZE = 4
VIEWER_UID = 1000
VIDEO_GID = 44
"""The id of the group that can open video devices, as in udevd's rules."""
NODE = "/dev/video0"
SAMPLE = 0.2
"""If pixels=mmap: time in s for which a viewer first reads frames over netlink, to compare the costs."""
BUFFERS = 4
"""The driver's default number of buffers."""

STATIONS = (
    ("exposure-start", "hardware", "hardware", "the sensor begins to expose the frame"),
    ("readout-end", "hardware", "hardware", "the last line leaves the sensor"),
    ("dma-done", "hardware", "hardware", "DMA: the last byte is in memory"),
    ("interrupt", "driver", "driver", "interrupt: the handler collects the frame"),
    ("announced", "driver", "kernel", "netlink: multicast event frame-ready"),
    ("heard", "application", "application", "recv() returns the event"),
    ("read", "application", "application", "{last}"),
)
"""The steps of a frame from the sensor to the program. A step has a name, the layer that executes it, the
layer that the frame then reaches, and a description.
"""
LAST_STATION = {
    "netlink": "recv() returns the last byte",
    "mmap": "ioctl(VIDIOC_DQBUF) returns the buffer",
}
DRIVER_FIGURES = {
    "frames_produced": "frames-produced",
    "frames_delivered": "frames-delivered",
    "frames_dropped": "frames-dropped",
    "frames_in_flight": "frames-in-flight",
    "frames_lost_by_device": "lost",
    "frames_overwritten": "overwritten",
}
"""Maps the name of a metric to the name of the driver's counter in netlink replies."""
PATH_DOWN = {
    "netlink_deliver_tap": ("kernel", "netlink: the request reaches its family"),
    "genl_doit": ("driver", "the driver's handler for stream-on runs"),
}
"""Tracepoints that a netlink request passes between the system call and the first register write."""
COUNTERS: dict[str, Callable[[dict[str, Any]], int]] = {
    "system calls": lambda counters: counters["system_calls"],
    "interrupts": lambda counters: counters["interrupts"]["taken"],
    "register reads": lambda counters: counters["bus"]["reads"],
    "register writes": lambda counters: counters["bus"]["writes"],
    "bytes through DMA": lambda counters: counters["bus"]["dma_bytes"],
    "netlink datagrams delivered": lambda counters: counters["netlink"]["delivered"],
}
"""The machine's counters that the report shows."""
LAYERS = ("application", "kernel", "driver", "hardware")
SLOW_VIEWER = 1.8
"""Time that a slow viewer computes for each frame, in frame intervals. It is so long that frames are lost."""


@attrs.define
class Seen:
    """Data that the programs record during the run, for the report."""

    uevents: list[tuple[int, str, str, str]] = attrs.field(factory=list)
    device: dict[str, Any] = attrs.field(factory=dict)
    format: dict[str, Any] = attrs.field(factory=dict)
    request: list[Any] = attrs.field(factory=list)
    """The trace records of the request that starts the stream."""
    frames: list[dict[str, int]] = attrs.field(factory=list)
    """For each frame that the viewer has read: its sequence number and the times of its steps."""
    parts: int = 0
    bytes: int = 0
    handling: list[int] = attrs.field(factory=list)
    """For each frame, the duration in ns of the system calls that read it and return its buffer to the
    driver.
    """
    checksum_errors: int = 0
    too_late: int = 0
    base: dict[str, int] = attrs.field(factory=dict)
    statistics: dict[str, int] = attrs.field(factory=dict)
    """The driver's counters after the last read. If pixels=mmap, `base` has those before the stream."""

    @property
    def middle(self) -> dict[str, int]:
        """The frame in the middle of the stream."""
        return self.frames[len(self.frames) // 2]


COSTS = {
    "system_calls": "system calls of all programs",
    "copied": "bytes that the kernel copies",
    "time": "time in calls for the pixels [ns]",
}
"""The costs of one frame. `time` is a median. The others are totals, divided by the number of frames read."""


class Dumped:
    """The transport of frames over netlink: the viewer reads each frame by a dump request."""

    def __init__(self, app: App, camera: Any, seen: Seen) -> None:
        self.camera = camera
        self.seen = seen

    async def start(self, count: int) -> None:
        """Start the stream."""
        await self.camera.do("stream-on")

    async def take(self, sequence: int) -> bytes | None:
        """Return the frame with this sequence number, or None if the driver has overwritten it."""
        try:
            parts = await self.camera.dump("read-frame", sequence=sequence)
        except (FileNotFoundError, InterruptedError):
            return None
        self.seen.parts += len(parts)
        return b"".join([part["data"] for part in parts])

    async def give_back(self) -> None:
        """Do nothing: the viewer has a copy of the frame, and the driver has kept the buffer."""

    async def stop(self) -> None:
        """Stop the stream."""
        await self.camera.do("stream-off")


class Mapped:
    """Frames in buffers that the driver and the viewer share, so no pixel is copied."""

    def __init__(self, app: App, camera: Any, seen: Seen) -> None:
        self.app = app
        self.fd = -1
        self.maps: list[Any] = []
        self.taken = V4l2Buffer(type=V4L2_BUF_TYPE_VIDEO_CAPTURE)

    async def start(self, count: int) -> None:
        """Allocate buffers, map and queue them, and start the stream."""
        self.fd = await self.app.open(NODE, O_RDWR | O_NONBLOCK)
        await self._ask(ioctls.VIDIOC_REQBUFS, V4l2Requestbuffers(count, self.taken.type))
        for index in range(count):
            self.taken = await self._ask(ioctls.VIDIOC_QUERYBUF, V4l2Buffer(index, self.taken.type))
            self.maps.append(await self.app.mmap(self.fd, self.taken.length, offset=self.taken.m))
            await self.give_back()
        await self.app.ioctl(self.fd, ioctls.VIDIOC_STREAMON, self.taken.type.to_bytes(4, "little"))

    async def take(self, sequence: int) -> bytes | None:
        """Return the frame with this sequence number, or None if no such frame is ready.

        Earlier frames, whose events were lost, are queued again unread.
        """
        while True:
            try:
                self.taken = await self._ask(ioctls.VIDIOC_DQBUF, V4l2Buffer(0, self.taken.type))
            except BlockingIOError:
                return None
            if self.taken.sequence == sequence:
                return bytes(self.maps[self.taken.index][: self.taken.bytesused])
            await self.give_back()

    async def give_back(self) -> None:
        """Queue the buffer that `take` has dequeued last."""
        await self._ask(ioctls.VIDIOC_QBUF, self.taken)

    async def stop(self) -> None:
        """Close the file, which stops the stream and frees the buffers."""
        for each in self.maps:
            await each.close()
        await self.app.close(self.fd)

    async def _ask(self, request: int, argument: Any) -> Any:
        data = bytearray(argument.pack())
        await self.app.ioctl(self.fd, request, data)
        return argument.unpack(data)


TRANSPORTS: dict[str, type[Dumped] | type[Mapped]] = {"netlink": Dumped, "mmap": Mapped}


async def monitor(app: App, seen: Seen) -> None:
    """Record all uevents."""
    async for event in await app.uevents():
        alias = event.variables.get("MODALIAS", "")
        seen.uevents.append((app.monotonic_ns(), event.action, event.devpath, alias))


async def viewer(app: App, run: Run, trace: Any, seen: Seen, way: str, duration: float) -> None:
    """Find the camera, set its format and read its frames for `duration` s."""
    camera = await app.genetlink("camera")
    await camera.join("devices")
    await camera.join("frames")
    if not await camera.dump("get-device"):
        await anext(camera.events("device-added"))
    seen.device = await camera.do("get-device") or {}
    width, height = map(int, run["size"].split("x"))
    wanted = {"pixel_format": run["pixel_format"], "interval": round(1e9 / run["rate"])}
    seen.format = await camera.do("set-format", width=width, height=height, **wanted) or {}
    if way == "mmap":
        seen.base = await camera.do("get-statistics") or {}
    pixels = TRANSPORTS[way](app, camera, seen)
    stop_trace = trace.subscribe(seen.request.append)
    await pixels.start(run["buffers"])
    stop_trace()
    await look(app, camera, pixels, app.monotonic_ns() + seconds(duration), run["work"], seen)
    seen.statistics = await camera.do("get-statistics") or {}
    await pixels.stop()
    await camera.close()


async def look(app: App, camera: Any, pixels: Any, until: int, work: float, seen: Seen) -> None:
    """For each event `frame-ready`, read and verify the frame. Stop at the monotonic time `until` (in ns)."""
    events = camera.events()
    while (left := until - app.monotonic_ns()) > 0:
        if not await app.poll([(camera.event_socket, POLLIN)], left / 1e6):
            return
        try:
            event = await anext(events)
        except OSError as error:
            if error.errno != ENOBUFS:
                raise
            continue
        if event.name == "frame-ready" and await read(app, pixels, event, seen) and work:
            await app.compute(millis(work))


async def read(app: App, pixels: Any, event: dict[str, Any], seen: Seen) -> bool:
    """Read one frame and verify its checksum. Return False if a later frame has already overwritten it."""
    times = dict(event["times"], sequence=event["sequence"], heard=app.monotonic_ns())
    frame = await pixels.take(event["sequence"])
    if frame is None:
        seen.too_late += 1
        return False
    times["read"] = app.monotonic_ns()
    checksum = zlib.crc32(memoryview(frame)[:-CHECKSUM_SIZE])
    stored = int.from_bytes(frame[-CHECKSUM_SIZE:], "little")
    seen.checksum_errors += not checksum == stored == event["checksum"]
    await pixels.give_back()
    seen.handling.append(app.monotonic_ns() - times["heard"])
    seen.frames.append(times)
    seen.bytes += len(frame)
    return True


async def administrator(app: App, buffers: int) -> None:
    """Load the driver with the module parameter `buffers`, which only root can set."""
    await app.modprobe("camera", buffers=buffers)


@scenario(
    ScenarioParameter(
        "duration", float, 5.0, minimum=0.001, maximum=3600.0, unit="s", help="duration of the stream"
    ),
    ScenarioParameter("size", str, "640x480", choices=SIZES, help="size of a frame, in pixels"),
    ScenarioParameter("pixel_format", str, "YUYV", choices=FORMATS, help="layout of pixels in memory"),
    ScenarioParameter("rate", float, 30.0, minimum=0.3, maximum=120.0, unit="frames/s", help="wanted"),
    ScenarioParameter("buffers", int, BUFFERS, minimum=3, maximum=64, help="frame buffers of the driver"),
    ScenarioParameter(
        "work",
        float,
        0.0,
        minimum=0.0,
        maximum=10000.0,
        unit="ms",
        help="computation of the viewer for each frame",
    ),
    ScenarioParameter(
        "jitter", float, 0.0, minimum=0.0, maximum=1000.0, unit="ms", help="maximum jitter between frames"
    ),
    ScenarioParameter(
        "pixels", str, "netlink", choices=tuple(TRANSPORTS), help="transport of the frames to the viewer"
    ),
    ScenarioParameter(
        "cpus", int, 0, minimum=0, maximum=64, help="number of processors; 0: one for each program"
    ),
)
def camera(run: Run) -> None:
    machine = run.machine(cpus=run["cpus"] or None, instrumented=True)
    seen = Seen()
    if run["buffers"] != BUFFERS:
        machine.spawn(administrator, run["buffers"])
    machine.spawn(monitor, seen)
    machine.run(until=millis(5))
    machine.plug(Camera(jitter=millis(run["jitter"])))
    machine.run(until=millis(10))
    costs = {}
    if run["pixels"] == "mmap":
        costs["netlink"] = look_on(machine, run, Seen(), "netlink", SAMPLE)[0]
    costs[run["pixels"]], before = look_on(machine, run, seen, run["pixels"], run["duration"])
    report_discovery(run, seen)
    report_frame(run, seen)
    report_work(run, seen, before, machine.statistics)
    report_costs(run, costs)
    figures(run, seen)
    tell(run, seen, costs)


def look_on(
    machine: Machine, run: Run, seen: Seen, way: str, duration: float
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run a viewer. Return the cost of a frame, and the machine's counters before the viewer started."""
    before = machine.statistics
    machine.spawn(viewer, run, machine.trace, seen, way, duration, uid=VIEWER_UID, gid=VIDEO_GID)
    machine.run(until=machine.now + millis(10) + seconds(duration))
    machine.run()
    after = machine.statistics
    frames = max(1, len(seen.frames))
    cost = {
        "system_calls": round((after["system_calls"] - before["system_calls"]) / frames, 1),
        "copied": (after["copies"]["bytes"] - before["copies"]["bytes"]) // frames,
        "time": distribution(seen.handling)["p50"] or 0,
    }
    return cost, before


def report_discovery(run: Run, seen: Seen) -> None:
    """Report how udevd loads the driver and how the viewer finds the camera."""
    run.text(
        "The camera is plugged in at 5 ms. The kernel announces it. udevd passes the MODALIAS to modprobe, "
        "and modprobe loads the driver. The kernel announces each step:",
        detail=True,
    )
    run.table(
        "Uevents",
        ("time [ms]", "action", "device", "MODALIAS"),
        [(f"{time / 1e6:.6f}", *rest) for time, *rest in seen.uevents],
        detail=True,
    )
    given = seen.format
    run.text(
        f"The viewer, user {VIEWER_UID}, finds {seen.device['device']} at {seen.device['parent']}. It sets "
        f"the format {given['width']}x{given['height']} {given['pixel-format']}: {given['frame-bytes']} "
        f"bytes per frame, {given['interval'] / 1e6:.3f} ms between frames.",
        detail=True,
    )


def report_frame(run: Run, seen: Seen) -> None:
    """Report the steps of a frame from the middle of the stream."""
    if not seen.frames:
        return
    times = seen.middle
    begin = last = times["exposure-start"]
    rows = []
    for station, layer, _, what in STATIONS:
        time = times[station]
        text = what.format(last=LAST_STATION[run["pixels"]])
        rows.append((layer, text, time, f"{(time - begin) / 1000:.3f}", f"{(time - last) / 1000:.3f}"))
        last = time
    run.table(
        f"Frame {times['sequence']}, step by step",
        ("layer", "what happens", "clock [ns]", "since the exposure [µs]", "since the last [µs]"),
        rows,
        detail=True,
    )


def report_work(run: Run, seen: Seen, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Report how much the machine's counters increased since the viewer started, in all and per frame."""
    frames = max(1, len(seen.frames))
    since = {what: count(after) - count(before) for what, count in COUNTERS.items()}
    run.table(
        "Counters since the viewer started",
        ("what", "in all", "per frame read"),
        [(what, count, f"{count / frames:.1f}") for what, count in since.items()],
        detail=True,
    )


def report_costs(run: Run, costs: dict[str, dict[str, Any]]) -> None:
    """Report the costs of a frame. If frames are mapped, show the costs over netlink for comparison."""
    run.metric("frame_costs", costs)
    if len(costs) < 2:
        return
    sent, mapped = costs["netlink"], costs["mmap"]
    rows = [
        (what, sent[name], mapped[name], round(sent[name] - mapped[name], 1)) for name, what in COSTS.items()
    ]
    run.text(
        f"Before it mapped frames, the viewer read them over netlink for {SAMPLE} s. Events and settings "
        "use netlink in both cases. Over netlink the pixels are sent, too; mapped, they stay where the "
        "device has written them.",
        detail=True,
    )
    columns = ("what", "over netlink", "mapped", "saved")
    run.table("What a frame costs the viewer", columns, rows, detail=True)


def figures(run: Run, seen: Seen) -> None:
    """Report the metrics. The driver's counters were read after the last frame, before the stream stopped."""
    for name, counter in DRIVER_FIGURES.items():
        run.metric(name, seen.statistics[counter] - seen.base.get(counter, 0))
    run.metric("frames_read", len(seen.frames))
    run.metric("frames_too_late", seen.too_late)
    run.metric("parts_read", seen.parts)
    run.metric("bytes_delivered", seen.bytes)
    run.metric("checksum_errors", seen.checksum_errors)
    if run.jitter:
        run.metric("event_ns", quantiles(times["heard"] - times["announced"] for times in seen.frames))
    run.metric("latency_ns", distribution(times["read"] - times["exposure-start"] for times in seen.frames))


# -- the report's story ---------------------------------------------------------------


def tell(run: Run, seen: Seen, costs: dict[str, dict[str, Any]]) -> None:
    """Report the result: the paths of a request and of a frame, the lost frames, and a suggestion."""
    added, bound = (next(each[0] for each in seen.uevents if each[1] == action) for action in ("add", "bind"))
    loading = (
        "udevd loads its driver" if run["buffers"] == BUFFERS else "the driver that root has loaded binds it"
    )
    run.text(
        f"A camera is plugged in; {loading} in {(bound - added) / 1e6:.1f} ms. A viewer, user {VIEWER_UID}, "
        f"streams {seen.format['width']}x{seen.format['height']} {seen.format['pixel-format']} for "
        f"{run['duration']:g} s."
    )
    up = path_up(seen.middle, LAST_STATION[run["pixels"]]) if seen.frames else []
    comes = f"frame {seen.middle['sequence']} comes up" if seen.frames else "no frame is read"
    path = path_down(seen) + up
    rows = [("  " * LAYERS.index(layer) + layer, what, f"{ns / 1000:.3f}") for layer, what, ns in path]
    run.table(
        f"A request goes down, {comes}; each starts at 0 µs",
        ("layer", "what happens", "µs"),
        rows,
    )
    figures = run.metrics
    lost = figures["frames_dropped"]
    result = f"{figures['frames_read']} frames read, {lost} lost."
    run.text(f"{result} {suggestion(run, seen, lost)}".rstrip())
    if run.jitter:
        times = " · ".join(f"{name} {ns}" for name, ns in figures["event_ns"].items())
        run.text(f"From an event's multicast until recv() returns it [ns]: {times}")
    if len(costs) > 1:
        sent, mapped = costs["netlink"], costs["mmap"]
        run.text(
            f"For a mapped frame the kernel copies {mapped['copied']} bytes in {mapped['system_calls']} "
            f"system calls; over netlink {sent['copied']} bytes in {sent['system_calls']}."
        )


def path_down(seen: Seen) -> list[tuple[str, str, int]]:
    """Return the steps of the request that starts the stream: layer, description, ns since the call."""
    records = seen.request
    written = next(number for number, each in enumerate(records) if each.name == "rwmmio_write")
    calls = [number for number, each in enumerate(records) if each.name == "sys_enter" and number < written]
    call = records[calls[-1]]
    name = call.fields["call"]
    returned = next(each for each in records[written:] if each.fields.get("entered") == call.time)
    path = [("application", f"{name}(): the viewer requests the stream", call)]
    for each in records[calls[-1] : written]:
        if each.name in PATH_DOWN:
            path.append((*PATH_DOWN[each.name], each))
    register = records[written].fields["register"]
    path.append(("hardware", f"the driver writes register {register}", records[written]))
    path.append(("application", f"{name}() returns when the sensor runs", returned))
    return [(layer, what, each.time - call.time) for layer, what, each in path]


def path_up(times: dict[str, int], last: str) -> list[tuple[str, str, int]]:
    """Return the steps of a frame: layer, description, ns since the frame's exposure began."""
    begin = times["exposure-start"]
    return [(layer, what.format(last=last), times[station] - begin) for station, _, layer, what in STATIONS]


def suggestion(run: Run, seen: Seen, lost: int) -> str:
    """Suggest a value of the parameter `work`. If this run has lost frames, the next run with this value
    loses none. If this run has lost none, the next run loses some. Return "" if no value is certain to do so.
    """
    if lost:
        return "With --set work=0 the viewer keeps up." if run["work"] else ""
    if len(seen.frames) < 4 * run["buffers"]:
        return ""
    work = round(SLOW_VIEWER * seen.format["interval"] / 1e6)
    return f"With --set work={work} (ms a frame) the viewer loses some."
