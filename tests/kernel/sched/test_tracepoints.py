"""The flow id in trace records of system calls. It identifies the message or frame that the task handles."""

from __future__ import annotations

import pytest

from simkernel.engine import Call, Engine
from simkernel.kernel.sched.credentials import ROOT
from simkernel.kernel.sched.task import SchedTask
from simkernel.kernel.sched.tracepoints import sys_enter
from simkernel.kernel.sched.validation import Closing

CALL: Call[int] = Call()
CALL.name, CALL.arguments = "getpid", ()


@pytest.mark.parametrize(
    ("flow", "own", "after"),
    [
        (7, 7, (7, 7)),
        (7, 3, (7, 3)),
        (3, 2, (0, 0)),  # the flow with id 3 began before the tracer was attached
        (0, 7, (0, 7)),  # the task handles a message without a flow, so its reply begins no flow
        (0, 2, (0, 2)),
    ],
)
def test_a_call_has_the_flow_of_its_task_unless_it_is_stale(
    flow: int, own: int, after: tuple[int, int]
) -> None:
    engine = Engine()
    engine.trace.since = 5
    task = SchedTask(1, 1, "t", credentials=ROOT, parent=None, enter=Closing().enter, on_wake=lambda *_: None)
    task.flow, task.own_flow = flow, own
    sys_enter(engine, task, CALL)
    assert (task.flow, task.own_flow) == after
    assert engine.trace.flow == task.flow
