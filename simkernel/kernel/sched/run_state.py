"""The states of a task in the runner, and the transitions between them.

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
    """The state of a task in the runner, which `SchedTask.run_state` computes."""

    IDLE = "has no program yet, or belongs to ordinary code that has no call in progress"
    USER = "runs its program in user mode, or waits for a CPU to do so"
    KERNEL = "runs the coroutine of a system call, or waits for a CPU to do so"
    SLEEPING = "sleeps in the coroutine of a system call, on wait queues or until a deadline"
    BLOCKED = "sleeps on one wait queue in a call that only retries"
    RETRYING = "was woken in such a call, and retries it when it gets a CPU"
    RETURNING = "returns from a call when the charged time has passed"
    ENDED = "has ended, but may not be reaped yet"


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
