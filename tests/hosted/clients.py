"""Programs that use pyroute2 and linuxpy in situations that simkernel.testing can create. Each program
returns its outcome in one line.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from simkernel import Machine, millis, seconds
from simkernel.hardware import Camera, Mouse
from simkernel.hosted import hosted
from simkernel.testing import situations as sit
from simkernel.uapi.if_link import IFF_UP
from simkernel.uapi.rtnetlink import RT_TABLE_MAIN
from simkernel.uapi.socket import AF_INET

Outcome = Callable[["Setup"], str]


@attrs.frozen
class Setup:
    """A machine with devices that are bound to their drivers."""

    machine: Machine
    mouse: Mouse
    camera: Camera
    host: Any


@attrs.frozen
class Row:
    """A client program, and the situation in which it runs."""

    situation: str
    client: str
    package: str
    act: Outcome

    def outcome(self) -> str:
        """Run the program in a new machine and return its outcome."""
        with Machine(seed=1) as machine:
            machine.plug(mouse := Mouse())
            machine.plug(camera := Camera())
            machine.run(until=millis(100))
            with hosted(machine, self.package) as host:
                return self.act(Setup(machine, mouse, camera, host))


ROWS: list[Row] = []


def row(situation: str, client: str) -> Callable[[Outcome], Outcome]:
    """Return a decorator that adds a client program to ROWS. The first word of `client` is the name of the
    package that the program uses.
    """

    def add(act: Outcome) -> Outcome:
        ROWS.append(Row(situation, client, client.partition(" ")[0], act))
        return act

    return add


def raised(call: Callable[[], object]) -> str:
    """Return the result of a call, or the name and number of the error that it raises."""
    try:
        return str(call())
    except Exception as error:  # noqa: BLE001 - it is shown
        number = getattr(error, "errno", None) or getattr(error, "code", None)
        return f"{type(error).__name__}{f' {number}' if number else ''}"


# -- pyroute2: netlink ----------------------------------------------------------


@row("overrun", "pyroute2 UeventSocket.get")
def uevent_overrun(setup: Setup) -> str:
    from pyroute2.netlink.uevent import UeventSocket

    sock = UeventSocket()
    sock.bind()
    with sit.overrun(setup.machine):
        setup.machine.unplug(setup.mouse)
        setup.machine.run()
        (event,) = sock.get()
    errors = f"then get: {raised(sock.get)}, close: {raised(sock.close)}"
    return f"an event with the text `{event['header']['message']!r}`; {errors}"


@row("overrun", "pyroute2 IPRoute.get")
def route_overrun(setup: Setup) -> str:
    from pyroute2 import IPRoute

    sock = IPRoute()
    sock.bind()
    with sit.overrun(setup.machine):
        notify_link(setup.machine)
        errors = [raised(lambda: list(sock.get())) for _ in range(2)]
    return f"{errors[0]}; then get: {errors[1]}, close: {raised(sock.close)}"


def notify_link(machine: Machine) -> None:
    """Make rtnetlink send a notification about `lo`, like the kernel function netdev_state_change()."""
    from simkernel.testing.situations.netlink import _notify
    from simkernel.testing.situations.occurrence import netlink_sockets

    _notify(machine, next(sock for sock in netlink_sockets(machine, None) if sock.groups))


@row("dump-interrupted", "pyroute2 GenericNetlinkSocket.nlm_request")
def interrupted(setup: Setup) -> str:
    from pyroute2.netlink import NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, genlmsg
    from pyroute2.netlink.generic import GenericNetlinkSocket

    class Frame(genlmsg):
        nla_map = tuple((name, "hex") for name in ("UNSPEC", "DEVICE", "SEQUENCE"))

    sequence = first_frame(setup.machine)
    with GenericNetlinkSocket() as sock, sit.dump_interrupted(setup.machine):
        sock.bind("camera", Frame)
        request = Frame()
        request["cmd"], request["version"] = 9, 1
        request["attrs"] = [("SEQUENCE", sequence.to_bytes(4, "little"))]
        parts = sock.nlm_request(request, sock.prid, NLM_F_REQUEST | NLM_F_DUMP)
    marked = sum(bool(part["header"]["flags"] & NLM_F_DUMP_INTR) for part in parts)
    return f"all {len(parts)} messages, {marked} of them with NLM_F_DUMP_INTR, and no error"


def first_frame(machine: Machine) -> int:
    """Start the camera's stream and return the sequence number of its first frame."""
    camera = machine.blocking().genetlink("camera")
    camera.join("frames")
    camera.do("stream-on")
    return int(next(camera.events("frame-ready"))["sequence"])


def links(situation: Callable[[Machine], Any], setup: Setup, *, groups: bool = False) -> str:
    """Return a text with the links that IPRoute.get_links() lists while `situation` is active."""
    from pyroute2 import IPRoute

    with IPRoute() as route:
        if groups:
            route.bind()
        with situation(setup.machine):
            names = [link.get("ifname") for link in route.get_links()]
    return f"the links: {', '.join(names)}"


@row("notification-in-dump", "pyroute2 IPRoute.get_links")
def notified(setup: Setup) -> str:
    return links(sit.notification_in_dump, setup, groups=True)


@row("several-in-datagram", "pyroute2 IPRoute.get_links")
def several(setup: Setup) -> str:
    return links(sit.several_in_datagram, setup)


@row("done-alone", "pyroute2 IPRoute.get_links")
def alone(setup: Setup) -> str:
    return links(sit.done_alone, setup)


@row("late-reply", "pyroute2 AsyncIPRoute.get_links, with asyncio.wait_for")
def late(setup: Setup) -> str:
    from pyroute2 import AsyncIPRoute

    async def ask(route: Any) -> list[str]:
        return [link.get("ifname") async for link in await route.get_links()]

    async def main() -> str:
        async with AsyncIPRoute() as route:
            outcomes = []
            with sit.late_reply(setup.machine, delay=seconds(2)):
                for _ in range(3):
                    try:
                        outcomes.append(f"the links: {', '.join(await asyncio.wait_for(ask(route), 1.5))}")
                    except Exception as error:  # noqa: BLE001 - it is shown
                        outcomes.append(f"{type(error).__name__} {getattr(error, 'code', '')}".strip())
            return "; ".join(outcomes)

    return asyncio.run(main())


@row("link-renamed-in-dump", "pyroute2 IPRoute.get_links")
def renamed_in_dump(setup: Setup) -> str:
    from pyroute2 import IPRoute

    make_links(setup.machine, *(f"eth{number}" for number in range(30)))
    with IPRoute() as route, sit.link_renamed_in_dump(setup.machine, link="dummy0", name="wan"):
        names = [link.get("ifname") for link in route.get_links()]
    return f"the {'old' if 'dummy0' in names else 'new'} name, and no error"


def make_links(machine: Machine, *names: str) -> Any:
    """Create dummy links. Return a client of rtnetlink."""
    route = machine.blocking().rtnetlink()
    for name in names:
        route.do("newlink", ifname=name, linkinfo={"kind": "dummy"})
    return route


def database(setup: Setup, situation: Callable[[], Any], show: Callable[[Any], list[Any]]) -> str:
    """Return the contents of pyroute2's database before `situation` starts, and after `situation` has lasted
    for one simulated second.
    """
    from pyroute2 import NDB

    with NDB() as ndb:
        before = show(ndb)
        with situation():
            setup.machine.run(until=setup.machine.now + seconds(1))
        return f"{before}, then {show(ndb)}"


def indices(ndb: Any) -> list[int]:
    return [link.index for link in ndb.interfaces.dump() if link.ifname == "wan"]


@row("link-recreated", "pyroute2 NDB.interfaces")
def recreated_in_database(setup: Setup) -> str:
    make_links(setup.machine, "wan")
    return (
        f"the index of the link: {database(setup, lambda: sit.link_recreated(setup.machine, 'wan'), indices)}"
    )


@row("link-moved", "pyroute2 NDB.interfaces")
def moved_in_database(setup: Setup) -> str:
    make_links(setup.machine, "wan")
    return f"the index of the link: {database(setup, lambda: sit.link_moved(setup.machine, 'wan'), indices)}"


@row("routes-removed-with-link", "pyroute2 NDB.routes")
def routes_in_database(setup: Setup) -> str:
    route = make_links(setup.machine, "wan")
    index = route.do("getlink", ifname="wan")["ifi-index"]
    route.do("setlink", ifi_index=index, ifi_flags=IFF_UP, ifi_change=IFF_UP)
    route.do("newaddr", ifa_family=AF_INET, ifa_prefixlen=24, ifa_index=index, local="10.0.0.1")

    def show(ndb: Any) -> list[str]:
        routes = ndb.routes.dump()
        return [each.dst for each in routes if (each.oif, each.table) == (index, RT_TABLE_MAIN)]

    return f"the routes: {database(setup, lambda: sit.routes_removed_with_link(setup.machine, 'wan'), show)}"


@row("module-reloaded", "pyroute2 GenericNetlinkSocket.nlm_request")
def reloaded(setup: Setup) -> str:
    from pyroute2.netlink import genlmsg
    from pyroute2.netlink.generic import GenericNetlinkSocket

    def ask() -> str:
        request = genlmsg()
        request["cmd"], request["version"] = 1, 1
        return f"{len(sock.nlm_request(request, sock.prid, 0x301))} mouse"

    with GenericNetlinkSocket() as sock:
        sock.bind("mouse", genlmsg)
        with sit.module_reloaded(setup.machine, "mouse"):
            first = raised(ask)
        sock.bind("mouse", genlmsg)
        return f"{first}; after another bind: {raised(ask)}"


def uevents(situation: Callable[..., Any], setup: Setup) -> str:
    """Return the action of each uevent of the mouse's node, and the differences of SEQNUM between them."""
    from pyroute2.netlink.uevent import UeventSocket

    with UeventSocket() as sock:
        sock.bind()
        with situation(setup.machine, select=lambda event: "DEVNAME" in event.variables):
            setup.machine.unplug(setup.mouse)
            setup.machine.run()
            numbers = [int(dict(event)["SEQNUM"]) for _ in range(4) for event in sock.get()]
    return f"the events with SEQNUM {', '.join(f'+{number - numbers[0]}' for number in numbers)}"


@row("uevents-lost", "pyroute2 UeventSocket.get")
def lost(setup: Setup) -> str:
    return uevents(sit.uevents_lost, setup)


@row("uevents-reordered", "pyroute2 UeventSocket.get")
def reordered(setup: Setup) -> str:
    return uevents(sit.uevents_reordered, setup)


# -- linuxpy: devices -------------------------------------------------------------


@row("unplugged-while-reading", "linuxpy event_batch_stream")
def reading(setup: Setup) -> str:
    from linuxpy.input.device import event_batch_stream, find_mouse

    with find_mouse() as device, sit.unplugged_while_reading(setup.machine, setup.mouse):
        return raised(lambda: next(event_batch_stream(device.fileno())))


@row("unplugged-while-reading", "linuxpy async_event_batch_stream")
def async_reading(setup: Setup) -> str:
    from linuxpy.input.device import async_event_batch_stream, find_mouse

    async def program() -> None:
        with find_mouse() as device:
            await anext(async_event_batch_stream(device.fileno()))

    with sit.unplugged_while_reading(setup.machine, setup.mouse):
        return endless(program)


def endless(program: Callable[[], Any], limit: int = 100) -> str:
    """Run an async program and return its outcome. Cancel it after `limit` exceptions in event loop
    callbacks.
    """
    errors: list[BaseException] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(program())

        def handle(_: object, context: dict[str, Any]) -> None:
            errors.append(context["exception"])
            if len(errors) == limit:
                task.cancel()

        loop.set_exception_handler(handle)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    outcome = raised(lambda: asyncio.run(main()))
    if len(errors) >= limit:
        number = getattr(errors[0], "errno", "")
        return (
            f"the program is never resumed; a callback raises {type(errors[0]).__name__} {number} without end"
        )
    return outcome


@row("unplugged-while-streaming", "linuxpy VideoCapture, for")
def streaming(setup: Setup) -> str:
    from linuxpy.video.device import Device, VideoCapture

    def program() -> None:
        with Device.from_id(0) as device, VideoCapture(device) as capture:
            for _ in capture:
                pass

    with sit.unplugged_while_streaming(setup.machine, setup.camera, after=6):
        return raised(program)


@row("unplugged-while-streaming", "linuxpy VideoCapture, async for")
def async_streaming(setup: Setup) -> str:
    from linuxpy.video.device import Device, VideoCapture

    async def program() -> None:
        with Device.from_id(0) as device, VideoCapture(device) as capture:
            async for _ in capture:
                pass

    with sit.unplugged_while_streaming(setup.machine, setup.camera, after=6):
        return endless(program)


@row("unplugged-while-mapped", "linuxpy VideoCapture")
def mapped(setup: Setup) -> str:
    from linuxpy.video.device import Device, VideoCapture

    def program() -> None:
        with Device.from_id(0) as device, VideoCapture(device):
            pass

    with sit.unplugged_while_mapped(setup.machine, setup.camera):
        return raised(program)


@row("replugged", "linuxpy iter_video_capture_devices")
def back(setup: Setup) -> str:
    from linuxpy.video.device import Device, iter_video_capture_devices

    with Device.from_id(0) as device:
        with sit.replugged(setup.machine, setup.camera):
            setup.machine.run(until=millis(500))
        names = [str(each.filename) for each in iter_video_capture_devices()]
        return f"{', '.join(names)}; the open device: {raised(lambda: device.info.card)}"


@row("uevent-before-node", "linuxpy find_mouse")
def early(setup: Setup) -> str:
    from linuxpy.input.device import find_mouse

    monitor = setup.machine.blocking().uevents()
    setup.machine.unplug(setup.mouse)
    setup.machine.run()
    with sit.uevent_before_node(setup.machine):
        setup.machine.plug(setup.mouse)
        next(event for event in monitor if event.action == "add" and "DEVNAME" in event.variables)
        first = find_mouse()
        setup.machine.run()
    return f"{first}; later: {find_mouse() is not None and 'the mouse'}"


@row("syn-dropped", "linuxpy event_batch_stream")
def dropped(setup: Setup) -> str:
    from linuxpy.input.device import event_batch_stream, find_mouse

    with find_mouse() as device:
        stream = event_batch_stream(device.fileno())
        setup.mouse.move(buttons=1)
        pressed = next(stream)[0].value
        with sit.syn_dropped(setup.machine):
            batches: Iterator[Any] = (next(stream) for _ in range(3))
            names = sorted({str(event.type.name) for batch in batches for event in batch})
    return f"drops SYN_DROPPED; after a press ({pressed}) come only {', '.join(names)} events"


def table() -> list[tuple[str, str, str]]:
    """Run each client program in ROWS. Return a row for each: the situation, the name of the client and the
    outcome.
    """
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    return [(f"`{each.situation}`", each.client, each.outcome()) for each in ROWS]


if __name__ == "__main__":
    for line in table():
        print(*line, sep=" | ")
