"""Lesson 3: a driver's module from insmod to rmmod, in the order of your steps.

Covers: plugging, MODALIAS, probing, uevents, udev; insmod and dependencies, rmmod of a module in use,
    unplugging while a program streams; modules that are no drivers.
Scenario: Root executes the steps of the parameter `steps`, 0.2 s apart. Devices are plugged and unplugged,
    modules are loaded and unloaded, a program streams from the camera. Each step is reported with its result,
    the announcements of the kernel, and the modules that are loaded after it.
When useful: to learn in which order a driver comes and goes, and which errors a wrong order gets.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from simkernel import App, SimulationError, millis
from simkernel.hardware import Camera, Mouse
from simkernel.scenario import Parameter, Run, scenario
from simkernel.uapi.errno import error_name, strerror
from simkernel.uapi.signal import SIGTERM

STEPS: Final = """\
plug camera
insmod devclass
insmod video
insmod camera
stream
rmmod camera
"""
DEVICES: Final = {"camera": Camera, "mouse": Mouse}
ALONE, WITH_DEVICE, WITH_MODULE = ("stream", "stop"), ("plug", "unplug"), ("insmod", "modprobe", "rmmod")
FORMS: Final = "plug or unplug and camera or mouse; insmod, modprobe or rmmod and a module; stream; stop"
PAUSE: Final = millis(200)


def parse(text: str) -> list[tuple[str, str]]:
    """Return the steps, each as a verb and its object."""
    steps = []
    for number, line in enumerate(text.splitlines(), 1):
        verb, _, name = line.partition("#")[0].strip().partition(" ")
        known = verb in WITH_MODULE or (verb in WITH_DEVICE and name in DEVICES) if name else verb in ALONE
        if verb and not known:
            raise SimulationError(f"line {number} of the steps is {line.strip()!r}: write {FORMS}")
        if verb:
            steps.append((verb, name))
    return steps


async def viewer(app: App, frames: list[int]) -> None:
    """Stream from the camera."""
    camera = await app.genetlink("camera")
    await camera.join("frames")
    await camera.do("set-format", width=160, height=120, pixel_format="GREY")
    await camera.do("stream-on")
    async for event in camera.events("frame-ready"):
        frames.append(event["sequence"])


@attrs.define
class Seen:
    """The machine as the steps have left it."""

    modules: list[tuple[str, str, str]] = attrs.field(factory=list)
    """Each module, its users and its drivers, the newest first."""
    aliases: dict[str, str] = attrs.field(factory=dict)
    """The MODALIAS of each device on the bus."""
    events: list[str] = attrs.field(factory=list)
    """Announcements and probes of the present step."""
    errors: list[str] = attrs.field(factory=list)
    flows: dict[str, int] = attrs.field(factory=dict)
    step: str = ""

    async def look(self, app: App) -> None:
        """Look up the modules and the devices."""
        self.modules = []
        for each in await app.lsmod():
            folder = f"/sys/module/{each['name']}"
            drivers = await app.listdir(f"{folder}/drivers") if "drivers" in await app.listdir(folder) else []
            self.modules.append((each["name"], ", ".join(each["users"]), ", ".join(drivers)))
        for name in await app.listdir("/sys/bus/simbus/devices"):
            alias = await app.read_file(f"/sys/bus/simbus/devices/{name}/modalias")
            self.aliases[name] = alias.decode().strip()

    async def attempt(self, app: App, program: Any, *arguments: Any) -> None:
        """Run a program and note its error."""
        try:
            await program(app, *arguments)
        except OSError as error:
            self.errors.append(f"{error_name(error.errno or 0)}: {strerror(error.errno or 0)}")

    def watch(self, record: Any) -> None:
        """Note a record of the trace."""
        if record.flow and self.step:
            self.flows.setdefault(self.step, record.flow)
        if record.name == "probe":
            self.events.append(f"probe {record.fields['device']}")
        elif record.name == "kobject_uevent" and record.fields["devpath"].startswith(("/devices", "/module")):
            self.events.append(f"{record.fields['action']} {record.fields['devpath'].rpartition('/')[2]}")


@scenario(
    Parameter("steps", str, STEPS, help="one step a line"),
    Parameter("udev", bool, False, help="run udevd, a program that loads a module for each new device"),
)
def modules(run: Run) -> None:
    steps = parse(run["steps"])
    machine = run.machine(udev=run["udev"])
    machine.run(until=millis(10))
    seen = Seen()
    machine.trace.subscribe(seen.watch)
    devices: dict[str, Any] = {}
    viewers: list[Any] = []
    frames: list[int] = []
    rows: list[tuple[str, ...]] = []
    most = seen.modules
    loaded = ""
    for number, (verb, name) in enumerate(steps, 1):
        step = f"{number}. {verb} {name}".strip()
        seen.step = step if verb in ("stream", *WITH_DEVICE) else ""
        seen.events, seen.errors = [], []
        if verb == "plug":
            machine.plug(devices.setdefault(name, DEVICES[name]()))
        elif verb == "unplug":
            machine.unplug(devices.setdefault(name, DEVICES[name]()))
        elif verb == "stream":
            viewers.append(machine.spawn(seen.attempt, viewer, frames, name="viewer", uid=1000))
        elif verb == "stop":
            for each in viewers:
                each.kill(SIGTERM)
        else:
            machine.spawn(seen.attempt, getattr(App, verb), name, name=verb)
        machine.run(until=machine.now + PAUSE)
        events, failed = seen.events, seen.errors or ["done"]
        machine.spawn(seen.look, name="look")
        machine.run(until=machine.now + PAUSE)
        most = max(most, seen.modules, key=len)
        told = ", ".join(
            f"{each} {seen.aliases.get(each.removeprefix('add '), '')}".strip() for each in events
        )
        loaded = ", ".join(name for name, _, _ in seen.modules)
        rows.append((step, failed[0], told, loaded))
    run.table("The steps", ("step", "result", "the kernel announces", "modules then"), rows)
    run.table("The modules, when most were loaded", ("module", "used by", "drivers"), most)
    for step, flow in seen.flows.items():
        run.follow(step, flow)
    refused = [step for step, result, *_ in rows if result != "done"]
    missing = {
        "no frame has come": not frames,
        f"steps that fail: {'; '.join(refused)}": refused,
        f"modules that are still loaded: {loaded}": seen.modules,
        "the kernel has oopsed": machine.statistics["oopses"],
    }
    left = "; ".join(text for text, holds in missing.items() if holds)
    run.metric("frames", len(frames))
    run.goal(not left, left or f"{len(frames)} frames have come, no step has failed, and no module is left")
