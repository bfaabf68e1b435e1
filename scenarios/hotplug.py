"""A camera is unplugged while it streams, and plugged in again.

Covers: uevents and their order, MODALIAS, a simple udev; what happens to programs, memory and modules when a
    device is unplugged without warning.
Scenario: udevd does not run; a program of a dozen lines replaces it. A camera is plugged in, its driver is
    loaded, and a viewer streams. Then the camera is unplugged: the viewer receives stream-ended, and its next
    request fails with ENODEV. Later the camera is plugged in again, and the viewer starts a new stream.
When useful: to write a udev or a program that survives unplugging, and to see that no resource leaks.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import attrs

from simkernel import App, millis, seconds
from simkernel.hardware import Camera
from simkernel.scenario import Run, ScenarioParameter, scenario

PLUGGED = millis(5)


@attrs.define
class Seen:
    """Data that the programs record during the run, for the report."""

    uevents: list[tuple[Any, ...]] = attrs.field(factory=list)
    diary: list[tuple[int, str]] = attrs.field(factory=list)
    frames: list[int] = attrs.field(factory=list)
    """For each stream, the number of frames that the viewer has read."""
    refusals: list[int] = attrs.field(factory=list)
    """The errno of each request that failed because the camera was unplugged."""


async def udev(app: App, seen: Seen) -> None:
    """Load a module for each new device that has a MODALIAS, and record all uevents."""
    async for event in await app.uevents():
        alias = event.variables.get("MODALIAS", "")
        subsystem = event.variables["SUBSYSTEM"]
        number = int(event.variables["SEQNUM"])
        seen.uevents.append((app.monotonic_ns(), number, event.action, subsystem, event.devpath, alias))
        if event.action == "add" and alias:
            with suppress(FileNotFoundError):
                await app.modprobe(alias)


async def viewer(app: App, seen: Seen) -> None:
    """Stream from the camera whenever it is plugged in."""

    def note(text: str) -> None:
        seen.diary.append((app.monotonic_ns(), text))

    camera = await app.genetlink("camera")
    await camera.join("devices")
    await camera.join("frames")
    events = camera.events()
    if await camera.dump("get-device"):
        await begin(camera, note, seen)
    async for event in events:
        if event.name == "frame-ready":
            with suppress(FileNotFoundError, InterruptedError):
                await camera.dump("read-frame", sequence=event["sequence"])
                seen.frames[-1] += 1
            continue
        note(", ".join([event.name, *(str(value) for value in event.values())]))
        if event.name == "device-added":
            await begin(camera, note, seen)
        elif event.name == "stream-ended":
            try:
                await camera.do("get-format")
            except OSError as error:
                seen.refusals.append(error.errno or 0)
                note(str(error))


async def begin(camera: Any, note: Any, seen: Seen) -> None:
    """Set the camera's format, start a stream, and record the start in the viewer's diary."""
    device = await camera.do("get-device")
    await camera.do("set-format", width=320, height=240, pixel_format="GREY")
    await camera.do("stream-on")
    seen.frames.append(0)
    note(f"streams from {device['device']} at {device['parent']}")


@scenario(
    ScenarioParameter(
        "out", float, 1.0, minimum=0.01, maximum=3600.0, unit="s", help="time at which it is unplugged"
    ),
    ScenarioParameter(
        "away", float, 0.5, minimum=0.0, maximum=3600.0, unit="s", help="time until it is plugged in again"
    ),
    ScenarioParameter(
        "again", float, 1.0, minimum=0.01, maximum=3600.0, unit="s", help="duration of the second stream"
    ),
)
def hotplug(run: Run) -> None:
    machine = run.machine(udev=False)
    seen = Seen()
    device = Camera()
    machine.spawn(udev, seen)
    machine.run(until=PLUGGED)
    machine.plug(device)
    machine.run(until=2 * PLUGGED)
    machine.spawn(viewer, seen, uid=1000)
    out = seconds(run["out"])
    back = out + seconds(run["away"])
    machine.run(until=out)
    while_streaming = machine.statistics
    machine.unplug(device)
    machine.run(until=max(back, out + PLUGGED))
    while_away = machine.statistics
    machine.plug(device)
    machine.run(until=machine.now + seconds(run["again"]))
    report(run, seen, while_streaming, while_away, machine.statistics)


def report(run: Run, seen: Seen, *counters: dict[str, Any]) -> None:
    """Report the uevents, the viewer's diary, and the machine's counters in three states of the camera:
    streaming, unplugged, plugged in again.
    """
    run.text(
        f"A viewer streams from a camera, which is unplugged at {run['out']:g} s and plugged in again "
        f"{run['away']:g} s later. Frames read from each stream: {', '.join(map(str, seen.frames))}."
    )
    run.text(
        "The kernel announces a device, and a program loads its driver. If a device is added, the kernel "
        "announces it before its children. If a device is removed, the kernel announces its children first.",
        detail=True,
    )
    run.table(
        "Uevents",
        ("time [ms]", "SEQNUM", "ACTION", "SUBSYSTEM", "DEVPATH", "MODALIAS"),
        [(f"{time / 1e6:.6f}", *rest) for time, *rest in seen.uevents],
        detail=True,
    )
    run.table(
        "The viewer's diary",
        ("time [ms]", "event"),
        [(f"{time / 1e6:.6f}", text) for time, text in seen.diary],
    )
    run.table(
        "What the machine holds",
        ("resource", "streaming", "unplugged", "plugged in again"),
        [
            ("bytes of DMA memory", *(each["dma"]["allotted"] for each in counters)),
            ("modules", *(each["modules"]["loaded"] for each in counters)),
            ("leaks", *(each["modules"]["leaks"] for each in counters)),
            ("bus errors", *(each["bus"]["errors"] for each in counters)),
            ("oopses", *(each["oopses"] for each in counters)),
        ],
    )
    away = counters[1]
    run.metric("uevents", len(seen.uevents))
    run.metric("frames_per_stream", seen.frames)
    run.metric("refused_with", seen.refusals)
    run.metric("dma_bytes_while_away", away["dma"]["allotted"])
    run.metric("leaks", counters[2]["modules"]["leaks"])
    run.metric("oopses", counters[2]["oopses"])
