"""What are drivers, and where do they sit?  Between what is common to all devices of a kind, and the bus."""

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
    """A device without a driver, with one, what goes through it, its neighbours, and without it again."""
    mouse = Mouse()
    without(stage, mouse)
    loading(stage)
    down(stage)
    up(stage, mouse)
    neighbours(stage)
    unloading(stage, mouse)
    stage.answer(
        "A driver is the code in the kernel that knows the registers of one kind of device. It sits between "
        "the bus below, over which it reads and writes them, and the kernel's common code above, by which "
        "programs reach it. Requests go down through it, and what the device reports comes up through it."
    )


async def looker(app: App) -> tuple[str, str, str]:
    """Looks whether the mouse is there, which driver it has, and for its node."""
    device = "there" if await app.access(ON_THE_BUS, F_OK) else "not there"
    link = await result_or_error(app.readlink(f"{ON_THE_BUS}/driver"))
    status = await result_or_error(app.stat(NODE))
    if isinstance(status, str):
        return device, last_part(link), status
    node = "a character device" if kind(status.st_mode) == S_IFCHR else "something else"
    return device, last_part(link), node


def last_part(path: str) -> str:
    """The name of what a path leads to."""
    return path.rpartition("/")[2]


# -- without a driver -----------------------------------------------------------------


def without(stage: Stage, mouse: Mouse) -> None:
    """The bus notices a mouse; nobody can use it."""
    stage.say("A mouse is plugged in, and 1 ms later it is moved. No driver for it is loaded.")
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
        "A device without a driver is noticed and announced, and that is all: nothing in /dev, nobody who "
        "has told it to report, and when it is moved nobody hears of it."
    )


# -- with a driver --------------------------------------------------------------------


def loading(stage: Stage) -> None:
    """The driver is loaded and takes the device."""
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
        "The driver says which devices it serves; the kernel has it probe the one that is there. It sets the "
        f"device up by its registers, and makes what programs can open: {NODE}."
    )


# -- down and up ----------------------------------------------------------------------


async def setter(app: App, stage: Stage) -> Watch:
    """Asks the driver for a quicker mouse."""
    mouse = await app.genetlink("mouse")
    with stage.shown("genl_doit", *ACCESSES) as seen:
        await mouse.do("set-rate", rate=RATE)
    await mouse.close()
    return seen


def down(stage: Stage) -> None:
    """A request, from the program to the register."""
    stage.say("A request goes down: the mouse shall report 1000 times a second.")
    seen = stage.do(setter, stage, name="setter", uid=USER)
    call, end = stage.one(seen, "sys_enter", call="sendto"), stage.one(seen, "sys_exit", call="sendto")
    asked, written = stage.one(seen, "genl_doit"), stage.one(seen, "rwmmio_write")
    stage.fact("register_written", written.fields["register"], "RATE")
    stage.fact("value_written", written.fields["value"], RATE)
    stage.legs(
        "Down",
        ("the program calls", "", call.time),
        ("the driver is asked", "kernel", asked.time),
        ("the register has it", "driver, bus", written.time),
        ("the program goes on", "kernel", end.time),
    )
    stage.so(
        "The program spoke of a rate, and its call ended in the kernel; the kernel asked the driver; the "
        "driver wrote a register over the bus."
    )


async def reader(app: App, moves: list[str]) -> None:
    """Waits for a move."""
    fd = await app.open(NODE, O_RDONLY)
    data = await app.read(fd, BUFSIZE)
    for at in range(0, len(data), InputEvent.SIZE):
        event = InputEvent.unpack(data, at)
        moves.append(f"{event_name(event.type, event.code)} {event.value}")


def up(stage: Stage, mouse: Mouse) -> None:
    """A move, from the device to the program."""
    stage.say("A move comes up: a program waits for it.")
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
        "The mouse raised its line; the kernel called the driver's handler; the driver read from the "
        "registers what had happened and told the kernel's input core; and that woke the program."
    )


# -- where it sits --------------------------------------------------------------------


async def tracer(app: App) -> tuple[str, str]:
    """Asks where the node comes from, and who uses the module `input`."""
    node = await app.readlink("/sys/class/input/event0")
    return node, " ".join(await app.listdir("/sys/module/input/holders"))


async def surveyor(app: App, path: str) -> list[tuple[str, ...]]:
    """Asks of each directory on a path below /sys/devices what it belongs to and what drives it."""
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
    """What is above the driver and what is below."""
    stage.say("Where is that? /sys tells: the way from the bus to the node, and who uses whom.")
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
        "Below the driver is the bus, which knows that there is a device and not what it is. Above it is the "
        "input core, which knows what a mouse is and not which one. The driver is what joins them."
    )


# -- and gone -------------------------------------------------------------------------


def unloading(stage: Stage, mouse: Mouse) -> None:
    """Without the driver the device is as before."""
    stage.say("The driver is unloaded, and the mouse is moved once more.")
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
    stage.so("The node has gone with the driver, for it was the driver's. The device is there, and mute.")
