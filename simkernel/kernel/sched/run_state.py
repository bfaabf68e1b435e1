"""The states in which the runner has a task, and the transitions between them.

Theory of operation.  The runner stores no state. `SchedTask.run_state` computes it from attributes that
the runner needs anyway (the coroutine to drive, the entry in a wait queue).  A call that does not sleep
changes none of them, so this table costs it nothing.  tests/kernel/sched/test_run_state.py checks that the
runner makes every transition of the table and no other.  The guide's diagram is drawn from the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final


class RunState(Enum):
    """A state of a task, from the runner's point of view."""

    IDLE = "has no program: it is not started, or ordinary code has no call under way"
    USER = "its program runs in user mode, or waits for a CPU"
    KERNEL = "the coroutine of a system call runs, or waits for a CPU"
    SLEEPING = "kernel code, a coroutine, waits in wait queues or for a deadline"
    BLOCKED = "a blocked call waits in a wait queue"
    RETRYING = "a blocked call was woken, and tries again when it has a CPU"
    RETURNING = "the call ends when the time that it was charged has passed"
    ENDED = "the program has ended, and its process may still wait to be reaped"


START: Final = RunState.IDLE

TRANSITIONS: Final[Mapping[RunState, Mapping[RunState, str]]] = {
    RunState.IDLE: {
        RunState.USER: "start",
        RunState.KERNEL: "call needs a coroutine",
        RunState.BLOCKED: "call blocks",
        RunState.RETURNING: "call has a result",
        RunState.ENDED: "exit",
    },
    RunState.USER: {
        RunState.KERNEL: "call needs a coroutine",
        RunState.SLEEPING: "kernel thread sleeps",
        RunState.BLOCKED: "call blocks",
        RunState.RETRYING: "call blocks, signal pending",
        RunState.RETURNING: "call has a result",
        RunState.ENDED: "exit",
    },
    RunState.KERNEL: {
        RunState.SLEEPING: "sleep",
        RunState.RETURNING: "result",
        RunState.ENDED: "exit",
    },
    RunState.SLEEPING: {
        RunState.KERNEL: "wake-up, deadline or signal",
        RunState.USER: "wake-up of a kernel thread",
        RunState.ENDED: "killed",
    },
    RunState.BLOCKED: {
        RunState.RETRYING: "wake-up, deadline or signal",
        RunState.ENDED: "killed",
    },
    RunState.RETRYING: {
        RunState.BLOCKED: "still blocked",
        RunState.KERNEL: "the rest needs a coroutine",
        RunState.RETURNING: "result",
        RunState.ENDED: "killed",
    },
    RunState.RETURNING: {
        RunState.USER: "time has passed",
        RunState.IDLE: "time has passed",
        RunState.ENDED: "exit",
    },
    RunState.ENDED: {},
}
"""For each state: the states that may follow it, each with the reason for the transition."""
