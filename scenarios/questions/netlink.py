"""The question about netlink: it serves communication that an ioctl cannot provide."""

from __future__ import annotations

from typing import Any, Final

from simkernel import App, micros
from simkernel.hardware import Camera, Mouse
from simkernel.uapi.errno import error_name
from simkernel.uapi.fcntl import O_RDWR
from simkernel.uapi.genetlink import GENL_HDRLEN
from simkernel.uapi.ioctl import _IOW
from simkernel.uapi.ipc_demo import IPC_DEMO_START, IpcDemoStart
from simkernel.uapi.netlink import NETLINK_KOBJECT_UEVENT, NLMSG_HDRLEN, iterate_attributes
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW
from simkernel.uapi.structure import U64
from simkernel.uapi.uevent import UEVENT_GROUP
from simkernel.uapi.video.ioctls import VIDIOC_G_CTRL
from simkernel.uapi.video.structures import V4l2Control
from simkernel.uapi.video.v4l2_controls import V4L2_CID_GAIN

from .stage import ROOT, USER, Stage, result_or_error

LISTENERS: Final = ("desktop", "logger", "udevd")
BUFSIZE: Final = 4096
GAIN: Final = 40
PAUSE: Final = 0.01
"""Seconds between two queries of the camera's gain."""
NUMBER: Final = 1
"""Attribute type (nla_type) of the attribute `number`, the sequence number of an event
(drivers/ipc_demo/ipc_demo.yaml).
"""


def netlink(stage: Stage) -> None:
    """Show what netlink can do and ioctl(2) cannot: the kernel sends a message without a request, and to many
    programs. An error names the wrong attribute. A later version can add attributes.
    """
    stage.plug(Camera())
    stage.prepare("camera", "ipc_demo", node="/dev/video0")
    news(stage)
    asking(stage)
    errors(stage)
    growing(stage)
    stage.answer(
        "Netlink does what an ioctl cannot do. The kernel can send first. One message reaches all "
        "listeners. A message consists of attributes with types, so an error can name the wrong attribute, "
        "and a message can grow."
    )


# -- the kernel sends first -------------------------------------------------------


async def listener(app: App, heard: list[bytes]) -> None:
    """Receive one uevent."""
    sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT)
    await sock.bind((0, UEVENT_GROUP))
    heard.append(await sock.recv(BUFSIZE))


def news(stage: Stage) -> None:
    """Show that three sleeping programs receive one uevent when a mouse is plugged in."""
    stage.say("Three programs wait for uevents. Then a mouse is plugged in.")
    heard: list[bytes] = []
    with stage.shown("plug", "irq_raise", "irq_handler_entry", "kobject_uevent", "netlink_broadcast") as seen:
        for name in LISTENERS:
            stage.spawn(listener, heard, name=name, uid=USER)
            stage.machine.run()
        plugged = stage.machine.now
        stage.plug(Mouse())
        stage.machine.run()
    calls = [each for each in seen.named("sys_enter") if each.fields["comm"] in LISTENERS]
    last = {each.fields["comm"]: each for each in calls if each.time <= plugged}
    asleep = [each for each in last.values() if each.fields["call"] == "recvfrom"]
    stage.fact("listeners_asleep", len(asleep), 3)
    stage.fact("calls_after_the_plug", sum(each.time > plugged for each in calls), 0)
    stage.fact("messages_sent", len(seen.named("netlink_broadcast")), 1)
    stage.fact("programs_that_heard", len(heard), 3)
    stage.fact("different_messages_heard", len(set(heard)), 1)
    stage.so(
        "The kernel sent first: no program had asked. It sent one message to a group, and all three "
        "programs in the group woke and received it."
    )


# -- polling by ioctl ---------------------------------------------------------------


async def asker(app: App, answers: list[int]) -> None:
    """Query the camera's gain three times by ioctl(2), to notice a change."""
    fd = await app.open("/dev/video0", O_RDWR)
    for _ in range(3):
        control = bytearray(V4l2Control(V4L2_CID_GAIN).pack())
        await app.ioctl(fd, VIDIOC_G_CTRL, control)
        answers.append(V4l2Control.unpack(control).value)
        await app.sleep(PAUSE)
    await app.close(fd)


async def tuner(app: App) -> None:
    """Change the camera's gain."""
    camera = await app.genetlink("camera")
    await camera.do("set-control", control="gain", value=GAIN)
    await camera.close()


def asking(stage: Stage) -> None:
    """Show that a program which uses only ioctl(2) must poll to notice a change."""
    stage.say("A program must notice that the camera's gain changes. It uses only ioctl(2), so it polls.")
    answers: list[int] = []
    with stage.shown("rwmmio_write") as seen:
        stage.spawn(asker, answers, name="asker", uid=USER)
        while len(answers) < 2:
            stage.pass_time(micros(100))
        stage.do(tuner, name=ROOT)
    change = stage.one(seen, "rwmmio_write")
    returns = [each for each in seen.named("sys_exit", comm="asker") if each.time > change.time]
    learned = next(each for each in returns if each.fields["call"] == "ioctl")
    late = learned.time - change.time
    stage.fact("times_asked", len(seen.named("sys_enter", comm="asker", call="ioctl")), 3)
    stage.fact("answers_before_the_change", len(set(answers[:-1])), 1)
    stage.fact("answer_after_it", answers[-1], GAIN)
    stage.fact("what_ends_first_after_it", returns[0].fields["call"], "nanosleep")
    stage.note("until_it_knew_ns", late)
    stage.so(
        "A program starts a system call, not the kernel. The gain changed, but nothing notified the "
        f"program. It polled twice in vain, and noticed the change {late / 1e6:.1f} ms late, at the next "
        "poll."
    )


# -- attributes -----------------------------------------------------------------------


async def caller(app: App, request: int, argument: bytes) -> Any:
    """Request events from the module `ipc_demo` by ioctl(2)."""
    fd = await app.open("/dev/ipc_demo/event", O_RDWR)
    return await result_or_error(app.ioctl(fd, request, bytearray(argument)))


async def requester(app: App, stage: Stage) -> Any:
    """Request events with an interval of 0 ns over netlink, and return the error."""
    client = await app.genetlink("ipc_demo")
    refused: Any = None
    with stage.shown("netlink_extack") as seen:
        try:
            await client.do("start", interval=0, count=3)
        except OSError as error:
            refused = error
    sent = stage.one(seen, "sys_enter", call="sendto")
    wrong = client.family.name_at("start", sent.fields["arguments"][1], refused.extack.offset)
    stage.fact("attribute_at_that_offset", wrong or "", "interval")
    return refused


def errors(stage: Stage) -> None:
    """Send an invalid request twice: by ioctl and over netlink."""
    stage.say(
        "Now a mistake: a program requests events with an interval of 0, first by ioctl(2), then over "
        "netlink."
    )
    with stage.shown():
        by_ioctl = stage.do(caller, IPC_DEMO_START, IpcDemoStart(interval=0, count=3).pack(), name="caller")
    refused = stage.do(requester, stage, name="asker", uid=USER)
    extack = refused.extack
    stage.fact("error_by_ioctl", by_ioctl, "EINVAL")
    stage.fact("error_by_netlink", error_name(refused.errno), "ERANGE")
    stage.fact("message", extack.message, "integer out of range")
    stage.note("offset", extack.offset)
    stage.so(
        "ioctl(2) returns only an error number. The netlink reply also has a text, and the offset "
        f"{extack.offset} in the request, where the wrong attribute begins: the interval."
    )


async def old_program(app: App, stage: Stage) -> None:
    """Receive an event and read only its sequence number. This program behaves like one that was written
    before events had the attribute `time`.
    """
    client = await app.genetlink("ipc_demo")
    await client.join("events")
    with stage.shown("netlink_broadcast"):
        message = await client.event_socket.recv(BUFSIZE)
    there = list(iterate_attributes(message, NLMSG_HDRLEN + GENL_HDRLEN))
    known = [int.from_bytes(payload, "little") for kind, payload in there if kind == NUMBER]
    stage.fact("attributes_in_the_message", len(there), 2)
    stage.fact("attributes_it_knows", len(known), 1)
    stage.fact("number_it_read", known[0], 1)


async def begin(app: App) -> None:
    """Request one event."""
    client = await app.genetlink("ipc_demo")
    await client.do("start", interval=micros(100), count=1)
    await client.close()


def growing(stage: Stage) -> None:
    """Show that a program can skip a netlink attribute that it does not know, but that a driver rejects an
    ioctl(2) whose structure is longer than the driver's.
    """
    stage.say(
        "A program can be older or newer than a module. The first program was written before events had a "
        "time, so it reads only the sequence number of an event. The second one is newer: for ioctl(2) it "
        "passes a structure that is 8 bytes longer than the module's."
    )
    stage.spawn(old_program, stage, name="old", uid=USER)
    stage.do(begin, name=ROOT)
    longer = IpcDemoStart(interval=1, count=1).pack() + bytes(U64.size)
    with stage.shown():
        refused = stage.do(caller, _IOW("D", 0x03, len(longer)), longer, name="new", uid=USER)
    stage.fact("error_of_the_longer_structure", refused, "ENOTTY")
    stage.so(
        "An attribute contains its type and its length, so a program can skip one that it does not know. A "
        "longer structure changes the number of an ioctl(2) request, and the driver does not know that "
        "number."
    )
