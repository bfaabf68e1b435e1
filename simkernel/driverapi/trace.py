"""Flow ids, by which a trace connects causes and effects with arrows (simkernel/engine/trace.py).

Work items, timers, wake-ups and netlink messages propagate the flow id automatically. A driver that queues
data for programs stores the flow id with the data, and makes it current when a program dequeues the data:

    queue.append((trace_flow(this), frame))
    ...
    flow, frame = queue.popleft()
    trace_follow(this, flow)
"""

from __future__ import annotations

from simkernel.driverapi.context import kernel_of
from simkernel.kernel.module.module import ThisModule


def trace_flow(this: ThisModule) -> int:
    """Return the id of the current flow, to which new trace records belong. The id 0 means no flow."""
    return kernel_of(this).engine.trace.flow


def trace_follow(this: ThisModule, flow: int) -> None:
    """Set the id of the current flow, so that the next trace records belong to the flow `flow`."""
    kernel_of(this).engine.trace.flow = flow
