"""The question about drivers: a driver sits between the bus and the kernel's common code, such as the input
core.
"""

from __future__ import annotations

from typing import Final

from simkernel import App, millis
from simkernel.hardware import Mouse
from simkernel.scenario import Watch
from simkernel.uapi.fcntl import O_RDONLY
from simkernel.uapi.input import InputEvent
from simkernel.uapi.input_event_codes import event_name
from simkernel.uapi.stat import S_IFCHR, kind

from .stage import ACCESSES, ROOT, USER, Stage, result_or_error

NODE: Final = "/dev/input/event0"
ON_THE_BUS: Final = "/sys/bus/simbus/devices/0:1"
RATE: Final = 1000
BUFSIZE: Final = 64 * InputEvent.SIZE
STEPS: Final = 3
F_OK: Final = 0


def drivers(stage: Stage) -> None:
    """Show a mouse before its driver is loaded, with the driver, and after the driver is unloaded. Show a
    request and an event that pass through the driver.
    """
    mouse = Mouse()
    without(stage, mouse)
    loading(stage)
    down(stage)
    up(stage, mouse)
    neighbours(stage)
    unloading(stage, mouse)
    stage.answer(
        "A driver is the code in the kernel that knows the registers of one kind of device. It sits between "
        "the bus and the kernel's common code. It reads and writes registers over the bus, and programs "
        "reach it through the common code. Requests pass down through it, and events pass up."
    )


async def looker(app: App) -> tuple[str, str, str]:
    """Return three facts: whether the mouse is on the bus, which driver binds it, and the file type of
    its device node.
    """
    device = "there" if await app.access(ON_THE_BUS, F_OK) else "not there"
    link = await result_or_error(app.readlink(f"{ON_THE_BUS}/driver"))
    status = await result_or_error(app.stat(NODE))
    if isinstance(status, str):
        return device, last_part(link), status
    node = "a character device" if kind(status.st_mode) == S_IFCHR else "something else"
    return device, last_part(link), node


def last_part(path: str) -> str:
    """Return the last component of a path."""
    return path.rpartition("/")[2]


# -- without a driver -----------------------------------------------------------------


def without(stage: Stage, mouse: Mouse) -> None:
    """Show that the bus detects a mouse which no driver binds."""
    stage.say("A mouse is plugged in. 1 ms later it is moved. Its driver is not loaded.")
    with stage.shown("plug", "irq_raise", "irq_handler_entry", "kobject_uevent", "report") as seen:
        stage.plug(mouse)
        plugged = stage.machine.now
        stage.machine.at(plugged + millis(1), mouse.move, STEPS)
        stage.pass_time(millis(20))
        device, driver, node = stage.do(looker, name="looker", uid=USER)
    later = [each for each in seen.named("irq_raise") if each.time > plugged + millis(1)]
    stage.fact("uevents", len(seen.named("kobject_uevent")), 1)
    stage.fact("device", device, "there")
    stage.fact("driver", driver, "ENOENT")
    stage.fact("node", node, "ENOENT")
    stage.fact("interrupts_by_moving", len(later) + len(seen.named("report")), 0)
    stage.so(
        "The kernel detects and announces a device without a driver, but it does no more. The device has no "
        "node in /dev. No driver has enabled its reports, so a motion has no effect."
    )


# -- with a driver --------------------------------------------------------------------


def loading(stage: Stage) -> None:
    """Show that the driver is loaded and binds the mouse."""
    stage.say("Root loads the driver.")
    with stage.shown("module_load", "probe", "kobject_uevent", *ACCESSES) as seen:
        stage.do(lambda app: app.modprobe("mouse"), name="modprobe")
        _, driver, node = stage.do(looker, name="looker", uid=USER)
    loaded = [each.fields["module"] for each in seen.named("module_load")]
    probe = stage.one(seen, "probe")
    stage.fact("modules_loaded", " ".join(loaded), "devclass input mouse")
    stage.fact("device_that_it_takes", probe.fields["device"], "0:1")
    stage.fact("written_at_last", seen.named("rwmmio_write")[-1].fields["register"], "CONTROL")
    stage.fact("driver_now", driver, "mouse")
    stage.fact("node_now", node, "a character device")
    stage.so(
        "The driver declares which devices it supports, and the kernel calls its probe function for the "
        "mouse. The driver initializes the mouse through its registers and makes a node for programs: "
        f"{NODE}."
    )


# -- requests and events --------------------------------------------------------------


async def setter(app: App, stage: Stage) -> Watch:
    """Request a higher report rate from the driver."""
    mouse = await app.genetlink("mouse")
    with stage.shown("genl_doit", *ACCESSES) as seen:
        await mouse.do("set-rate", rate=RATE)
    await mouse.close()
    return seen


def down(stage: Stage) -> None:
    """Show how a program's request for a higher report rate reaches the mouse's register."""
    stage.say("A request goes down: the program sets the mouse's rate to 1000 reports per second.")
    seen = stage.do(setter, stage, name="setter", uid=USER)
    call, end = stage.one(seen, "sys_enter", call="sendto"), stage.one(seen, "sys_exit", call="sendto")
    asked, written = stage.one(seen, "genl_doit"), stage.one(seen, "rwmmio_write")
    stage.fact("register_written", written.fields["register"], "RATE")
    stage.fact("value_written", written.fields["value"], RATE)
    stage.legs(
        "Down",
        ("the program calls", "", call.time),
        ("the driver is called", "kernel", asked.time),
        ("the register is written", "driver, bus", written.time),
        ("the program continues", "kernel", end.time),
    )
    stage.so(
        "The program passed a rate to a system call. The kernel passed the request to the driver. The driver "
        "wrote a register over the bus."
    )


async def reader(app: App, moves: list[str]) -> None:
    """Block in read(2) until the mouse reports a motion, and append the events to `moves`."""
    fd = await app.open(NODE, O_RDONLY)
    data = await app.read(fd, BUFSIZE)
    for at in range(0, len(data), InputEvent.SIZE):
        event = InputEvent.unpack(data, at)
        moves.append(f"{event_name(event.type, event.code)} {event.value}")


def up(stage: Stage, mouse: Mouse) -> None:
    """Show how the report of a motion reaches a program that waits for it."""
    stage.say("An event travels up through the layers: a program waits for a motion of the mouse.")
    moves: list[str] = []
    stage.prepare(node=NODE)
    points = ("report", "irq_raise", "irq_handler_entry", "irq_handler_exit", *ACCESSES)
    with stage.shown(*points) as seen:
        stage.spawn(reader, moves, name="reader", uid=USER)
        stage.machine.run()
        mouse.move(STEPS)
        stage.machine.run()
    report, begun = stage.one(seen, "report"), stage.one(seen, "irq_handler_entry")
    done, told = stage.one(seen, "irq_handler_exit"), stage.one(seen, "sys_exit", call="read")
    stage.fact("event", " ".join(moves[:1]), f"REL_X {STEPS}")
    stage.fact("reports", report.fields["dx"], STEPS)
    stage.fact("handler", begun.fields["name"], "mouse")
    stage.legs(
        "Up",
        ("the mouse has a report", "", report.time),
        ("the handler begins", "kernel", begun.time),
        ("the handler is done", "driver, bus", done.time),
        ("the program has the event", "kernel", told.time),
    )
    stage.so(
        "The mouse raised its interrupt line, and the kernel called the driver's handler. The handler read "
        "the report from the registers and passed it to the kernel's input core, which woke the program."
    )


# -- the code above and below ---------------------------------------------------------


async def tracer(app: App) -> tuple[str, str]:
    """Return the sysfs path of the mouse's event device, and the modules that use the module `input`."""
    node = await app.readlink("/sys/class/input/event0")
    return node, " ".join(await app.listdir("/sys/module/input/holders"))


async def surveyor(app: App, path: str) -> list[tuple[str, ...]]:
    """Return one tuple for each directory in a sysfs path: the directory's name, subsystem and driver. `path`
    is relative to /sys/devices.
    """
    place = "/sys/devices"
    floors: list[tuple[str, ...]] = []
    for part in path.split("/"):
        place += f"/{part}"
        links = []
        for name in ("subsystem", "driver"):
            try:
                target = await app.readlink(f"{place}/{name}")
            except FileNotFoundError:
                target = ""
            links.append(target.replace("../", ""))
        floors.append((part, *links))
    return floors


def neighbours(stage: Stage) -> None:
    """Show in sysfs that the driver is between the bus and the input core."""
    stage.say(
        "Where is the driver? sysfs shows the path from the bus to the node, and the modules that "
        "use the input core."
    )
    with stage.shown():
        link, users = stage.do(tracer, name="tracer", uid=USER)
    path = link.removeprefix("../../devices/")
    floors = stage.do(surveyor, path, name=ROOT)
    stage.table("From the bottom to the top", ("directory", "subsystem", "driver"), floors)
    driven = [part for part, _, driver in floors if driver]
    stage.fact("path_of_the_node", path, "simbus0/0:1/input/input0/event0")
    stage.fact("what_has_a_driver", " ".join(driven), "0:1")
    stage.fact("driver_there", last_part(floors[1][2]), "mouse")
    stage.fact("below", last_part(floors[1][1]), "simbus")
    stage.fact("above", last_part(floors[-1][1]), "input")
    stage.fact("users_of_input", users, "mouse")
    stage.so(
        "Below the driver is the bus. It knows that a device is present, but not its kind. Above the driver "
        "is the input core. It knows mice, but not this model. The driver connects the two."
    )


# -- after unloading ------------------------------------------------------------------


def unloading(stage: Stage, mouse: Mouse) -> None:
    """Show that the driver is unloaded, and that the mouse is then as it was before its driver was loaded."""
    stage.say("The driver is unloaded, and the mouse is moved again.")
    with stage.shown("remove", "kobject_uevent", "module_free", "report", "irq_raise", *ACCESSES) as seen:
        stage.do(lambda app: app.rmmod("mouse"), name="rmmod")
        mouse.move(STEPS)
        stage.pass_time(millis(20))
        device, driver, node = stage.do(looker, name="looker", uid=USER)
    stage.fact("devices_let_go", len(seen.named("remove")), 1)
    stage.fact("device_at_last", device, "there")
    stage.fact("driver_at_last", driver, "ENOENT")
    stage.fact("node_at_last", node, "ENOENT")
    stage.fact("reports_at_last", len(seen.named("report") + seen.named("irq_raise")), 0)
    stage.so("The driver has removed its node. The device is still on the bus, but it sends nothing.")
