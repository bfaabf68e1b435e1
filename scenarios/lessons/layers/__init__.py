"""Lesson 2: a register of a camera, and the only path to it.

Covers: applications, kernel, driver and hardware; system calls, permissions, netlink; attempts to bypass the
    driver.
Scenario: A camera has its gain in a register. A colleague's program asks the camera's driver for another
    exposure. Then the program in the parameter `program` tries to set the gain to 40: as an ordinary user, as
    root, or while no driver is bound to the camera.
When useful: to see why a program needs a driver, and the path of a request from the program to a register.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Final

from simkernel import App, SimulationError, millis
from simkernel.hardware import Camera
from simkernel.scenario import Run, ScenarioParameter, scenario
from simkernel.uapi.errno import error_name, strerror
from simkernel.uapi.fcntl import O_RDWR, O_WRONLY

PROGRAM: Final = """\
from errno import errorcode
from simkernel.uapi.fcntl import O_RDWR

GAIN = 0xF0001030    # address of the register, from the camera's data sheet

async def program(app):
    try:
        memory = await app.open("/dev/mem", O_RDWR)
    except OSError as error:
        print("open() fails:", errorcode[error.errno])
        return
    await app.pwrite(memory, bytes([40, 0, 0, 0]), GAIN)
"""
USER, ROOT, UNBOUND = "ordinary user", "root", "root, no driver"
DEFAULT, WANTED = 16, 40
FOLLOWED: Final = {"colleague": "the colleague's request", "program": "your program's request"}
UNBIND: Final = "/sys/bus/simbus/drivers/camera/unbind"


async def colleague(app: App) -> None:
    camera = await app.genetlink("camera")
    await camera.do("set-control", control="exposure", value=2000)


async def attempts(app: App, rows: list[tuple[str, str]]) -> None:
    """Try to reach the hardware in several ways, and record the results."""
    tries: dict[str, Awaitable[object]] = {
        "open /dev/mem, the memory as a file": app.open("/dev/mem", O_RDWR),
        "open /dev/video0, the camera as a file": app.open("/dev/video0", O_RDWR),
        "load a module into the kernel": app.insmod("hello"),
        "ask the driver for another exposure": colleague(app),
    }
    for attempt, call in tries.items():
        try:
            await call
            rows.append((attempt, "works"))
        except OSError as error:
            rows.append((attempt, f"{error_name(error.errno or 0)}: {strerror(error.errno or 0)}"))


async def unbind(app: App) -> None:
    """Unbind the driver from the camera."""
    await app.write(await app.open(UNBIND, O_WRONLY), b"0:1")


@scenario(
    ScenarioParameter("program", str, PROGRAM, help="your program; `app` makes its system calls"),
    ScenarioParameter(
        "situation",
        str,
        USER,
        choices=(USER, ROOT, UNBOUND),
        help="user and driver with which your program runs",
    ),
)
def layers(run: Run) -> None:
    program = run.source("program").get("program")
    if not callable(program):
        raise SimulationError("your code defines no program: write async def program(app)")
    machine = run.machine()
    machine.plug(Camera())
    machine.run(until=millis(20))
    flows: dict[str, int] = {}
    calls: dict[str, str] = {}
    written: list[tuple[int, str]] = []

    def watch(record: Any) -> None:
        comm = record.fields.get("comm")
        if record.name == "sys_enter":
            calls["last"] = record.fields["call"]
        elif record.name == "rwmmio_write" and record.fields["register"] == "GAIN":
            written.append((record.fields["value"], calls["last"]))
        if record.flow and comm in FOLLOWED:
            flows[comm] = record.flow

    machine.trace.subscribe(watch)
    if run["situation"] == UNBOUND:
        machine.spawn(unbind)
    machine.run()
    uid = 1000 if run["situation"] == USER else 0
    rows: list[tuple[str, str]] = []
    machine.spawn(attempts, rows, name="colleague", uid=uid)
    machine.run()
    try:
        machine.spawn(program, name="program", uid=uid)
        machine.run()
    finally:
        value, call = written[-1] if written else (DEFAULT, "")
        during = f": the driver has written it while a program was in {call}()" if call else ", its default"
        run.table(f"Attempts of a colleague's program ({run['situation']})", ("attempt", "result"), rows)
        for comm, flow in flows.items():
            run.follow(FOLLOWED[comm], flow, chosen=comm == "program")
        run.goal(value == WANTED, f"the register GAIN holds {value}{during}")
