"""A short run of the fuzzer. The long one is `python -m tests.fuzz --messages 10000000`."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkernel import Machine, millis
from simkernel.kernel.netlink.socket import NetlinkSocket
from simkernel.uapi.netlink import NETLINK_USERSOCK
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW
from tests.examples import examples
from tests.fuzz import chaos, session
from tests.fuzz.call_session import CallSession, FacadeSession
from tests.fuzz.caller import Caller
from tests.fuzz.files import FileCaller
from tests.fuzz.session import Session
from tests.fuzz.watch import Broken, check_over, watched


@settings(max_examples=examples(100))
@given(seed=st.integers(0, 2**32 - 1), messages=st.integers(1, 400))
def test_random_messages_keep_the_invariants(seed: int, messages: int) -> None:
    outcome = Session(Random(seed), messages).run()
    assert outcome.messages >= messages


@settings(max_examples=examples(50))
@given(seed=st.integers(0, 2**32 - 1), calls=st.integers(1, 600))
def test_random_calls_on_files_keep_the_invariants(seed: int, calls: int) -> None:
    assert Session(Random(seed), calls, FileCaller).run().messages >= calls


@settings(max_examples=4)
@given(seed=st.integers(0, 2**32 - 1), calls=st.integers(1, 400))
def test_any_arguments_and_exceptions_end_only_programs(seed: int, calls: int) -> None:
    assert CallSession(Random(seed), calls).run().messages >= calls


@settings(max_examples=4)
@given(seed=st.integers(0, 2**32 - 1), calls=st.integers(1, 400))
def test_any_arguments_of_ordinary_code_leak_nothing(seed: int, calls: int) -> None:
    assert FacadeSession(Random(seed), calls).run().messages == calls


@pytest.mark.long
@pytest.mark.parametrize("number", range(20))
def test_many_calls_with_any_arguments_keep_the_invariants(number: int) -> None:
    for kind in (CallSession, FacadeSession):
        assert kind(Random(f"long/{number}"), 2000).run().messages >= 2000


class Sleeper(Caller):
    """A program that changes its name and then sleeps forever."""

    async def _one(self, app: Any) -> None:
        self.plan.left -= 1
        await app.call("prctl_comm", "renamed")
        await app.poll([], None)


def test_session_kills_renamed_callers() -> None:
    assert Session(Random(1), 50, Sleeper).run().messages >= 50


def test_blocked_callers_break_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "MAX_DURATION", millis(20))

    class Daemon(Sleeper):
        async def run(self, app: Any) -> None:
            await self._one(app)  # This program is not in `Plan.callers`, so no random signal ends it.

    with pytest.raises(Broken, match="messages are left"):
        Session(Random(1), 5000, Daemon).run()


def test_judge_rejects_an_error_that_no_call_may_raise() -> None:
    with pytest.raises(Broken, match="KeyError"):
        chaos.judge(ExceptionGroup("", [KeyError("frame")]))


@pytest.mark.parametrize("kind", [Caller, FileCaller])
def test_seed_determines_the_outcome(kind: type[Caller]) -> None:
    first, second = (Session(Random(7), 300, kind).run() for _ in range(2))
    assert first == second


def test_queue_beyond_its_limit_is_detected() -> None:
    with Machine(udev=False) as machine, watched():
        process = machine.blocking()
        process.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        [(_, file)] = process.task.files.items()
        sock = file.object
        assert isinstance(sock, NetlinkSocket)
        sock.rmem = 10 * sock.rcvbuf  # An empty queue accepts a message of any size.
        sock.rmem = sock.rcvbuf - 1
        with pytest.raises(Broken, match="with rcvbuf"):
            sock.rmem = sock.rcvbuf + 1


def test_queued_memory_at_the_end_is_detected() -> None:
    with Machine(udev=False) as machine, watched() as seen:
        sock = machine.blocking().socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        sock.bind((5, 0))
        sock.sendto(b"x", (5, 0))
        with pytest.raises(Broken, match="is closed but still holds"):
            check_over(machine, seen)
