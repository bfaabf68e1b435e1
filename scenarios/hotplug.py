"""A camera is torn out while it streams, and plugged in again.

Covers: uevents and their order, MODALIAS, a udev of one's own; what happens to programs, memory and
    modules when a device goes away without warning.
Scenario: No udevd runs; a program of a dozen lines does its work. A camera is plugged in, gets its
    driver, and a viewer streams. In the middle of that it is torn out: the viewer is told that its
    stream has ended, and what it asks is answered by ENODEV. Then the camera comes back, and with it the
    pictures.
When useful: to write a udev or a program that survives unplugging, and to see that nothing is left behind.
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
    """What the programs have seen, and the machine's counters while the camera was away."""

    uevents: list[tuple[Any, ...]] = attrs.field(factory=list)
    diary: list[tuple[int, str]] = attrs.field(factory=list)
    frames: list[int] = attrs.field(factory=list)
    """How many frames each stream had."""
    refusals: list[int] = attrs.field(factory=list)
    """The errno of each request that found the camera gone."""


async def udev(app: App, seen: Seen) -> None:
    """Loads a module for each device that asks for one.  What is announced goes into a list."""
    async for event in await app.uevents():
        alias = event.variables.get("MODALIAS", "")
        subsystem = event.variables["SUBSYSTEM"]
        number = int(event.variables["SEQNUM"])
        seen.uevents.append((app.monotonic_ns(), number, event.action, subsystem, event.devpath, alias))
        if event.action == "add" and alias:
            with suppress(FileNotFoundError):
                await app.modprobe(alias)


async def viewer(app: App, seen: Seen) -> None:
    """Streams whenever there is a camera."""

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
    """Begin a stream."""
    device = await camera.do("get-device")
    await camera.do("set-format", width=320, height=240, pixel_format="GREY")
    await camera.do("stream-on")
    seen.frames.append(0)
    note(f"streams from {device['device']} at {device['parent']}")


@scenario(
    ScenarioParameter("out", float, 1.0, minimum=0.01, maximum=3600.0, unit="s", help="when it is torn out"),
    ScenarioParameter(
        "away", float, 0.5, minimum=0.0, maximum=3600.0, unit="s", help="how long it stays away"
    ),
    ScenarioParameter(
        "again", float, 1.0, minimum=0.01, maximum=3600.0, unit="s", help="how long it is back"
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
    """Write down what was seen, and the counters of three instants."""
    run.text(
        f"A viewer streams from a camera, which is unplugged at {run['out']:g} s and plugged in again "
        f"{run['away']:g} s later. Frames read from each stream: {', '.join(map(str, seen.frames))}."
    )
    run.text(
        "Nothing loads itself for a device: the kernel announces it, and a program does the rest. Parents "
        "are announced before their children, and taken away after them.",
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
        ("time [ms]", "what"),
        [(f"{time / 1e6:.6f}", text) for time, text in seen.diary],
    )
    run.table(
        "What the machine holds",
        ("what", "streaming", "torn out", "back"),
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
