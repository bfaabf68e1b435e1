"""A line that nobody cares for: kernel/irq/spurious.c.

Linux goes on to poll a line that it has disabled so, ten times a second; this is not modelled.
"""

from __future__ import annotations

from simkernel.engine import MILLISECOND
from simkernel.kernel.irq.descriptor import (
    IRQ_HANDLED,
    IRQ_NONE,
    IRQ_WAKE_THREAD,
    IrqDescriptor,
    function_name,
)
from simkernel.kernel.lib.log import Log

OBSERVED = 100_000
"""Interrupts after which the unhandled ones are judged."""
UNHANDLED = 99_900
"""More unhandled ones than this among them, and the line is disabled."""
FORGIVEN_AFTER = 100 * MILLISECOND
"""An unhandled interrupt this long after the last counts as the first."""


def note_interrupt(desc: IrqDescriptor, result: object, now: int, log: Log) -> bool:
    """Judge what the handlers of an interrupt said; True if the line is to be disabled."""
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
        desc.unhandled = 1 if now > desc.last_unhandled + FORGIVEN_AFTER else desc.unhandled + 1
        desc.last_unhandled = now
    if not desc.unhandled:
        return False
    desc.observed += 1
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
