"""Uevents that the kernel sends, and uevents that programs send through the kernel."""

from __future__ import annotations

import pytest

from simkernel.uapi import netlink as nl
from simkernel.uapi.errno import EINVAL, EPERM
from simkernel.uapi.extack import extended_ack
from simkernel.uapi.socket import SCM_CREDENTIALS, SO_PASSCRED, SOL_SOCKET, Ucred
from simkernel.uapi.uevent import Uevent
from tests.kernel.netlink.stack import NOBODY, Stack

A, B = 0x4C000001, 0x4C000002
UEVENT = nl.NETLINK_KOBJECT_UEVENT
EVENT = Uevent("add", "/devices/camera0", {"ACTION": "add", "SEQNUM": "1"})


def test_listening_needs_no_permission_in_any_namespace(stack: Stack) -> None:
    here = stack.open(UEVENT, A, uid=NOBODY).join(1)
    there = stack.open(UEVENT, A, net=stack.namespaces.create()).join(1)
    stack.uevents.broadcast(EVENT)
    assert here.receive().address == (0, 1)
    assert [Uevent.unpack(data) for data in there.drain()] == [EVENT]


def test_an_event_without_listeners_reaches_no_socket(stack: Stack) -> None:
    """A socket that joins the uevent group after an event gets only later events."""
    sock = stack.open(UEVENT, A)
    stack.uevents.broadcast(EVENT)
    sock.join(1)
    assert sock.drain() == []
    stack.uevents.broadcast(EVENT)
    assert [Uevent.unpack(data) for data in sock.drain()] == [EVENT]


def test_an_event_for_one_namespace_stays_in_it(stack: Stack) -> None:
    net = stack.namespaces.create()
    here, there = stack.open(UEVENT, A).join(1), stack.open(UEVENT, A, net=net).join(1)
    stack.uevents.broadcast(EVENT, only=net)
    assert (here.drain(), [Uevent.unpack(data) for data in there.drain()]) == ([], [EVENT])


def test_a_program_with_privilege_speaks_to_its_namespace(stack: Stack) -> None:
    """The kernel removes the netlink header from the program's message and appends SEQNUM. The listener gets
    the message with the program's credentials.
    """
    speaker, listener = stack.open(UEVENT, A), stack.open(UEVENT, B).join(1)
    elsewhere = stack.open(UEVENT, B, net=stack.namespaces.create()).join(1)
    listener.set(SO_PASSCRED, 1, SOL_SOCKET)
    speaker.send(nl.message(16, b"add@/x\0", flags=nl.NLM_F_REQUEST))
    received = listener.receive(room=100)
    assert received.data == b"add@/x\0\0SEQNUM=1\0"
    assert received.address == (0, 1)
    creds = Ucred(speaker.task.tgid, 0, 0).pack()
    assert received.control == [(SOL_SOCKET, SCM_CREDENTIALS, creds)]
    assert elsewhere.drain() == []


def test_further_messages_of_a_datagram_are_sent_too(stack: Stack) -> None:
    """For each message of a datagram, `uevent_net_broadcast()` sends the part of the datagram that begins
    with this message. It removes the header of this message, but keeps the headers of the later messages.
    """
    speaker, listener = stack.open(UEVENT, A), stack.open(UEVENT, B).join(1)
    one, two = (nl.message(16, text, flags=nl.NLM_F_REQUEST) for text in (b"one!", b"two!"))
    speaker.send(one + two)
    assert listener.drain() == [b"one!" + two + b"SEQNUM=1\0", b"two!SEQNUM=2\0"]


@pytest.mark.parametrize(
    ("uid", "size", "error", "text"),
    [
        (NOBODY, 4, EPERM, "missing CAP_SYS_ADMIN capability"),
        (0, 2048 - 16 - 9, 0, None),
        (0, 2048 - 16 - 8, EINVAL, "uevent message too big"),
    ],
)
def test_refusals(stack: Stack, uid: int, size: int, error: int, text: str | None) -> None:
    sock = stack.open(UEVENT, A, uid=uid)
    sock.set(nl.NETLINK_EXT_ACK)
    flags = nl.NLM_F_REQUEST | nl.NLM_F_ACK
    # cut off the padding: the kernel sends all bytes after the header as the text of the uevent
    [(header, payload)] = sock.ask(nl.message(16, bytes(size), flags=flags)[: size + 16])
    assert int.from_bytes(payload[:4], "little", signed=True) == -error
    assert extended_ack(header, payload).message == text


def test_numbers_are_used_up_by_events_that_were_too_long(stack: Stack) -> None:
    sock = stack.open(UEVENT, A)
    sock.send(nl.message(16, bytes(3000), flags=nl.NLM_F_REQUEST))
    assert stack.sequence == 1
