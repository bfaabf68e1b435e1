"""Is every module a driver?  No, and not every driver is a module."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from simkernel import App
from simkernel.hardware import Camera, Mouse
from simkernel.uapi.fcntl import O_WRONLY
from simkernel.uapi.netlink import NLM_F_REQUEST, NLMSG_MIN_TYPE, message, reply
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW

from .stage import ACCESSES, ROOT, USER, Stage

DRIVERS: Final = "/sys/bus/simbus/drivers"
NETLINK_HELLO: Final = 17
"""Number of the netlink protocol that the module `hello` registers."""
BUFSIZE: Final = 4096


def modules(stage: Stage) -> None:
    """Show a built-in driver, modules that are drivers, and modules that are not."""
    built_in(stage)
    loaded(stage)
    greeting(stage)
    stage.answer(
        "No. A module is code that is loaded into the running kernel; a driver is code that binds a device. "
        "The modules camera and mouse are also drivers. The driver of the hot-plug controller is built in, "
        "so it is no module. The modules devclass, hello, input and video are no drivers."
    )


# -- a built-in driver --------------------------------------------------------------------


async def looker(app: App) -> tuple[str, str, int]:
    """Return the texts of /proc/modules and /proc/interrupts, and the result of a write to /dev/null."""
    modules = (await app.read_file("/proc/modules")).decode()
    interrupts = (await app.read_file("/proc/interrupts")).decode()
    fd = await app.open("/dev/null", O_WRONLY)
    written = await app.write(fd, b"hello")
    await app.close(fd)
    return modules, interrupts, written


def built_in(stage: Stage) -> None:
    """Show that a built-in driver detects a device when no module is loaded."""
    stage.say(
        "No module is loaded. A camera is plugged in, and a program reads /proc/modules and /proc/interrupts."
    )
    with stage.shown("plug", "irq_raise", "irq_handler_entry", "kobject_uevent", *ACCESSES) as seen:
        stage.plug(Camera())
        stage.machine.run()
        modules, interrupts, written = stage.do(looker, name="looker", uid=USER)
    handlers = [line.split()[-1] for line in interrupts.splitlines()[1:]]
    taken = stage.one(seen, "irq_handler_entry")
    stage.fact("modules_loaded", len(modules.splitlines()), 0)
    stage.fact("interrupt_taken_by", taken.fields["name"], "hotplug")
    stage.fact("handlers_in_proc_interrupts", " ".join(handlers), "hotplug")
    stage.fact("bytes_written_to_null", str(written), "5")
    stage.note("register_accesses", len(seen.named("rwmmio_read") + seen.named("rwmmio_write")))
    stage.so(
        "The driver of the hot-plug controller handled an interrupt and accessed registers. /dev/null "
        "accepted 5 bytes. This driver and /dev/null are built into the kernel, so /proc/modules does not "
        "list them."
    )


# -- modules with and without drivers -------------------------------------------------------


async def lister(app: App) -> list[tuple[str, str, str, str]]:
    """Return a tuple for each loaded module: its name, the modules that use it, its drivers, and the devices
    that the drivers bind.
    """
    found = []
    for each in await app.lsmod():
        name = each["name"]
        registered = []
        with suppress(FileNotFoundError):  # a module without a driver has no directory `drivers`
            registered = await app.listdir(f"/sys/module/{name}/drivers")
        devices = [
            link
            for driver in registered
            for link in await app.listdir(f"{DRIVERS}/{driver.partition(':')[2]}")
            if ":" in link
        ]
        found.append((name, " ".join(each["users"]), " ".join(registered), " ".join(devices)))
    return found


def loaded(stage: Stage) -> None:
    """Show six modules, of which two are drivers."""
    stage.say(
        "Root plugs in a mouse, too, and loads the modules camera, mouse and hello; modprobe also loads the "
        "modules that they need. Then a program reads /proc/modules, /sys/module/*/drivers and "
        "/sys/bus/simbus/drivers."
    )
    stage.plug(Mouse())
    with stage.shown("module_load", "probe") as seen:
        stage.prepare("camera", "mouse", "hello")
    found = stage.do(lister, name=ROOT)
    stage.table("The modules", ("module", "used by", "its drivers", "and their devices"), found)
    drivers = sorted(name for name, _, registered, _ in found if registered)
    others = sorted(name for name, _, registered, _ in found if not registered)
    stage.fact("drivers", " ".join(drivers), "camera mouse")
    stage.fact("not_drivers", " ".join(others), "devclass hello input video")
    stage.fact("devices_served", sum(len(devices.split()) for *_, devices in found), 2)
    stage.fact("devices_probed", len(seen.named("probe")), 2)
    stage.so(
        "Two of six modules have registered a driver, and each driver has bound a device. The other four "
        "have no driver: three are used by these drivers, and no module uses the fourth."
    )


# -- a module without a device ----------------------------------------------------------------


async def guest(app: App) -> str:
    """Send a name to the module `hello` and return the greeting."""
    async with await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_HELLO) as sock:
        await sock.sendto(message(NLMSG_MIN_TYPE, b"Ada", flags=NLM_F_REQUEST), (0, 0))
        return bytes(reply(await sock.recv(BUFSIZE))).decode()


def greeting(stage: Stage) -> None:
    """Show that the module `hello` serves programs."""
    stage.say("Then what does the module hello do? A program sends it a message.")
    with stage.shown("irq_handler_entry", *ACCESSES) as seen:
        answer = stage.do(guest, name="guest", uid=USER)
    accesses = seen.named("rwmmio_read") + seen.named("rwmmio_write")
    stage.fact("greeting", answer, "Hello, Ada!")
    stage.fact("registers_touched", len(accesses), 0)
    stage.fact("interrupts", len(seen.named("irq_handler_entry")), 0)
    stage.so("The module replied without accessing a register: it serves programs, not a device.")
