"""An interrupt line (`struct irq_desc`), its handlers (`struct irqaction`), and its spurious interrupts.

After Linux has disabled a spurious interrupt line, it polls the line ten times a second.  That is not
modelled.
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
"""Result of a handler: the interrupt was not from its device."""
IRQ_HANDLED: Final = 1
"""Result of a handler: it has handled an interrupt of its device."""
IRQ_WAKE_THREAD: Final = 2
"""Result of a handler: its thread must handle the interrupt."""

IRQF_SHARED: Final = 0x80
"""Flag: the line may have several handlers.  All of them must set it."""
IRQF_ONESHOT: Final = 0x2000
"""Flag: the line stays masked until the handler's thread has finished."""
IRQF_NO_AUTOEN: Final = 0x80000
"""Flag: the line stays disabled until the driver calls `enable_irq`."""

OBSERVED = 100_000
"""After this number of interrupts of a line, the kernel checks how many of them were unhandled."""
UNHANDLED = 99_900
"""The kernel checks a line after each 100,000 interrupts. It disables the line if more than this number of
them were unhandled.
"""
FORGIVEN_AFTER = 100 * MILLISECOND
"""Maximum time in ns between two unhandled interrupts that are counted together. If an unhandled interrupt
comes later, the count restarts with it.
"""


Handler = Callable[[int, Any], int]
ThreadFunction = Callable[[int, Any], int | Awaitable[int]]


@attrs.define(eq=False)
class IrqAction:
    """A handler of an interrupt line. `device` is the cookie (`dev_id`) that the kernel passes to the
    handler.
    """

    module: LoadedModule | None
    name: str
    handler: Handler | None
    thread_function: ThreadFunction | None
    flags: int
    device: Any
    thread_name: str
    where: str = attrs.field(init=False)
    """Name of the interrupt handler in oops reports."""
    queue: WaitQueue = attrs.field(init=False)
    """Wait queue of the handler's thread."""
    stopped: WaitQueue = attrs.field(init=False)
    """Wait queue for tasks that remove the handler. They sleep on it until the handler's thread has ended."""
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
    """An interrupt line: its handlers and its counters.

    `depth` is the number of `disable` calls without an `enable`.  The line is enabled if it is 0.
    """

    irq: int
    actions: tuple[IrqAction, ...] = ()
    depth: int = 1
    count: int = 0
    """Number of interrupts, as in /proc/interrupts."""
    threads_active: int = 0
    """Number of oneshot threads that were woken and have not finished. The line stays masked until this
    number is 0.
    """
    threads_handled: int = 0
    """Number of times that a thread returned IRQ_HANDLED."""
    threads_handled_last: int | None = None
    """Value of `threads_handled` at the last interrupt that only woke a thread: the handlers returned
    IRQ_WAKE_THREAD without IRQ_HANDLED. It is None before the first such interrupt. An interrupt with both
    results resets it to None.
    """
    observed: int = 0
    unhandled: int = 0
    last_unhandled: int = 0
    spurious_disabled: bool = False


def function_name(function: object) -> str:
    """Return the name of a function as printk prints it for the format %ps."""
    return str(getattr(function, "__name__", type(function).__name__))


def note_interrupt(desc: IrqDescriptor, result: object, now: int, log: Log, weight: int = 1) -> bool:
    """Count unhandled interrupts of a line.  Return True if the caller must disable the line
    (`note_interrupt()`).

    `result` is what the handlers returned for `weight` interrupts.
    """
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
    """Log a bad interrupt with the handlers of its line (`__report_bad_irq()`)."""
    log.err(headline)
    log.err("handlers:")
    for action in desc.actions:
        line = function_name(action.handler) if action.handler else "irq_default_primary_handler"
        if action.thread_function is not None:
            line += f" threaded {function_name(action.thread_function)}"
        log.err(f"{line} [{action.module.name}]" if action.module else line)


def _hexadecimal(result: object) -> str:
    return f"{result & 0xFFFFFFFF:x}" if isinstance(result, int) else type(result).__name__
