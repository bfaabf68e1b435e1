"""Tests of the live search (random comparison of simkernel with the host's kernel). These tests do not need
the host's kernel.
"""

from __future__ import annotations

import signal
import struct
import time
from random import Random

import pytest

from simkernel.uapi import filter as bpf
from simkernel.uapi import netlink as nl
from simkernel.uapi import socket as so
from simkernel.uapi.netlink import NETLINK_GENERIC, NETLINK_KOBJECT_UEVENT, NETLINK_USERSOCK
from simkernel.uapi.socket import MSG_DONTWAIT, SO_COOKIE, SOL_SOCKET
from tests.conformance import wire
from tests.conformance.live import hosts
from tests.conformance.live.actor import Outcome
from tests.conformance.live.answers import answer_name
from tests.conformance.live.areas import Scope
from tests.conformance.live.compare import Names, expected
from tests.conformance.live.coverage import SENDS, Reached, result_name
from tests.conformance.live.depth import count_messages
from tests.conformance.live.example import Difference, depends_on_chance
from tests.conformance.live.generator import Generator, nlctrl_program
from tests.conformance.live.hosts import Host
from tests.conformance.live.mirror import Mirror
from tests.conformance.live.render import case_of
from tests.conformance.live.shrink import shrink
from tests.conformance.live.steps import PID, Port, Program, Step

PROTOCOLS = (0, NETLINK_USERSOCK, NETLINK_KOBJECT_UEVENT, NETLINK_GENERIC)


def drawn(seed: int, scope: Scope = Scope(PROTOCOLS)) -> Program:  # noqa: B008 - frozen
    return Generator(Random(seed), privileged=True, scope=scope).program()


# -- programs -----------------------------------------------------------------


def test_seed_determines_the_program() -> None:
    assert drawn(5) == drawn(5)
    assert drawn(5) != drawn(6)
    assert nlctrl_program(Random(5), privileged=True) == nlctrl_program(Random(5), privileged=True)


def test_every_program_can_be_rendered_as_a_case() -> None:
    for seed in range(30):
        program = drawn(seed)
        difference = Difference(0, program[0], 0, ("ok", 1), ("EINVAL", None))
        compile(case_of(program, difference, f"seed {seed}"), "case", "exec")


def test_omitted_area_is_not_drawn() -> None:
    scope = Scope(PROTOCOLS).without(["route", "netdev", "poll", "sockopt"])
    for seed in range(30):
        for step in drawn(seed, scope):
            assert step.call != "poll"
            assert step.call != "socket" or step.arguments[0] != 16 or step.arguments[2] != 0


def test_most_messages_have_valid_headers() -> None:
    reached = Reached()
    for seed in range(60):
        protocols: dict[int, int] = {}
        for step in drawn(seed):
            if step.call == "socket":
                protocols[step.slot] = step.arguments[2]
            elif step.call in SENDS:
                reached(step, protocols.get(step.slot, NETLINK_USERSOCK), ("ok", None))
    assert reached.messages > 500
    assert reached.share_of_deep_messages >= 0.3


# -- shrinking ----------------------------------------------------------------


def test_shrinking_removes_steps_without_effect() -> None:
    noise = tuple(Step("getsockname", slot) for slot in range(20))
    culprit = Step("sendto", 3, (b"x" * 100, MSG_DONTWAIT | 0x8000, (Port(1), 5)))

    def shows(program: Program) -> bool:
        return any(step.call == "sendto" and step.arguments[0][:1] == b"x" for step in program)

    (step,) = shrink((*noise, culprit, *noise), shows, patience=1000)
    assert step == Step("sendto", 3, (b"x", 0, (Port(1), 0)))


def test_shrinking_keeps_its_budget() -> None:
    runs = 0

    def shows(program: Program) -> bool:
        nonlocal runs
        runs += 1
        return len(program) > 10

    shrink(drawn(1), shows, patience=200)
    assert runs <= 200


# -- comparing ----------------------------------------------------------------


NAME = Step("getsockname", 0)
RECV = Step("recv", 0, (100, 0))


@pytest.fixture
def names() -> Names:
    """A map from process ids of the host to those of simkernel. It contains one process, which has pid 1234
    on the host and 5 in simkernel.
    """
    names = Names()
    names.learn(1234, 5)
    return names


def test_chosen_port_id_is_learned_and_then_fixed(names: Names) -> None:
    real, simulated = ("ok", (0x80000123, 0)), ("ok", (0x90000000, 0))
    assert expected(NAME, 2, real, simulated, names) == simulated
    assert expected(NAME, 2, real, ("ok", (0x90000001, 0)), names) == simulated


def test_process_id_is_translated(names: Names) -> None:
    assert expected(NAME, 2, ("ok", (1234, 1)), ("ok", (7, 1)), names) == ("ok", (5, 1))


def test_explicit_port_id_is_compared_unchanged(names: Names) -> None:
    assert expected(NAME, 2, ("ok", (77, 0)), ("ok", (78, 0)), names) == ("ok", (77, 0))


def test_port_ids_in_message_headers_are_translated(names: Names) -> None:
    real = wire.nlmsg(2, 0, b"abcd", pid=1234) + wire.nlmsg(3, 0, b"", pid=1234)
    here = wire.nlmsg(2, 0, b"abcd", pid=5) + wire.nlmsg(3, 0, b"", pid=5)
    assert expected(RECV, NETLINK_GENERIC, ("ok", real), ("ok", here), names) == ("ok", here)
    assert expected(RECV, NETLINK_USERSOCK, ("ok", real), ("ok", here), names) == ("ok", real)


def test_only_the_seqnum_of_a_uevent_is_not_compared(names: Names) -> None:
    real, here = (f"add@/x\0SEQNUM={number}\0".encode() for number in (4711, 12))
    assert expected(RECV, NETLINK_KOBJECT_UEVENT, ("ok", real), ("ok", here), names) == ("ok", here)
    assert expected(RECV, NETLINK_KOBJECT_UEVENT, ("ok", real), ("ok", here + b"x"), names) != (
        "ok",
        here + b"x",
    )


def test_port_ids_in_truncated_headers_are_translated(names: Names) -> None:
    real, here = (wire.nlmsg(2, 0, b"abcd", pid=pid)[:14] for pid in (1234, 5))
    assert expected(RECV, NETLINK_GENERIC, ("ok", real), ("ok", here), names) == ("ok", here)


def test_bytes_beyond_the_buffer_are_not_compared(names: Names) -> None:
    step = Step("recv", 0, (2, 0))
    assert expected(step, NETLINK_USERSOCK, ("ok", b"ab??"), ("ok", b"ab\0\0"), names) == ("ok", b"ab\0\0")
    assert expected(step, NETLINK_USERSOCK, ("ok", b"ax??"), ("ok", b"ab\0\0"), names) != ("ok", b"ab\0\0")


def test_only_the_length_of_a_cookie_is_compared(names: Names) -> None:
    step = Step("getsockopt", 0, (SOL_SOCKET, SO_COOKIE, 8))
    assert expected(step, 2, ("ok", b"12345678"), ("ok", b"87654321"), names) == ("ok", b"87654321")
    assert expected(step, 2, ("ok", b"12345678"), ("ok", b"8765"), names) == ("ok", b"12345678")


def test_errno_is_compared_unchanged(names: Names) -> None:
    assert expected(NAME, 2, ("EPERM", None), ("ok", (5, 0)), names) == ("EPERM", None)


# -- rendering ----------------------------------------------------------------


def test_symbols_are_rendered_as_expressions() -> None:
    program = (
        Step("socket", 0, (16, 3, 2)),
        Step("bind", 0, ((PID, 0),)),
        Step("sendmsg", 0, ((b"x",), ((1, 2, (PID, 0, 0)),), 0, (Port(0), 0))),
    )
    text = case_of(program, Difference(2, program[2], 0, ("ok", 1), ("EPERM", None)), "by hand")
    assert "s0.bind, (pid, 0)" in text
    assert 'struct.pack("<iII", *(pid, 0, 0))' in text
    assert "(s0.getsockname()[0], 0)" in text
    assert "# Linux:     ok 1\n" in text and text.endswith("# simkernel: EPERM")


def test_messages_with_valid_headers_are_counted() -> None:
    good = wire.ctrl(attrs=wire.by_id())
    assert count_messages(NETLINK_GENERIC, good) == (1, 1)
    assert count_messages(NETLINK_GENERIC, good + wire.nlmsg(1) + good) == (3, 2)
    assert count_messages(NETLINK_GENERIC, wire.ctrl(99)) == (1, 0)
    assert count_messages(NETLINK_GENERIC, good[:-1]) == (1, 0)


# -- classifying results ------------------------------------------------------


def error(number: int, request: bytes, flags: int, tlvs: bytes = b"") -> bytes:
    """Return an NLMSG_ERROR message for a request. With NLM_F_CAPPED, the message contains only the request's
    header.
    """
    kept = request[: nl.NLMSG_HDRLEN] if flags & nl.NLM_F_CAPPED else request
    return wire.nlmsg(nl.NLMSG_ERROR, flags, struct.pack("<i", -number) + kept + tlvs)


@pytest.mark.parametrize("capped", [0, nl.NLM_F_CAPPED])
def test_error_messages_are_classified(capped: int) -> None:
    request = wire.ctrl(attrs=wire.by_name(b"nosuch\0"))
    tlvs = wire.attr(nl.NLMSGERR_ATTR_MSG, b"why\0") + wire.attr(nl.NLMSGERR_ATTR_OFFS, wire.u32(20))
    message = error(22, request, nl.NLM_F_ACK_TLVS | capped, tlvs)
    assert answer_name(NETLINK_GENERIC, message) == "EINVAL +text +offset"
    assert answer_name(NETLINK_GENERIC, message[:-1]) == "cut short"
    assert answer_name(NETLINK_GENERIC, error(2, request, capped)) == "ENOENT"
    assert answer_name(NETLINK_GENERIC, error(0, request, nl.NLM_F_CAPPED)) == "ACK"


def test_datagrams_are_classified() -> None:
    dump = wire.nlmsg(16, nl.NLM_F_MULTI, b"abcd")
    assert answer_name(NETLINK_GENERIC, dump) == "part of a dump"
    assert answer_name(NETLINK_GENERIC, wire.nlmsg(nl.NLMSG_DONE, nl.NLM_F_MULTI, bytes(4))) == "DONE"
    assert answer_name(NETLINK_KOBJECT_UEVENT, b"add@/devices/x\0SEQNUM=12\0") == "uevent"


def test_results_are_classified() -> None:
    message: Outcome = ("ok", (b"", [], so.MSG_TRUNC, (0, 0)))
    assert result_name(Step("recvmsg", 0, (10, 0, 0)), message) == "ok MSG_TRUNC"
    assert result_name(Step("poll", 0, (5,)), ("ok", 0x45)) == "POLLIN POLLOUT"
    assert result_name(Step("bind", 0, ((0, 0),)), ("EPERM", None)) == "EPERM"


# -- randomness ---------------------------------------------------------------


def reads_its_port_id(size: int) -> Program:
    """Return a program whose result depends on chance. Its BPF filter truncates a message to a length that is
    the lowest byte of a random port id.
    """
    keep = ((bpf.BPF_LD | bpf.BPF_B | bpf.BPF_ABS, 0, 0, 12), (bpf.BPF_RET | bpf.BPF_A, 0, 0, 0))
    return (
        Step("socket", 0, (16, 3, NETLINK_GENERIC)),
        Step("bind", 0, ((0, 0),)),
        Step("socket", 1, (16, 3, NETLINK_GENERIC)),
        Step("attach_filter", 1, (keep,)),
        Step("sendto", 1, (wire.nlmsg(17, nl.NLM_F_REQUEST, bytes(size)), 0, (0, 0))),
        Step("drain", 1, (1000, 0, MSG_DONTWAIT)),
    )


def test_dependence_on_chosen_port_ids_is_detected() -> None:
    host = Host(True, Scope(PROTOCOLS), Mirror((), frozenset(), frozenset()))
    assert depends_on_chance(host, reads_its_port_id(300))
    assert not depends_on_chance(host, reads_its_port_id(300)[:3])


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the host has no interval timers")
def test_blocking_is_the_result_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    class Sleeper:
        def poll(self, sock: object, mask: int) -> None:
            time.sleep(10)

    monkeypatch.setattr(hosts, "PATIENCE", 0.05)
    actor = hosts.HostActor(Sleeper(), 1, sockets={0: object()})
    before = signal.signal(signal.SIGALRM, hosts._blocks)
    try:
        assert actor.perform(Step("poll", 0, (1,))) == [("the step blocks for more than 0.05 s", None)]
    finally:
        signal.signal(signal.SIGALRM, before)
