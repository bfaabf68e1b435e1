"""What modules are: loaded, counted, unloaded, and what happens when one is broken.

Covers: modprobe and insmod, dependencies, parameters, reference counts, which modules are drivers;
    an init that fails half way, a module that leaves something behind, an oops.
Scenario: An administrator loads and unloads modules, good ones and those in scenarios/broken, and writes
    down what each attempt gives. A camera streams meanwhile, and a program sends a module the one number
    that it cannot bear.
When useful: to learn what a driver must do at its beginning and its end, which errors mean what, and what
    a bug in a module does to the rest of the machine.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from simkernel import App, millis
from simkernel.hardware import Camera, Mouse
from simkernel.scenario import Run, scenario
from simkernel.uapi.errno import error_name
from simkernel.uapi.netlink import NLM_F_REQUEST, NLMSG_MIN_TYPE, message, reply
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW
from simkernel.uapi.structure import U32

BROKEN = Path(__file__).parent / "broken"
NETLINK_DIVISION = 21
BUFSIZE = 4096
DRIVER_PREFIX = "/bus/simbus/drivers/"


@attrs.define
class Seen:
    """What the programs have seen."""

    attempts: list[tuple[str, str, int]] = attrs.field(factory=list)
    """Who tried what, what came of it, and the errno (0: it worked)."""
    listing: Sequence[Mapping[str, Any]] = attrs.field(factory=list)
    drivers: set[str] = attrs.field(factory=set)
    quotients: list[int] = attrs.field(factory=list)
    streamed: int = 0

    async def attempt(self, what: str, action: Awaitable[Any]) -> None:
        """Do something and write down what came of it."""
        try:
            await action
        except OSError as error:
            self.attempts.append((what, str(error), error.errno or 0))
        else:
            self.attempts.append((what, "done", 0))


async def monitor(app: App, seen: Seen) -> None:
    """Notices which drivers are registered: the kernel announces each below its bus."""
    async for event in await app.uevents():
        if event.action == "add" and event.devpath.startswith(DRIVER_PREFIX):
            seen.drivers.add(event.devpath.removeprefix(DRIVER_PREFIX))


async def viewer(app: App, seen: Seen) -> None:
    """Streams for a while; that holds the camera's module."""
    camera = await app.genetlink("camera")
    await camera.join("frames")
    await camera.do("stream-on")
    async for _ in camera.events("frame-ready"):
        seen.streamed += 1
        if seen.streamed == 3:
            break
    await camera.close()


async def good_modules(app: App, seen: Seen) -> None:
    """The administrator loads the shipped modules, and unloads one in use."""
    await seen.attempt("insmod camera, before devclass", app.insmod("camera"))
    await seen.attempt("modprobe camera", app.modprobe("camera"))
    await seen.attempt("modprobe mouse rate=7", app.modprobe("mouse", rate=7))
    await seen.attempt("modprobe mouse", app.modprobe("mouse"))
    await seen.attempt("modprobe hello", app.modprobe("hello", greeting="Good morning"))
    await seen.attempt("insmod hello, once more", app.insmod("hello"))
    await seen.attempt("rmmod devclass, which others need", app.rmmod("devclass"))
    await seen.attempt("rmmod hello", app.rmmod("hello"))
    await seen.attempt("rmmod hello, once more", app.rmmod("hello"))
    await seen.attempt("modprobe hello volume=11", app.modprobe("hello", volume=11))
    await seen.attempt("modprobe hello, once more", app.modprobe("hello"))
    seen.listing = await app.lsmod()


async def ordinary_user(app: App, seen: Seen) -> None:
    """Tries what only root may."""
    await seen.attempt("an ordinary user: rmmod hello", app.rmmod("hello"))
    await seen.attempt("an ordinary user: modprobe forgetful", app.modprobe("forgetful"))


async def unload_camera(app: App, seen: Seen, when: str) -> None:
    """The administrator wants the camera's driver to go."""
    await seen.attempt(f"rmmod camera, {when}", app.rmmod("camera"))


async def broken_modules(app: App, seen: Seen) -> None:
    """The administrator loads what cannot work."""
    await seen.attempt("modprobe orphan, which imports what nobody exports", app.modprobe("orphan"))
    await seen.attempt("modprobe hen, which needs egg, which needs hen", app.modprobe("hen"))
    await seen.attempt("modprobe halfway, whose init fails", app.modprobe("halfway"))
    await seen.attempt("modprobe forgetful", app.modprobe("forgetful"))
    await seen.attempt("rmmod forgetful, which leaves something behind", app.rmmod("forgetful"))
    await seen.attempt("modprobe crashes", app.modprobe("crashes"))


async def divide(app: App, by: int, seen: Seen) -> None:
    """Asks the module `crashes` to divide by a number."""
    async with await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_DIVISION) as sock:
        request = message(NLMSG_MIN_TYPE, bytes([by]), flags=NLM_F_REQUEST)
        await sock.sendto(request, (0, 0))
        await seen.attempt(f"an ordinary user: divide by {by}", understand(await sock.recv(BUFSIZE), seen))


async def understand(answer: bytes, seen: Seen) -> None:
    """Note the quotient of an answer.  OSError if it is an error."""
    seen.quotients.append(U32.unpack_from(reply(answer, "NLMSG_ERROR"))[0])


@scenario()
def modules(run: Run) -> None:
    run.expect_faults("crashes")
    machine = run.machine(udev=False, module_path=(BROKEN,))
    seen = Seen()
    machine.spawn(monitor, seen)
    machine.plug(Camera())
    machine.plug(Mouse())
    machine.run(until=millis(5))

    machine.spawn(good_modules, seen)
    machine.run(until=millis(20))
    machine.spawn(ordinary_user, seen, uid=1000)
    machine.spawn(viewer, seen, uid=1000)
    machine.run(until=millis(50))
    machine.spawn(unload_camera, seen, "while it streams")
    machine.run(until=millis(200))
    machine.spawn(unload_camera, seen, "when it does not")
    machine.run()

    healthy = machine.statistics
    machine.spawn(broken_modules, seen)
    machine.run()
    for number in (7, 0):
        machine.spawn(divide, number, seen, uid=1000)
        machine.run()
    machine.spawn(unload_crashed, seen)
    machine.run()
    report(run, seen, healthy, machine.statistics, machine.log.lines())


async def unload_crashed(app: App, seen: Seen) -> None:
    """The administrator cleans up, as far as that is possible."""
    await seen.attempt("rmmod crashes, after its oops", app.rmmod("crashes"))
    await seen.attempt("rmmod mouse: the rest of the machine goes on", app.rmmod("mouse"))


def report(run: Run, seen: Seen, healthy: dict[str, Any], ill: dict[str, Any], log: list[str]) -> None:
    """Write down what was tried and what came of it."""
    refused = [(what, error_name(number)) for what, _, number in seen.attempts if number]
    others = sorted({each["name"] for each in seen.listing} - seen.drivers)
    run.text(
        f"Root and an ordinary user load, use and unload modules: {len(seen.attempts)} attempts. Drivers "
        f"among the modules: {', '.join(sorted(seen.drivers))}; the others: {', '.join(others)}."
    )
    run.table(f"{len(refused)} attempts fail", ("what", "error"), refused)
    run.table(
        "What was tried",
        ("what", "answer"),
        [(what, answer) for what, answer, _ in seen.attempts],
        detail=True,
    )
    run.table(
        "The modules, before an ordinary user comes",
        ("module", "size", "references", "used by", "driver"),
        [
            (
                each["name"],
                each["size"],
                each["references"],
                " ".join(each["users"]),
                "yes" if each["name"] in seen.drivers else "no",
            )
            for each in seen.listing
        ],
        detail=True,
    )
    run.text(
        "A driver is a module that has registered itself with a bus, to serve devices. The others only "
        "live in the kernel: some serve drivers, one a netlink protocol.",
        detail=True,
    )
    run.table(
        "The kernel",
        ("what", "before the broken modules", "after them"),
        [
            ("taints", healthy["taints"], ill["taints"]),
            ("oopses", healthy["oopses"], ill["oopses"]),
            ("things left behind by modules", healthy["modules"]["leaks"], ill["modules"]["leaks"]),
        ],
    )
    run.text("The kernel log:\n" + "\n".join(log), detail=True)
    run.metric("attempts", len(seen.attempts))
    run.metric("errors", {what: number for what, _, number in seen.attempts if number})
    run.metric("drivers", sorted(seen.drivers))
    run.metric("not_drivers", others)
    run.metric("quotients", seen.quotients)
    run.metric("oopses", ill["oopses"])
    run.metric("leaks", ill["modules"]["leaks"])
    run.metric("taints", ill["taints"])
