"""An interrupt line (`struct irq_desc`), its handlers (`struct irqaction`), and its spurious interrupts.

Linux goes on to poll a line that it has disabled as spurious, ten times a second; this is not modelled.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs

from simkernel.engine import MILLISECOND
from simkernel.kernel.lib.log import Log
from simkernel.kernel.module.module import LoadedModule
from simkernel.kernel.module.resources import Resource
from simkernel.kernel.sched.wait import WaitQueue

IRQ_NONE: Final = 0
"""Not from the handler's device."""
IRQ_HANDLED: Final = 1
"""From the handler's device, and dealt with."""
IRQ_WAKE_THREAD: Final = 2
"""The handler's thread shall deal with it."""

IRQF_SHARED: Final = 0x80
"""Others may have handlers on the line; all of them say so."""
IRQF_ONESHOT: Final = 0x2000
"""The line stays masked until the thread has run."""
IRQF_NO_AUTOEN: Final = 0x80000
"""The line stays disabled until `enable_irq`."""

OBSERVED = 100_000
"""Interrupts after which the unhandled ones are judged."""
UNHANDLED = 99_900
"""More unhandled ones than this among them, and the line is disabled."""
FORGIVEN_AFTER = 100 * MILLISECOND
"""An unhandled interrupt this long after the last counts as the first."""


Handler = Callable[[int, Any], int]
ThreadFunction = Callable[[int, Any], int | Awaitable[int]]


@attrs.define(eq=False)
class IrqAction:
    """A handler on a line.  `device` is the cookie that it is called with (`dev_id`)."""

    module: LoadedModule | None
    name: str
    handler: Handler | None
    thread_function: ThreadFunction | None
    flags: int
    device: Any
    thread_name: str
    where: str = attrs.field(init=False)
    """What the handler is, for logs."""
    queue: WaitQueue = attrs.field(init=False)
    """Where the thread waits for work."""
    stopped: WaitQueue = attrs.field(init=False)
    """Where whoever frees the action waits for the thread."""
    resource: Resource | None = None
    woken: bool = False
    stopping: bool = False
    thread_alive: bool = False
    flow: int = 0

    def __attrs_post_init__(self) -> None:
        self.where = f"irq handler {self.name}"
        self.queue = WaitQueue(self.thread_name)
        self.stopped = WaitQueue(f"the end of {self.thread_name}")


@attrs.define(eq=False)
class IrqDescriptor:
    """A line: its handlers and its counters.  `depth` counts who disabled it; 0: it is enabled."""

    irq: int
    actions: tuple[IrqAction, ...] = ()
    depth: int = 1
    count: int = 0
    """Interrupts taken, as /proc/interrupts has them."""
    threads_active: int = 0
    """Oneshot threads that have been woken and have not finished: the line stays masked."""
    threads_handled: int = 0
    """How often a thread said IRQ_HANDLED."""
    threads_handled_last: int | None = None
    """`threads_handled` at the last interrupt that only woke threads; None: there was none."""
    observed: int = 0
    unhandled: int = 0
    last_unhandled: int = 0
    spurious_disabled: bool = False


def function_name(function: object) -> str:
    """What a function is called, as %ps prints it."""
    return str(getattr(function, "__name__", type(function).__name__))


def note_interrupt(desc: IrqDescriptor, result: object, now: int, log: Log, weight: int = 1) -> bool:
    """Judge what the handlers of `weight` interrupts said; True if the line is to be disabled."""
    if not isinstance(result, int) or not 0 <= result <= (IRQ_HANDLED | IRQ_WAKE_THREAD):
        _report(desc, f"irq event {desc.irq}: bogus return value {_hexadecimal(result)}", log)
        return False
    if result & IRQ_WAKE_THREAD:
        if result & IRQ_HANDLED:
            desc.threads_handled_last = None
        elif desc.threads_handled_last is None:
            desc.threads_handled_last = desc.threads_handled
            return False
        else:
            result = IRQ_NONE if desc.threads_handled == desc.threads_handled_last else IRQ_HANDLED
            desc.threads_handled_last = desc.threads_handled
    if result == IRQ_NONE:
        forgiven = now > desc.last_unhandled + FORGIVEN_AFTER
        desc.unhandled = weight if forgiven else desc.unhandled + weight
        desc.last_unhandled = now
    if not desc.unhandled:
        return False
    desc.observed += weight
    if desc.observed < OBSERVED:
        return False
    stuck = desc.unhandled > UNHANDLED
    if stuck:
        _report(desc, f'irq {desc.irq}: nobody cared (try booting with the "irqpoll" option)', log)
        log.emerg(f"Disabling IRQ #{desc.irq}")
    desc.observed = desc.unhandled = 0
    return stuck


def _report(desc: IrqDescriptor, headline: str, log: Log) -> None:
    """`__report_bad_irq()`."""
    log.err(headline)
    log.err("handlers:")
    for action in desc.actions:
        line = function_name(action.handler) if action.handler else "irq_default_primary_handler"
        if action.thread_function is not None:
            line += f" threaded {function_name(action.thread_function)}"
        log.err(f"{line} [{action.module.name}]" if action.module else line)


def _hexadecimal(result: object) -> str:
    return f"{result & 0xFFFFFFFF:x}" if isinstance(result, int) else type(result).__name__
