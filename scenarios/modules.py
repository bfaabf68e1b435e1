"""Modules are loaded, used and unloaded, and some of them are broken.

Covers: modprobe and insmod, dependencies, parameters, reference counts, which modules are drivers; an init
    function that fails half way, a module that leaks a resource, an oops.
Scenario: An administrator loads and unloads modules, working ones and the broken ones in scenarios/broken,
    and records each result. Meanwhile a camera streams. A program sends the module `crashes` a divisor of 0,
    which causes an oops.
When useful: to learn what the init and exit functions of a driver must do, what the errors mean, and how a
    bug in a module affects the rest of the machine.
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
    """Data that the programs record during the run, for the report."""

    attempts: list[tuple[str, str, int]] = attrs.field(factory=list)
    """For each attempt: description, result and errno (0 for success)."""
    listing: Sequence[Mapping[str, Any]] = attrs.field(factory=list)
    drivers: set[str] = attrs.field(factory=set)
    quotients: list[int] = attrs.field(factory=list)
    streamed: int = 0

    async def attempt(self, what: str, action: Awaitable[Any]) -> None:
        """Await an action, and record its result or its error."""
        try:
            await action
        except OSError as error:
            self.attempts.append((what, str(error), error.errno or 0))
        else:
            self.attempts.append((what, "done", 0))


async def monitor(app: App, seen: Seen) -> None:
    """Record the registered drivers. The kernel announces each driver with a path below the driver's bus."""
    async for event in await app.uevents():
        if event.action == "add" and event.devpath.startswith(DRIVER_PREFIX):
            seen.drivers.add(event.devpath.removeprefix(DRIVER_PREFIX))


async def viewer(app: App, seen: Seen) -> None:
    """Stream for three frames. During the stream the camera's module cannot be unloaded, because the stream
    holds a reference.
    """
    camera = await app.genetlink("camera")
    await camera.join("frames")
    await camera.do("stream-on")
    async for _ in camera.events("frame-ready"):
        seen.streamed += 1
        if seen.streamed == 3:
            break
    await camera.close()


async def good_modules(app: App, seen: Seen) -> None:
    """Load the shipped modules as root, and try to unload a module that is in use."""
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
    """Try operations that require root."""
    await seen.attempt("an ordinary user: rmmod hello", app.rmmod("hello"))
    await seen.attempt("an ordinary user: modprobe forgetful", app.modprobe("forgetful"))


async def unload_camera(app: App, seen: Seen, when: str) -> None:
    """Try to unload the camera's driver as root."""
    await seen.attempt(f"rmmod camera, {when}", app.rmmod("camera"))


async def broken_modules(app: App, seen: Seen) -> None:
    """Load the broken modules as root."""
    await seen.attempt("modprobe orphan, which imports what nobody exports", app.modprobe("orphan"))
    await seen.attempt("modprobe hen, although hen and egg need each other", app.modprobe("hen"))
    await seen.attempt("modprobe halfway, whose init fails", app.modprobe("halfway"))
    await seen.attempt("modprobe forgetful", app.modprobe("forgetful"))
    await seen.attempt("rmmod forgetful, which leaves something behind", app.rmmod("forgetful"))
    await seen.attempt("modprobe crashes", app.modprobe("crashes"))


async def divide(app: App, by: int, seen: Seen) -> None:
    """Ask the module `crashes` to divide by a number."""
    async with await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_DIVISION) as sock:
        request = message(NLMSG_MIN_TYPE, bytes([by]), flags=NLM_F_REQUEST)
        await sock.sendto(request, (0, 0))
        await seen.attempt(f"an ordinary user: divide by {by}", understand(await sock.recv(BUFSIZE), seen))


async def understand(answer: bytes, seen: Seen) -> None:
    """Record the quotient in a reply.  Raise OSError if the reply is an error."""
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
    """Unload modules as root after the oops."""
    await seen.attempt("rmmod crashes, after its oops", app.rmmod("crashes"))
    await seen.attempt("rmmod mouse: the rest of the machine goes on", app.rmmod("mouse"))


def report(run: Run, seen: Seen, healthy: dict[str, Any], ill: dict[str, Any], log: list[str]) -> None:
    """Report the attempts, the modules and the state of the kernel."""
    refused = [(what, error_name(number)) for what, _, number in seen.attempts if number]
    others = sorted({each["name"] for each in seen.listing} - seen.drivers)
    run.text(
        f"Root and an ordinary user load, use and unload modules: {len(seen.attempts)} attempts. Drivers "
        f"among the modules: {', '.join(sorted(seen.drivers))}; other modules: {', '.join(others)}."
    )
    run.table(f"{len(refused)} attempts fail", ("attempt", "error"), refused)
    run.table(
        "What was tried",
        ("attempt", "result"),
        [(what, answer) for what, answer, _ in seen.attempts],
        detail=True,
    )
    run.table(
        "The modules, before the ordinary user's attempts",
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
        "A driver is a module that registers with a bus and binds devices. The other modules do not: some "
        "are used by drivers, and one serves a netlink protocol.",
        detail=True,
    )
    run.table(
        "The kernel",
        ("state", "before the broken modules", "after them"),
        [
            ("taints", healthy["taints"], ill["taints"]),
            ("oopses", healthy["oopses"], ill["oopses"]),
            ("leaks of modules", healthy["modules"]["leaks"], ill["modules"]["leaks"]),
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
