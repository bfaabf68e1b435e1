"""A tour of the layers: one request goes down to a register and up again; attempts to bypass the kernel fail.

Covers: applications, kernel, driver and hardware; what passes from one layer to the next, and its cost; the
    errors that a program gets if it tries to bypass the kernel.
Scenario: An unprivileged program sends four requests, each of which reaches one layer deeper than the one
    before. The last one, which asks for a camera's gain, is shown byte by byte. Then the program changes the
    gain, and the next frame from the sensor is brighter. At the end it tries to bypass the kernel.
When useful: as the first scenario of all: it shows where drivers are and why an application cannot access
    the hardware directly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import attrs

from simkernel import Machine, millis
from simkernel.hardware import Camera
from simkernel.scenario import Run, ScenarioParameter, scenario
from simkernel.uapi.errno import error_name
from simkernel.uapi.fcntl import O_RDWR
from simkernel.uapi.genetlink import (
    CTRL_ATTR_FAMILY_NAME,
    CTRL_CMD_GETFAMILY,
    GENL_HDRLEN,
    GENL_ID_CTRL,
    GenlMsgHdr,
)
from simkernel.uapi.netlink import (
    NETLINK_GENERIC,
    NETLINK_KOBJECT_UEVENT,
    NLM_F_REQUEST,
    NLMSG_HDRLEN,
    attribute,
    message,
    reply,
)
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW
from simkernel.uapi.structure import U32

BUFSIZE = 8192

GET_DEVICE, GET_CONTROL, SET_CONTROL = 1, 5, 6
CONTROL, VALUE = 2, 3
GAIN = 1
"""Ids of the commands, attributes and values that the camera understands (drivers/camera/camera.yaml)."""

NO_OPERATION = 200
COUNTERS: dict[str, Callable[[dict[str, Any]], int]] = {
    "system calls": lambda counters: counters["system_calls"],
    "requests to the kernel": lambda counters: counters["netlink"]["requests"],
    "datagrams delivered": lambda counters: counters["netlink"]["delivered"],
    "register reads": lambda counters: counters["bus"]["reads"],
    "register writes": lambda counters: counters["bus"]["writes"],
    "interrupts": lambda counters: counters["interrupts"]["taken"],
    "bytes through DMA": lambda counters: counters["bus"]["dma_bytes"],
}


@attrs.define
class Step:
    """One action of the program: its duration in ns, and the change of each counter of the machine."""

    what: str
    ns: int
    moved: dict[str, int]


class Tour:
    """An unprivileged program, and the counters of the machine on which it runs."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.process = machine.blocking(uid=1000)
        self.sock = self.process.socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC)
        self.sock.bind((0, 0))
        self.camera = self.process.genetlink("camera")
        self.steps: list[Step] = []
        self.attempts: list[tuple[str, str]] = []
        self.refusals: Counter[str] = Counter()
        """Number of times that each error has occurred."""

    def do(self, what: str, action: Callable[[], Any]) -> Any:
        """Run an action and record its duration and the change of the counters."""
        before, begun = self.machine.statistics, self.machine.now
        result = action()
        after = self.machine.statistics
        moved = {name: count(after) - count(before) for name, count in COUNTERS.items()}
        self.steps.append(Step(what, self.machine.now - begun, moved))
        return result

    def attempt(self, what: str, action: Callable[[], Any]) -> None:
        """Run an action that is expected to fail. Record its error, or "done" if it succeeds."""
        try:
            action()
        except OSError as error:
            self.attempts.append((what, str(error)))
            self.refusals[error_name(error.errno or 0)] += 1
        except AttributeError:
            self.attempts.append((what, "no such call exists"))
            self.refusals["no such call"] += 1
        else:
            self.attempts.append((what, "done"))

    def ask(self, family: int, command: int, attributes: bytes) -> bytes:
        """Send a request as bytes and return the reply as bytes.  Raise OSError if the reply is an error."""
        request = message(family, GenlMsgHdr(command, 1).pack() + attributes, flags=NLM_F_REQUEST)
        self.sock.sendto(request, (0, 0))
        answer: bytes = self.sock.recv(BUFSIZE)
        reply(answer)
        return answer


@scenario(ScenarioParameter("gain", int, 40, minimum=1, maximum=255, help="new value of the gain"))
def layers(run: Run) -> None:
    machine = run.machine()
    machine.plug(Camera())
    machine.run(until=millis(5))
    tour = Tour(machine)
    descend(run, tour)
    look(run, tour)
    go_round(run, tour)


def descend(run: Run, tour: Tour) -> None:
    """Send four requests. Each one reaches one layer deeper; the last one is shown byte by byte."""
    camera = tour.camera.family.id
    name = attribute(CTRL_ATTR_FAMILY_NAME, b"camera\0")
    gain = attribute(CONTROL, U32.pack(GAIN))
    tour.do("parent process? (kernel)", tour.process.getppid)
    tour.do("id of camera? (netlink)", lambda: tour.ask(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, name))
    tour.do("describe camera0 (driver)", lambda: tour.ask(camera, GET_DEVICE, b""))
    answer = tour.do("gain of camera0? (register)", lambda: tour.ask(camera, GET_CONTROL, gain))
    columns = ("system calls", "requests to the kernel", "datagrams delivered", "register reads")
    run.table(
        "Four requests, each one layer deeper",
        ("question", "ns", "calls", "requests", "datagrams", "registers read"),
        [(step.what, step.ns, *(step.moved[name] for name in columns)) for step in tour.steps],
    )
    both = message(camera, GenlMsgHdr(GET_CONTROL, 1).pack() + gain, flags=NLM_F_REQUEST), answer
    headers = NLMSG_HDRLEN + GENL_HDRLEN
    rows = [
        ("netlink header", *(each[:NLMSG_HDRLEN].hex(" ", 4) for each in both)),
        ("generic netlink header", *(each[NLMSG_HDRLEN:headers].hex() for each in both)),
        ("attributes", *(f"{len(each) - headers} bytes" for each in both)),
    ]
    run.table("The last question, byte by byte", ("part", "down", "up"), rows, detail=True)
    run.text(
        "A program passes bytes, a file descriptor and a number to the kernel, and gets bytes or an errno. "
        "It names a family and a control. Only the driver knows the register and its address."
    )
    run.metric("ns_by_depth", [step.ns for step in tour.steps])
    run.metric("register_reads_by_depth", [step.moved["register reads"] for step in tour.steps])


def look(run: Run, tour: Tour) -> None:
    """Change the gain, and compare the brightness of a frame before and after."""
    tour.camera.do("set-format", width=160, height=120, pixel_format="GREY")
    tour.camera.join("frames")
    first = len(tour.steps)
    before = brightness(tour.do("read a frame", lambda: picture(tour)))
    tour.do("set the gain", lambda: tour.camera.do("set-control", control="gain", value=run["gain"]))
    after = brightness(tour.do("read another frame", lambda: picture(tour)))
    steps = tour.steps[first:]
    rows: list[list[str | int]] = [["ns", *(step.ns for step in steps)]]
    rows += [[what, *(step.moved[what] for step in steps)] for what in COUNTERS]
    run.table("Down and up", ("counter", *(step.what for step in steps)), rows, detail=True)
    run.text(
        f"The mean brightness of a frame was {before:.1f}; with a gain of {run['gain']} it is {after:.1f}. "
        "A program starts a request. The sensor starts a frame: it raises an interrupt, and the driver "
        "notifies all members of the multicast group."
    )
    run.metric("brightness", [round(before, 3), round(after, 3)])
    run.metric("interrupts_by_step", [step.moved["interrupts"] for step in tour.steps[first:]])


def picture(tour: Tour) -> bytes:
    """Return the first frame of a new stream."""
    tour.camera.do("stream-on")
    event = next(tour.camera.events("frame-ready"))
    parts = tour.camera.dump("read-frame", sequence=event["sequence"])
    tour.camera.do("stream-off")
    return b"".join(part["data"] for part in parts)


def brightness(frame: bytes) -> float:
    """Return the mean of a frame's bytes. In the format GREY each byte is a pixel."""
    return sum(frame) / len(frame)


def go_round(run: Run, tour: Tour) -> None:
    """Try to access the hardware, or to send messages in the kernel's name, without permission."""
    process, camera = tour.process, tour.camera
    family = camera.family.id
    uevents = process.socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT)
    forged = b"add@/devices/simbus0/0:9\0ACTION=add\0MODALIAS=simbus:v000051B5d00000010\0"
    frames = 1 << (camera.family.group("frames") - 1)
    gain = attribute(CONTROL, U32.pack(GAIN))
    tour.attempt("read a register: app.readl", lambda: process.app.readl)  # type: ignore[attr-defined]
    tour.attempt("map memory: open /dev/mem", lambda: process.run(process.app.open("/dev/mem", O_RDWR)))
    tour.attempt("request all I/O ports: iopl(3)", lambda: process.run(process.app.call("iopl", 3)))
    tour.attempt("load a driver", lambda: process.insmod("camera"))
    tour.attempt("unload the driver", lambda: process.rmmod("camera"))
    tour.attempt("announce a device that does not exist", lambda: uevents.sendto(forged, (0, 1)))
    tour.attempt("announce a frame that does not exist", lambda: tour.sock.sendto(forged, (0, frames)))
    tour.attempt("send an unknown command to the driver", lambda: tour.ask(family, NO_OPERATION, b""))
    tour.attempt(
        "set the gain to a value of one byte",
        lambda: tour.ask(family, SET_CONTROL, gain + attribute(VALUE, b"!")),
    )
    tour.attempt(
        "set the gain to a value out of range", lambda: camera.do("set-control", control="gain", value=256)
    )
    tour.attempt("name another camera", lambda: camera.do("get-device", device="camera9"))
    run.table(
        "Attempts to bypass the kernel", ("what the program tries", "result"), tour.attempts, detail=True
    )
    errors = ", ".join(
        f"{error} ({times} times)" if times > 1 else error for error, times in tour.refusals.most_common()
    )
    run.text(
        f"{tour.refusals.total()} of {len(tour.attempts)} attempts to bypass the kernel or to act as the "
        f"kernel fail: {errors}. A program reaches the layers below only by a system call. Only a module "
        "adds code there, and loading one requires a capability that this program lacks."
    )
    run.metric("attempts", len(tour.attempts))
    run.metric("refused", tour.refusals.total())
