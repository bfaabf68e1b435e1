"""Dispatch of a message to the operation of a family, and errors that are detected before the operation is
called.
"""

from __future__ import annotations

import struct
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.kernel.netlink.genetlink.family import Command, Dumper, Family, Group, Info, Operation
from simkernel.kernel.netlink.genetlink.genetlink import GenericNetlink
from simkernel.kernel.netlink.writer import MessageWriter
from simkernel.uapi import netlink as nl
from simkernel.uapi.capability import CAP_NET_ADMIN
from simkernel.uapi.errno import EFAULT, EINVAL, ENODEV, ENOENT, EOPNOTSUPP, EPERM, os_error
from simkernel.uapi.extack import ExtAck, extended_ack
from simkernel.uapi.genetlink import (
    GENL_ADMIN_PERM,
    GENL_CMD_CAP_DO,
    GENL_CMD_CAP_DUMP,
    GenlMsgHdr,
)
from simkernel.ynl.policy import AttributePolicy, NlaType, PolicyTable
from tests.kernel.netlink.stack import NOBODY, Sock, Stack

A, B = 0x4A000001, 0x4A000002
GET, SET, OLD, BARE = 1, 2, 3, 4
TABLE = PolicyTable("t", (AttributePolicy(), AttributePolicy(NlaType.U32), AttributePolicy(NlaType.STRING)))


class Owner:
    """A replacement for the kernel module that owns a family. It counts the references that netlink takes."""

    name = "toy"

    def __init__(self) -> None:
        self.references = 0
        self.leaving = False

    def try_get(self) -> bool:
        self.references += not self.leaving
        return not self.leaving

    def put(self) -> None:
        self.references -= 1


class Toy:
    """A family whose operations set and return a number."""

    def __init__(self, stack: Stack, **more: Any) -> None:
        self.value = 0
        self.owner = Owner()
        self.asleep: list[Coroutine[Any, Any, None]] = []
        dump = Dumper(self.dump)
        self.family = Family(
            "toy",
            (
                Command(
                    GET,
                    Operation(GET, "get", GENL_CMD_CAP_DO, None, do=self.get),
                    Operation(GET, "get", GENL_CMD_CAP_DUMP, TABLE, dump=dump),
                ),
                Command(SET, Operation(SET, "set", GENL_CMD_CAP_DO | GENL_ADMIN_PERM, TABLE, do=self.set)),
                Command(BARE, dump=Operation(BARE, "bare", GENL_CMD_CAP_DUMP, None, dump=dump)),
            ),
            (Group("open"), Group("closed", (CAP_NET_ADMIN,))),
            owner=self.owner,
            **more,
        )
        stack.genetlink.register(self.family)

    def get(self, info: Info) -> None:
        info.reply(GET, nl.attribute(1, struct.pack("<I", self.value)))

    def set(self, info: Info) -> None:
        payload = info.payload(1)
        if payload is None:
            info.fail(EINVAL, "which number?", missing=1)
        (value,) = struct.unpack("<I", payload)
        if value == 13:
            info.fail(ENODEV, "unlucky", attribute=1)
        if value == 99:
            raise ZeroDivisionError
        self.value = value

    def dump(self, writer: MessageWriter, info: Info) -> bool:
        writer.append(info.message(GET, nl.attribute(1, struct.pack("<I", self.value)), flags=nl.NLM_F_MULTI))
        return False


@pytest.fixture
def toy(stack: Stack) -> Toy:
    return Toy(stack)


def ask(sock: Sock, family: Family, command: int, attributes: bytes = b"", **more: Any) -> Any:
    """Send a request, and return the replies, or the errno and the extended ACK."""
    reserved = more.pop("reserved", 0)
    flags = more.pop("flags", nl.NLM_F_REQUEST)
    body = GenlMsgHdr(command, 1, reserved).pack() + attributes
    answers = sock.ask(nl.message(family.id, body, flags=flags, seq=1))
    if len(answers) == 1 and answers[0][0].type == nl.NLMSG_ERROR:
        header, payload = answers[0]
        return -struct.unpack_from("<i", payload)[0], extended_ack(header, payload)
    return [(header.type, payload) for header, payload in answers]


def listening(stack: Stack, **more: Any) -> Sock:
    sock = stack.open(nl.NETLINK_GENERIC, A, **more)
    sock.set(nl.NETLINK_EXT_ACK)
    return sock


def number(value: int) -> bytes:
    return nl.attribute(1, struct.pack("<I", value))


def test_do_and_dump(stack: Stack, toy: Toy) -> None:
    sock = listening(stack)
    assert ask(sock, toy.family, SET, number(7)) == []
    answer = (toy.family.id, GenlMsgHdr(GET, 1).pack() + number(7))
    assert ask(sock, toy.family, GET) == [answer]
    dumped = ask(sock, toy.family, GET, flags=nl.NLM_F_REQUEST | nl.NLM_F_DUMP)
    assert dumped == [answer, (nl.NLMSG_DONE, bytes(4))]


def test_errors_in_a_request_are_explained(stack: Stack, toy: Toy) -> None:
    sock = listening(stack)
    assert ask(sock, toy.family, SET) == (EINVAL, ExtAck(message="which number?", missing_type=1))
    assert ask(sock, toy.family, SET, number(13)) == (ENODEV, ExtAck(message="unlucky", offset=20))
    assert ask(sock, toy.family, 200) == (EOPNOTSUPP, ExtAck())
    assert ask(sock, toy.family, BARE) == (EOPNOTSUPP, ExtAck())
    assert ask(sock, toy.family, GET, reserved=1)[1].message == "genlmsghdr.reserved field is not 0"
    assert (
        ask(sock, toy.family, GET, flags=0x801)[1].message == "ambiguous or reserved bits set in nlmsg_flags"
    )
    assert ask(listening2(stack), toy.family, SET, number(1)) == (EPERM, ExtAck())


def listening2(stack: Stack) -> Sock:
    sock = stack.open(nl.NETLINK_GENERIC, B, uid=NOBODY)
    sock.set(nl.NETLINK_EXT_ACK)
    return sock


def test_without_a_policy_attributes_are_not_looked_at(stack: Stack, toy: Toy) -> None:
    """If an operation has no policy, the kernel ignores the attributes of a request. CTRL_CMD_GETPOLICY
    nevertheless reports a policy that accepts no attribute.
    """
    assert len(ask(listening(stack), toy.family, GET, b"\xff" * 7)) == 1


def test_a_family_of_the_initial_namespace_is_not_elsewhere(stack: Stack) -> None:
    toy = Toy(stack, netnsok=False)
    sock = listening(stack, net=stack.namespaces.create())
    assert ask(sock, toy.family, GET) == (ENOENT, ExtAck())


def test_groups_may_need_a_capability(stack: Stack, toy: Toy) -> None:
    sock = listening(stack, uid=NOBODY)
    sock.join(toy.family.first_group)
    with pytest.raises(PermissionError):
        sock.join(toy.family.first_group + 1)


def test_a_removed_group_has_no_members(stack: Stack, toy: Toy) -> None:
    sock = listening(stack).join(toy.family.first_group)
    stack.genetlink.unregister(toy.family)
    assert sock.it.groups == 0
    assert ask(sock, toy.family, GET) == (ENOENT, ExtAck())


def test_multicast_reaches_all_namespaces_or_one(stack: Stack, toy: Toy) -> None:
    there = stack.namespaces.create()
    here, far = listening(stack), listening(stack, net=there)
    for sock in (here, far):
        sock.join(toy.family.first_group)
    stack.genetlink.multicast(toy.family, 0, GET, number(1))
    stack.genetlink.multicast(toy.family, 0, GET, number(2), net=there)
    assert [len(sock.drain()) for sock in (here, far)] == [1, 2]
    assert stack.genetlink.has_listeners(toy.family, 0)
    with pytest.raises(OSError):
        stack.genetlink.multicast(toy.family, 1, GET, number(3))


def test_notify_omits_the_requester_or_sends_it_a_unicast(stack: Stack, toy: Toy) -> None:
    """With NLM_F_ECHO, `genl_notify()` sends the requester one copy by unicast."""
    seen: list[Info] = []
    toy.set = seen.append  # type: ignore[method-assign]
    operation = toy.family.doit[SET]
    requester, other = listening(stack), listening2(stack)
    for sock in (requester, other):
        sock.join(toy.family.first_group)
    for flags, copies in ((nl.NLM_F_REQUEST, [1, 1]), (nl.NLM_F_REQUEST | nl.NLM_F_ECHO, [1, 1])):
        body = GenlMsgHdr(SET).pack() + number(1)
        object.__setattr__(operation, "do", seen.append)
        requester.send(nl.message(toy.family.id, body, flags=flags))
        stack.genetlink.notify(seen[-1], 0, GET, number(5))
        assert [len(sock.drain()) for sock in (requester, other)] == copies


def test_a_dump_holds_its_module(stack: Stack, toy: Toy) -> None:
    def never(writer: MessageWriter, info: Info) -> bool:
        writer.append(bytes(3000))
        return True

    operation = toy.family.dumpit[GET]
    object.__setattr__(operation, "dump", Dumper(never))
    sock = listening(stack)
    body = GenlMsgHdr(GET).pack()
    sock.send(nl.message(toy.family.id, body, flags=nl.NLM_F_REQUEST | nl.NLM_F_DUMP))
    assert toy.owner.references == 1
    sock.close()
    assert toy.owner.references == 0


def test_a_sleeping_operation_holds_its_module_and_the_lock(stack: Stack, toy: Toy) -> None:
    async def slow(info: Info) -> None:
        info.reply(GET, number(1))

    operation = toy.family.doit[GET]
    object.__setattr__(operation, "do", slow)
    request = nl.message(toy.family.id, GenlMsgHdr(GET).pack(), flags=nl.NLM_F_REQUEST)
    first, second = listening(stack), listening2(stack)
    going = first.it.sendmsg(first.task, request, (0, 0))
    waiting = second.it.sendmsg(second.task, request, (0, 0))
    assert isinstance(going, Coroutine) and isinstance(waiting, Coroutine)
    waiting.send(None)
    assert (len(first.drain()), len(second.drain())) == (0, 0)
    with pytest.raises(StopIteration):
        going.send(None)
    assert toy.owner.references == 0
    with pytest.raises(StopIteration):
        waiting.send(True)
    assert (len(first.drain()), len(second.drain())) == (1, 1)


def test_an_exception_of_a_module_stops_at_the_guard() -> None:
    said: list[str] = []

    @contextmanager
    def guard(owner: Owner | None, where: str) -> Iterator[None]:
        try:
            yield
        except ZeroDivisionError as error:
            said.append(f"{type(error).__name__} in {where}")
            raise os_error(EFAULT) from None

    stack = Stack()
    stack.kernel_socket(nl.NETLINK_GENERIC).release()
    stack.genetlink = GenericNetlink(stack.netlink, guard)
    toy = Toy(stack)
    sock = listening(stack)
    assert ask(sock, toy.family, SET, number(99))[0] == EFAULT
    assert said == ["ZeroDivisionError in toy set doit"]
    assert len(ask(sock, toy.family, GET)) == 1


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(0, 255), st.binary(max_size=40)), max_size=10))
def test_any_request_is_answered_or_refused(requests: list[tuple[int, int, bytes]]) -> None:
    stack = Stack()
    toy = Toy(stack)
    sock = listening(stack)
    for flags, command, attributes in requests:
        body = GenlMsgHdr(command, 1, 0).pack() + attributes
        sock.send(nl.message(toy.family.id, body, flags=flags | nl.NLM_F_REQUEST))
        for datagram in sock.drain():
            for header, _ in nl.iterate_messages(datagram):
                assert header.type in (nl.NLMSG_ERROR, nl.NLMSG_DONE, toy.family.id)
    sock.close()
    assert (toy.owner.references, sock.it.rmem) == (0, 0)


@given(st.binary(max_size=5000).map(lambda data: data + bytes(-len(data) & 3)))
def test_reply_fast_path_matches_message(attributes: bytes) -> None:
    stack = Stack()
    messages: list[bytes] = []

    def get(info: Info) -> None:
        messages.append(info.message(GET, attributes))
        info.reply(GET, attributes)

    family = Family("inline", (Command(GET, Operation(GET, "get", GENL_CMD_CAP_DO, None, do=get)),))
    stack.genetlink.register(family)
    sock = stack.open(nl.NETLINK_GENERIC, A)
    sock.send(nl.message(family.id, GenlMsgHdr(GET).pack(), flags=nl.NLM_F_REQUEST))
    assert sock.drain() == messages != []
