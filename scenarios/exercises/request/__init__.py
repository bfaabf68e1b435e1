"""Write a netlink request byte by byte, and read its reply.

`set_rate(app, sock, rate)` asks the driver of the mouse for `rate` reports per second.  It returns 0, or
the errno as a positive number if the driver refuses, such as 22 (EINVAL).  `sock` is a bound netlink
socket:

    await sock.sendto(data, (0, 0))             sends bytes to the kernel
    data, sender = await sock.recvfrom(8192)    waits for bytes; sender[0] is a port id, 0 for the kernel

A message is a header of 16 bytes, then a header of 4 bytes for generic netlink, then attributes.  All
numbers are little-endian; `struct.pack` makes the bytes.

    length u32, type u16, flags u16, sequence u32, port id u32        struct nlmsghdr:   "<IHHII"
    command u8, version u8, reserved u16                              struct genlmsghdr: "<BBH"
    length u16, type u16, value                                       struct nlattr:     "<HH"

A length includes its own header, but not the padding.  Attributes and messages begin at a multiple of 4
bytes. A text ends with a zero byte.  A reply has the sequence number of its request.

1. Ask for the id of the family, which differs from machine to machine.  Message type 16 (nlctrl), flags 1
   (NLM_F_REQUEST), command 3 (CTRL_CMD_GETFAMILY), version 1; attribute 2 (CTRL_ATTR_FAMILY_NAME) is the
   text "mouse".  The reply has the id in attribute 1 (CTRL_ATTR_FAMILY_ID, u16).
2. Set the rate.  The message type is the family's id; flags 5 (NLM_F_REQUEST | NLM_F_ACK), command 2
   (set-rate), version 1; attribute 3 is the rate, u32.  The reply is a message of type 2 (NLMSG_ERROR).
   After its header of 16 bytes is an s32: 0, or a negative errno.

The socket can have replies to older requests, and messages of other programs.  Ignore each message that is
not from the kernel, or not the reply to your request.  `set_rate` is called several times with one socket.
"""

from __future__ import annotations

from contextlib import suppress
from struct import pack
from typing import Any

from simkernel.hardware import Mouse
from simkernel.hardware.mouse import registers
from simkernel.testing.exercise import Wrong, exercise
from simkernel.uapi.netlink import NETLINK_GENERIC
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW

EINVAL = 22
OTHERS = ("camera", "ipc_demo")
"""Modules that register netlink families. The order in which modules are loaded decides the ids of the
families.
"""
OLD = pack("<IHHIIBBHHH", 32, 16, 5, 0x51B50000, 0, 3, 1, 0, 11, 2) + b"nlctrl\0\0"
"""A request for the id of the family nlctrl, with an acknowledgement."""


@exercise(calls={"set_rate": "app, sock, rate"}, devices=("mouse",))
async def judge(app: Any, sim: Any, student: Any) -> None:
    """Judge the student's function `set_rate`: call it with valid and invalid rates, while another program
    sends false replies.
    """
    mouse: Mouse = sim.device("mouse0")
    answers: list[Any] = []

    async def set_rate(app: Any) -> None:
        sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC)
        await sock.bind((0, 0))
        port = (await sock.getsockname())[0]
        for rate, errno in ((500, 0), (333, EINVAL), (1000, 0)):
            await sock.sendto(OLD, (0, 0))  # queue an old reply, which `set_rate` must ignore
            sim.any_step(lie, sim, port, 1 - bool(errno))
            if rate == 1000:
                await app.spawn(stranger, port, 1)
                await app.sleep(0.001)
            answer = await student.set_rate(app, sock, rate)
            answers.append(answer)
            now = mouse.values[registers.RATE]
            if answer != errno:
                raise Wrong(f"set_rate(app, sock, {rate}) returns {answer!r}: it must return {errno}")
            if not errno and now != rate:
                raise Wrong(f"set_rate(app, sock, {rate}) returns 0, but the mouse's rate is {now}")

    if app.random.random() < 0.5:
        await app.modprobe(OTHERS[app.random.randrange(len(OTHERS))])
    await app.spawn(set_rate)
    await sim.quiet()
    if len(answers) < 3:
        raise Wrong(f"call {len(answers) + 1} of set_rate never returns: it waits for an answer")


def lie(sim: Any, port: int, errno: int) -> None:
    """Send false replies to the student's socket: an NLMSG_ERROR message with `errno` for each of the
    sequence numbers 0 to 7.
    """
    sim.machine.spawn(stranger, port, errno)


async def stranger(app: Any, port: int, errno: int) -> None:
    sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC)
    with suppress(ConnectionRefusedError):  # the student's socket is already closed
        for sequence in range(8):
            await sock.sendto(pack("<IHHIIi", 20, 2, 0, sequence, port, -errno), (port, 0))
