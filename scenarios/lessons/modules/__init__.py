"""Lesson 3: a driver's module from insmod to rmmod. The student chooses the order of the steps.

Covers: plugging, MODALIAS, probing, uevents, udev; insmod and dependencies, rmmod of a module in use,
    unplugging while a program streams; modules that are not drivers.
Scenario: Root executes the steps in the parameter `steps`, 0.2 s apart. Devices are plugged and unplugged,
    modules are loaded and unloaded, a program streams from the camera. Each step is reported with its result,
    the kernel's announcements, and the modules that are loaded after it.
When useful: to learn the order in which a driver is loaded and unloaded, and the errors of a wrong order.
"""

from __future__ import annotations

from typing import Any, Final

from simkernel import App, SimulationError, millis
from simkernel.hardware import Camera, Mouse
from simkernel.scenario import Run, ScenarioParameter, scenario
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
FOLLOWED: Final = ("plug", "unplug", "stream")
BUS: Final = "/sys/bus/simbus/devices"
FORMS: Final = "plug or unplug and camera or mouse; insmod, modprobe or rmmod and a module; stream; stop"
PAUSE: Final = millis(200)


def parse(text: str) -> list[tuple[str, str]]:
    """Return the steps as pairs, such as ("insmod", "camera") or ("stream", "").

    Raise SimulationError if a line is not a valid step.
    """
    steps = []
    for number, line in enumerate(text.splitlines(), 1):
        verb, _, name = line.partition("#")[0].strip().partition(" ")
        known = verb in WITH_MODULE or (verb in WITH_DEVICE and name in DEVICES) if name else verb in ALONE
        if verb and not known:
            raise SimulationError(f"line {number} of the steps is {line.strip()!r}: write {FORMS}")
        if verb:
            steps.append((verb, name))
    return steps


async def viewer(app: App, frames: list[int], errors: list[Exception]) -> None:
    """Stream from the camera and record the frames."""
    try:
        camera = await app.genetlink("camera")
        await camera.join("frames")
        await camera.do("set-format", width=160, height=120, pixel_format="GREY")
        await camera.do("stream-on")
        async for event in camera.events("frame-ready"):
            frames.append(event["sequence"])
    except OSError as error:
        errors.append(error)


class Seen:
    """The uevents and driver probes of the current step of the lesson, and one flow id for each step."""

    def __init__(self) -> None:
        self.step = ""
        self.events: list[str] = []
        """The uevents and driver probes of the step, as text."""
        self.flows: dict[str, int] = {}
        """Maps each step of the lesson to the flow id of its earliest trace record that has one."""

    def watch(self, record: Any) -> None:
        """Record the first flow id of a step, its driver probes and its uevents."""
        fields = record.fields
        if record.flow and self.step:
            self.flows.setdefault(self.step, record.flow)
        if record.name == "probe":
            self.events.append(f"probe {fields['device']}")
        elif record.name == "kobject_uevent" and fields["devpath"].startswith(("/devices", "/module")):
            self.events.append(f"{fields['action']} {fields['devpath'].rpartition('/')[2]}")


def described(event: str, root: Any) -> str:
    """Return the text of an event, with the MODALIAS if it announces a device on the bus."""
    action, _, name = event.partition(" ")
    if action != "add" or name not in root.listdir(BUS):
        return event
    return f"{event} (MODALIAS {root.read_file(f'{BUS}/{name}/modalias').decode().strip()})"


def described_error(error: Exception) -> str:
    """Return the name and the text of an OSError's errno, or the text of an error that has no errno."""
    number = error.errno if isinstance(error, OSError) else None
    return f"{error_name(number)}: {strerror(number)}" if number else str(error)


def drivers(module: str, root: Any) -> str:
    """Return the names of the drivers that a module has registered."""
    folder = f"/sys/module/{module}"
    return ", ".join(root.listdir(f"{folder}/drivers")) if "drivers" in root.listdir(folder) else ""


@scenario(
    ScenarioParameter("steps", str, STEPS, help="one step a line"),
    ScenarioParameter(
        "udev", bool, False, help="run udevd, a program that loads a module for each new device"
    ),
)
def modules(run: Run) -> None:
    steps = parse(run["steps"])
    machine = run.machine(udev=run["udev"])
    root = machine.blocking()
    machine.run(until=millis(10))
    seen = Seen()
    machine.trace.subscribe(seen.watch)
    devices: dict[str, Any] = {}
    viewers: list[Any] = []
    frames: list[int] = []
    rows: list[tuple[str, ...]] = []
    most: list[tuple[str, ...]] = []
    left = ""
    for number, (verb, name) in enumerate(steps, 1):
        step = f"{number}. {verb} {name}".strip()
        seen.step, seen.events = step if verb in FOLLOWED else "", []
        errors: list[Exception] = []
        try:
            if verb in WITH_DEVICE:
                getattr(machine, verb)(devices.setdefault(name, DEVICES[name]()))
            elif verb in WITH_MODULE:
                getattr(root, verb)(name)
            elif verb == "stream":
                viewers.append(machine.spawn(viewer, frames, errors, name="viewer", uid=1000))
            for each in viewers if verb == "stop" else ():
                each.kill(SIGTERM)
        except (OSError, SimulationError) as error:
            errors.append(error)
        machine.run(until=machine.now + PAUSE)
        result = [*map(described_error, errors), "done"]
        loaded: list[tuple[str, ...]] = [
            (each["name"], ", ".join(each["users"]), drivers(each["name"], root)) for each in root.lsmod()
        ]
        most = max(most, loaded, key=len)
        left = ", ".join(name for name, _, _ in loaded)
        rows.append((step, result[0], ", ".join(described(each, root) for each in seen.events), left))
    run.table("The steps", ("step", "result", "the kernel announces", "modules then"), rows)
    if most:
        run.table("The modules, when most were loaded", ("module", "used by", "its driver"), most)
    for step, flow in seen.flows.items():
        run.follow(step, flow)
    failed = [step for step, result, *_ in rows if result != "done"]
    missing = {
        "no frame has come": not frames,
        f"steps that fail: {', '.join(failed)}": failed,
        f"modules that are still loaded: {left}": left,
        "the kernel has oopsed": machine.statistics["oopses"],
    }
    why = "; ".join(text for text, holds in missing.items() if holds)
    run.metric("frames", len(frames))
    run.goal(not why, why or f"{len(frames)} frames have come, no step has failed, and no module is left")
