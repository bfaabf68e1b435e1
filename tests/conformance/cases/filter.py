"""SO_ATTACH_FILTER: classic BPF filters on received messages, such as those of uevent monitors."""

from __future__ import annotations

from simkernel.uapi import filter as bpf
from simkernel.uapi.socket import (
    MSG_PEEK,
    MSG_TRUNC,
    SO_ATTACH_FILTER,
    SO_DETACH_FILTER,
    SO_LOCK_FILTER,
    SO_RCVBUF,
    SOL_SOCKET,
)
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.log import Log
from tests.conformance.wire import ACK, ADD_MEMBERSHIP, REQUEST, SOL_NETLINK
from tests.conformance.world import Instruction, Socket, World

A, B = 0x4E000001, 0x4E000002
FILTER = ("filter",)

LD_W, LD_H, LD_B = (bpf.BPF_LD | size | bpf.BPF_ABS for size in (bpf.BPF_W, bpf.BPF_H, bpf.BPF_B))
RET_K, RET_A = bpf.BPF_RET | bpf.BPF_K, bpf.BPF_RET | bpf.BPF_A
JEQ = bpf.BPF_JMP | bpf.BPF_JEQ | bpf.BPF_K
JSET = bpf.BPF_JMP | bpf.BPF_JSET | bpf.BPF_K
ALU, LDX, MISC = bpf.BPF_ALU, bpf.BPF_LDX, bpf.BPF_MISC

LD_CONSTANT = bpf.BPF_LD | bpf.BPF_IMM
LD_LENGTH = bpf.BPF_LD | bpf.BPF_W | bpf.BPF_LEN
LD_INDIRECT = bpf.BPF_LD | bpf.BPF_B | bpf.BPF_IND

RETURN_A: Instruction = (RET_A, 0, 0, 0)
ALL: tuple[Instruction, ...] = ((RET_K, 0, 0, 0xFFFFFFFF),)
NONE: tuple[Instruction, ...] = ((RET_K, 0, 0, 0),)
LIBUDEV = 0xFEEDCAFE
"""Magic number of a udevd message, in network byte order. It follows `libudev` and a NUL byte."""


LOADS: dict[str, tuple[Instruction, ...]] = {
    "byte": ((LD_B, 0, 0, 3), RETURN_A),
    "last byte": ((LD_B, 0, 0, 19), RETURN_A),
    "beyond": ((LD_B, 0, 0, 20), *ALL),
    "half": ((LD_H, 0, 0, 0), (JEQ, 0, 1, 0x0102), (RET_K, 0, 0, 5), *NONE),
    "half at the end": ((LD_H, 0, 0, 19), *ALL),
    "word": ((LD_W, 0, 0, 0), (JEQ, 0, 1, 0x01020304), (RET_K, 0, 0, 6), *NONE),
    "word at the end": ((LD_W, 0, 0, 17), *ALL),
    "length": ((LD_LENGTH, 0, 0, 0), (ALU | bpf.BPF_SUB | bpf.BPF_K, 0, 0, 13), RETURN_A),
    "indirect": ((LDX | bpf.BPF_IMM, 0, 0, 5), (LD_INDIRECT, 0, 0, 2), RETURN_A),
    "header length": ((LDX | bpf.BPF_B | bpf.BPF_MSH, 0, 0, 2), (MISC | bpf.BPF_TXA, 0, 0, 0), RETURN_A),
    "memory": (
        (LD_CONSTANT, 0, 0, 9),
        (bpf.BPF_ST, 0, 0, 3),
        (LD_CONSTANT, 0, 0, 0),
        (bpf.BPF_LD | bpf.BPF_MEM, 0, 0, 3),
        RETURN_A,
    ),
}


def pair(world: World) -> tuple[Socket, Socket]:
    return netlink(world, wire.USERSOCK, bind=(A, 0)), netlink(world, wire.USERSOCK, bind=(B, 0))


def extension(offset: int) -> int:
    return bpf.SKF_AD_OFF + offset & 0xFFFFFFFF


@case(marks=FILTER)
def all_and_nothing(world: World, log: Log) -> None:
    """The kernel drops a message that the filter of the receiver rejects. The sender gets no error."""
    a, b = pair(world)
    log.call("attach", world.attach_filter, b, NONE)
    log.call("send", a.sendto, b"lost", (B, 0))
    log.recv("recv", b)
    log.call("attach another", world.attach_filter, b, ALL)
    log.call("send", a.sendto, b"found", (B, 0))
    log.recv("recv", b)


@case(marks=FILTER)
def cut_short(world: World, log: Log) -> None:
    """A filter returns the number of bytes to keep. The kernel cuts off the rest without setting
    MSG_TRUNC.
    """
    a, b = pair(world)
    for length in (1, 4, 10, 11):
        world.attach_filter(b, ((RET_K, 0, 0, length),))
        a.sendto(b"0123456789", (B, 0))
        log.recvmsg(f"peek {length}", b, 2, 0, MSG_PEEK | MSG_TRUNC)
        log.recvmsg(f"{length}", b)


@case(privileged=True, marks=FILTER)
def of_a_monitor(world: World, log: Log) -> None:
    """A filter like libudev's: it checks the magic number of udevd's messages and a hash of the subsystem."""
    a = netlink(world, wire.USERSOCK, bind=(A, 0))
    b = netlink(world, wire.USERSOCK, bind=(B, 2))
    subsystem = 0x12345678
    program: tuple[Instruction, ...] = (
        (LD_W, 0, 0, 8),
        (JEQ, 1, 0, LIBUDEV),
        (RET_K, 0, 0, 0xFFFFFFFF),
        (LD_W, 0, 0, 24),
        (JEQ, 0, 1, subsystem),
        (RET_K, 0, 0, 0xFFFFFFFF),
        (RET_K, 0, 0, 0),
    )
    log.call("attach", world.attach_filter, b, program)
    head = b"libudev\0" + LIBUDEV.to_bytes(4, "big") + bytes(12)
    for label, data in (
        ("ours", head + subsystem.to_bytes(4, "big") + b"ACTION=add\0"),
        ("another", head + (1).to_bytes(4, "big") + b"ACTION=add\0"),
        ("no magic", b"add@/devices/x\0ACTION=add\0"),
        ("too short for the hash", head),
        ("too short for the magic", b"libudev\0"),
    ):
        log.call(label, a.sendto, data, (0, 2))
        log.recvfrom("recv", b)


@case(privileged=True, marks=FILTER)
def by_receiver(world: World, log: Log) -> None:
    """Each member of a group has its own filter."""
    a = netlink(world, wire.USERSOCK, bind=(A, 0))
    members = [netlink(world, wire.USERSOCK, bind=(B + index, 1)) for index in range(3)]
    world.attach_filter(members[0], NONE)
    world.attach_filter(members[1], ((RET_K, 0, 0, 3),))
    log.call("send", a.sendto, b"to all", (0, 1))
    for member in members:
        log.recvfrom("recv", member)


@case(marks=FILTER)
def answers_of_the_kernel(world: World, log: Log) -> None:
    """A socket's filter also applies to the kernel's replies. The filter of this case rejects NLMSG_ERROR."""
    s = netlink(world, wire.GENERIC, bind=(A, 0))
    # The type is in host byte order, but BPF loads in network byte order.
    world.attach_filter(s, ((LD_H, 0, 0, 4), (JEQ, 1, 0, wire.ERROR << 8), ALL[0], NONE[0]))
    log.ask("refused", s, wire.nlmsg(wire.NOOP, REQUEST | ACK, seq=1))
    log.ask("let through", s, wire.ctrl(attrs=wire.by_id(), seq=2))


@case(marks=FILTER)
def loads(world: World, log: Log) -> None:
    """A load of bytes inside the message succeeds. If a load reaches beyond the end of the message, the
    kernel drops the message.
    """
    a, b = pair(world)
    data = bytes(range(1, 21))
    for label, program in LOADS.items():
        log.call(f"{label}: attach", world.attach_filter, b, program)
        a.sendto(data, (B, 0))
        log.recv(label, b)


@case(marks=FILTER)
def arithmetic(world: World, log: Log) -> None:
    """BPF computes in 32 bits: results wrap, and each arithmetic operation works."""
    a, b = pair(world)
    for label, first, operation, second in (
        ("add", 7, bpf.BPF_ADD, 5),
        ("add over", 0xFFFFFFFF, bpf.BPF_ADD, 5),
        ("subtract", 7, bpf.BPF_SUB, 5),
        ("subtract under", 5, bpf.BPF_SUB, 7),
        ("multiply", 7, bpf.BPF_MUL, 2),
        ("divide", 17, bpf.BPF_DIV, 3),
        ("modulo", 17, bpf.BPF_MOD, 5),
        ("and", 13, bpf.BPF_AND, 6),
        ("or", 9, bpf.BPF_OR, 6),
        ("xor", 13, bpf.BPF_XOR, 6),
        ("left", 3, bpf.BPF_LSH, 2),
        ("right", 48, bpf.BPF_RSH, 2),
        ("negate", 0xFFFFFFF4, bpf.BPF_NEG, 0),
    ):
        program = (
            (bpf.BPF_LD | bpf.BPF_IMM, 0, 0, first),
            (ALU | operation | bpf.BPF_K, 0, 0, second),
            (RET_A, 0, 0, 0),
        )
        log.call(f"{label}: attach", world.attach_filter, b, program)
        a.sendto(bytes(100), (B, 0))
        log("length", len(b.recv(200)))


@case(marks=FILTER)
def division_by_nothing(world: World, log: Log) -> None:
    """A filter that divides by a constant 0 cannot be attached. A filter that divides by a register with
    value 0 drops the message.
    """
    a, b = pair(world)
    for operation in (bpf.BPF_DIV, bpf.BPF_MOD):
        constant = ((ALU | operation | bpf.BPF_K, 0, 0, 0), ALL[0])
        log.call("constant", world.attach_filter, b, constant)
        register = ((LDX | bpf.BPF_IMM, 0, 0, 0), (ALU | operation | bpf.BPF_X, 0, 0, 0), ALL[0])
        log.call("register", world.attach_filter, b, register)
        a.sendto(b"x", (B, 0))
        log.call("recv", b.recv, 100, 0x40)


@case(marks=FILTER)
def extensions(world: World, log: Log) -> None:
    """BPF extensions for network packets, such as SKF_AD_MARK, load 0 from a netlink message. SKF_AD_IFINDEX
    drops the message.
    """
    a, b = pair(world)
    for label, offset in (
        ("protocol", bpf.SKF_AD_PROTOCOL),
        ("packet type", bpf.SKF_AD_PKTTYPE),
        ("mark", bpf.SKF_AD_MARK),
        ("queue", bpf.SKF_AD_QUEUE),
        ("hash", bpf.SKF_AD_RXHASH),
        ("vlan", bpf.SKF_AD_VLAN_TAG),
        ("device", bpf.SKF_AD_IFINDEX),
    ):
        program = (
            (LD_W, 0, 0, extension(offset)),
            (ALU | bpf.BPF_ADD | bpf.BPF_K, 0, 0, 40),
            (RET_A, 0, 0, 0),
        )
        log.call(f"{label}: attach", world.attach_filter, b, program)
        a.sendto(bytes(200), (B, 0))
        log.call("recv", b.recv, 300, 0x40)


@case(marks=FILTER)
def attributes_of_a_message(world: World, log: Log) -> None:
    """SKF_AD_NLATTR loads the offset of the first attribute whose type is in register X. The search starts at
    the offset in register A.
    """
    a, b = pair(world)
    data = wire.attr(1, b"one") + wire.attr(2, b"two2") + wire.attr(7, wire.attr(9, b"in"))
    for label, start, type, what in (
        ("first", 0, 1, bpf.SKF_AD_NLATTR),
        ("second", 0, 2, bpf.SKF_AD_NLATTR),
        ("missing", 0, 5, bpf.SKF_AD_NLATTR),
        ("nested", 16, 9, bpf.SKF_AD_NLATTR_NEST),
        ("not nested", 0, 9, bpf.SKF_AD_NLATTR_NEST),
        ("beyond", 200, 1, bpf.SKF_AD_NLATTR),
    ):
        program = (
            (LDX | bpf.BPF_IMM, 0, 0, type),
            (bpf.BPF_LD | bpf.BPF_IMM, 0, 0, start),
            (LD_W, 0, 0, extension(what)),
            (ALU | bpf.BPF_ADD | bpf.BPF_K, 0, 0, 1),
            (RET_A, 0, 0, 0),
        )
        log.call(f"{label}: attach", world.attach_filter, b, program)
        a.sendto(data, (B, 0))
        log.recv(label, b)


@case(marks=FILTER)
def refused_programs(world: World, log: Log) -> None:
    """setsockopt(SO_ATTACH_FILTER) refuses invalid BPF programs."""
    s = netlink(world, wire.USERSOCK)
    long_jump: tuple[Instruction, ...] = ((bpf.BPF_JMP | bpf.BPF_JA, 0, 0, 5), ALL[0])
    programs: tuple[tuple[str, tuple[Instruction, ...]], ...] = (
        ("empty", ()),
        ("no end", ((LD_W, 0, 0, 0),)),
        ("unknown code", ((0xFFFF, 0, 0, 0), ALL[0])),
        ("jump beyond", ((JEQ, 5, 0, 0), ALL[0])),
        ("jump false beyond", ((JEQ, 0, 5, 0), ALL[0])),
        ("jump to the last", ((JEQ, 0, 0, 0), ALL[0])),
        ("long jump", long_jump),
        ("memory beyond", ((bpf.BPF_ST, 0, 0, 16), ALL[0])),
        ("memory not written", ((bpf.BPF_LD | bpf.BPF_MEM, 0, 0, 0), ALL[0])),
        ("shift too far", ((ALU | bpf.BPF_LSH | bpf.BPF_K, 0, 0, 32), ALL[0])),
        ("unknown extension", ((LD_W, 0, 0, extension(bpf.SKF_AD_MAX)), ALL[0])),
        ("extension as a byte", ((LD_B, 0, 0, extension(bpf.SKF_AD_PROTOCOL)), ALL[0])),
        ("4096", ALL * 4096),
        ("4097", ALL * 4097),
    )
    for label, program in programs:
        log.call(label, world.attach_filter, s, program)


@case(marks=FILTER)
def detach_and_lock(world: World, log: Log) -> None:
    """A filter can be detached only once. After SO_LOCK_FILTER, the filter cannot be detached, and the lock
    cannot be removed.
    """
    s = netlink(world, wire.USERSOCK)
    log.call("detach none", s.setsockopt, SOL_SOCKET, SO_DETACH_FILTER, 0)
    log.call("attach", world.attach_filter, s, ALL)
    log.call("detach", s.setsockopt, SOL_SOCKET, SO_DETACH_FILTER, 0)
    log.call("again", s.setsockopt, SOL_SOCKET, SO_DETACH_FILTER, 0)
    world.attach_filter(s, NONE)
    log.call("lock", s.setsockopt, SOL_SOCKET, SO_LOCK_FILTER, 1)
    log.call("get lock", s.getsockopt, SOL_SOCKET, SO_LOCK_FILTER)
    log.call("attach", world.attach_filter, s, ALL)
    log.call("attach a bad one", world.attach_filter, s, ())
    log.call("detach", s.setsockopt, SOL_SOCKET, SO_DETACH_FILTER, 0)
    log.call("unlock", s.setsockopt, SOL_SOCKET, SO_LOCK_FILTER, 0)
    log.call("lock again", s.setsockopt, SOL_SOCKET, SO_LOCK_FILTER, 1)


@case(marks=FILTER)
def read_back(world: World, log: Log) -> None:
    """SO_GET_FILTER counts the size of the caller's buffer and the returned length in instructions."""
    s = netlink(world, wire.USERSOCK)
    log.call("none", s.getsockopt, SOL_SOCKET, SO_ATTACH_FILTER, 1024)
    world.attach_filter(s, ((LD_W, 0, 0, 0), *ALL))
    log.call("two instructions", s.getsockopt, SOL_SOCKET, SO_ATTACH_FILTER, 1024)
    log.call("room for one", s.getsockopt, SOL_SOCKET, SO_ATTACH_FILTER, 1)


@case(marks=FILTER)
def refused_messages_take_no_room(world: World, log: Log) -> None:
    """A message that the filter rejects takes no space in the receive buffer. A message that the filter
    shortens takes as much space as the full message.
    """
    a, b = pair(world)
    b.setsockopt(SOL_SOCKET, SO_RCVBUF, 4096)
    world.attach_filter(b, NONE)
    for _ in range(100):
        a.sendto(bytes(500), 0x40, (B, 0))
    world.attach_filter(b, ((RET_K, 0, 0, 1),))
    sent = 0
    while sent < 100:
        try:
            a.sendto(bytes(500), 0x40, (B, 0))
        except BlockingIOError as error:
            log("full", error)
            break
        sent += 1
    log("as many as without a filter", sent)


@case(privileged=True, marks=FILTER)
def cut_for_a_full_queue(world: World, log: Log) -> None:
    """If a group member has no space in its receive buffer, its filter still shortens the message for the
    next member.
    """
    a = netlink(world, wire.USERSOCK, bind=(A, 0))
    for label, order in (("the full one first", "yx"), ("the full one last", "xy"), ("both sides", "yxz")):
        members = {name: netlink(world, wire.USERSOCK, bind=(0, 0)) for name in order}
        for sock in members.values():  # The kernel delivers a message to the newest member first.
            sock.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, 1)
        members["x"].setsockopt(SOL_SOCKET, SO_RCVBUF, 0)
        world.attach_filter(members["x"], ((RET_K, 0, 0, 4),))
        log.call(label, a.sendto, bytes(3000), (0, 1))
        for name in order.replace("x", ""):
            members[name].recv(1)
        log.call("without room", a.sendto, b"0123456789", (0, 1))
        for name in order:
            log.recv(name, members[name], 20)
            members[name].close()
