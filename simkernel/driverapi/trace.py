"""What a trace joins by arrows: the flow, on whose behalf things happen (simkernel/engine/trace.py).

Work, timers, wake-ups and netlink messages keep it by themselves.  A driver that queues something for
programs keeps it with what it queues, and goes on under it when a program takes that out:

    queue.append((trace_flow(this), frame))
    ...
    flow, frame = queue.popleft()
    trace_follow(this, flow)
"""

from __future__ import annotations

from simkernel.driverapi.context import kernel_of
from simkernel.kernel.module.module import ThisModule


def trace_flow(this: ThisModule) -> int:
    """The flow that is current."""
    return kernel_of(this).engine.trace.flow


def trace_follow(this: ThisModule, flow: int) -> None:
    """Go on under a flow."""
    kernel_of(this).engine.trace.flow = flow
