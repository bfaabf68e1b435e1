"""Code that is repeated inline has the same effects as the function that it repeats."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkernel import Machine, seconds
from simkernel.uapi.netlink import NETLINK_GENERIC, NETLINK_USERSOCK, NLM_F_ACK, NLM_F_REQUEST
from simkernel.uapi.signal import SIGUSR1
from simkernel.uapi.socket import AF_NETLINK, MSG_DONTWAIT, SOCK_RAW
from tests.examples import examples
from tests.inline import CONSTRUCTORS, INLINES, Inline, file_of, markers, resolve

GROUP = 1
GETFAMILY = (
    bytes([20, 0, 0, 0, 16, 0, NLM_F_REQUEST | NLM_F_ACK, 0, 1, 0, 0, 0, 0, 0, 0, 0]) + b"\x03\x01\0\0"
)
STEP = st.one_of(
    st.tuples(st.sampled_from(["getpid", "yield", "signal", "ask", "receive", "look"]), st.just(0)),
    st.tuples(st.sampled_from(["compute", "sleep"]), st.sampled_from([0, 94, 1000])),
    st.tuples(st.sampled_from(["send", "multicast"]), st.integers(0, 3)),
    st.tuples(st.just("closed"), st.sampled_from([-1, 77])),
)
PROGRAMS = st.lists(st.lists(STEP, max_size=8), min_size=1, max_size=3)


async def program(app: Any, number: int, steps: list[tuple[str, int]], seen: list[Any]) -> None:
    """Make a call for each pair (name, argument) in `steps`. Append the result of each call, and the time
    after it, to `seen`.
    """
    await app.signal(SIGUSR1, lambda signal: seen.append((number, signal)))
    sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
    await sock.bind((number + 1, GROUP))
    kernel = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC)
    await kernel.bind((number + 1, 0))
    for step, value in steps:
        result: object = None
        try:
            if step == "getpid":
                result = await app.getpid()
            elif step == "yield":
                await app.sched_yield()
            elif step == "signal":
                await app.kill(await app.getppid() + 2 + number, SIGUSR1)
            elif step == "ask":
                await kernel.send(GETFAMILY)
                result = [await kernel.recv(8192), await kernel.recv(8192)]
            elif step == "receive":
                result = await sock.recv(100)
            elif step == "look":
                result = await sock.recvfrom(100, MSG_DONTWAIT)
            elif step == "compute":
                await app.compute(value)
            elif step == "sleep":
                await app.sleep(value / 1e9)
            elif step == "closed":
                with contextlib.suppress(OSError):
                    await app.call("sendto", value, b"x", 0, None)
                result = await app.call("recvfrom", value, 1, 0)
            else:
                await sock.sendto(b"x", (value + 1, 0) if step == "send" else (0, GROUP))
        except OSError as error:
            result = error.errno
        seen.append((number, step, result, app.monotonic_ns()))


def history(programs: list[list[tuple[str, int]]]) -> list[Any]:
    """Return the records of the programs in order, and the machine's counters."""
    seen: list[Any] = []
    with Machine(udev=False) as machine:
        for number, steps in enumerate(programs):
            machine.spawn(program, number, steps, seen)
        machine.run(until=seconds(1))
        seen.append(machine.statistics)
    return seen


@pytest.mark.parametrize("inline", INLINES, ids=lambda inline: f"{inline.owner.__name__}.{inline.method}")
@settings(max_examples=examples(25))
@given(PROGRAMS)
def test_inline_code_matches_its_plain_form(inline: Inline, programs: list[list[tuple[str, int]]]) -> None:
    expected = history(programs)
    with inline.plain():
        assert history(programs) == expected


@given(st.lists(st.sampled_from(["getpid", "sleep", "kill", "closed"]), max_size=6))
def test_inline_blocking_call_matches_its_plain_form(steps: list[str]) -> None:
    *_, inline = INLINES

    def calls() -> list[Any]:
        seen: list[Any] = []
        with Machine(udev=False) as machine, machine.blocking() as facade:
            for step in steps:
                try:
                    if step == "getpid":
                        seen.append(facade.getpid())
                    elif step == "sleep":
                        seen.append(facade.sleep(0.001))
                    elif step == "kill":
                        seen.append(facade.kill(12345, SIGUSR1))
                    else:
                        seen.append(facade.read(99, 1))
                except OSError as error:
                    seen.append(error.errno)
                engine = machine.engine
                seen.append((engine.now, engine.charged, engine.running, engine.turn, engine.run_until))
        return seen

    expected = calls()
    with inline.plain():
        assert calls() == expected


def test_makers_fill_in_every_slot_of_a_class_without_constructor() -> None:
    made: list[Any] = []

    def remember(kind: type) -> Any:
        plain = kind.__new__

        def new(cls: type, *_: Any) -> Any:
            made.append(plain(cls))
            return made[-1]

        return patch.object(kind, "__new__", new)

    with contextlib.ExitStack() as stack:
        for kind in CONSTRUCTORS:
            stack.enter_context(remember(kind))
        history([[("ask", 0), ("multicast", 0), ("receive", 0), ("send", 0), ("look", 0)]])
    for kind in CONSTRUCTORS:
        objects = [each for each in made if isinstance(each, kind)]
        slots = set(kind.__slots__) - {"line"}  # set for debugging only
        assert objects
        assert [(each, slot) for each in objects for slot in slots if not hasattr(each, slot)] == []


def test_every_marker_names_existing_code_and_has_a_test() -> None:
    found = Counter((marker.file, marker.name) for marker in markers())
    for _, name in found:
        assert callable(resolve(name))
    compared = [(inline.file, name) for inline in INLINES for name in inline.names]
    compared += [(file_of(kind), f"{kind.__module__}.{kind.__name__}.__init__") for kind in CONSTRUCTORS]
    assert found == Counter(compared)
