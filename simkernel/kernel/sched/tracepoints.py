"""Tracepoints at the start and the end of system calls (include/trace/events/syscalls.h). They also set
the field `flow` of trace records: the id of the message or frame that the task handles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simkernel.engine import Call, Engine
from simkernel.kernel.lib.layers import APPLICATION

if TYPE_CHECKING:
    from simkernel.kernel.sched.task import SchedTask


def sys_enter(engine: Engine, task: SchedTask, call: Call[Any]) -> None:
    """Emit the tracepoint `sys_enter`. The task's flow (id of the message or frame that it handles) becomes
    the flow of the next trace records.
    """
    trace = engine.trace
    task.entered = engine.time()
    if 0 < task.flow <= trace.since:
        task.flow = task.own_flow = 0
    trace.flow = task.flow
    if (emit := trace.emit) is not None:
        emit("sys_enter", APPLICATION, task.track, pid=task.pid, comm=task.comm, call=call.name,
             arguments=call.arguments)  # fmt: skip


def sys_exit(
    engine: Engine, task: SchedTask, call: Call[Any] | None, value: Any, error: BaseException | None
) -> None:
    """Emit the tracepoint `sys_exit` with the result or the error of the system call. Store the current flow
    in the task: the id of the message or frame that the task handles.
    """
    trace = engine.trace
    if (emit := trace.emit) is not None and call is not None:
        fields: dict[str, Any] = {"result": value} if error is None else {"error": _error_value(error)}
        emit("sys_exit", APPLICATION, task.track, pid=task.pid, comm=task.comm, call=call.name,
             entered=task.entered, **fields)  # fmt: skip
    task.flow, trace.flow = trace.flow, 0


def _error_value(error: BaseException) -> int | str:
    number = error.errno if isinstance(error, OSError) else None
    return type(error).__name__ if number is None else number
