"""include/linux/timer.h: functions called at a time, in interrupt context, where they must not sleep.

timer = timer_setup(this, expired)           # def expired(timer: Timer) -> None
mod_timer(timer, ktime_get(this) + millis(20))
timer_delete(timer)                          # before what it uses goes away
"""

from __future__ import annotations

from simkernel.driverapi.context import kernel_of, module_of
from simkernel.engine import micros as micros
from simkernel.engine import millis as millis
from simkernel.engine import seconds as seconds
from simkernel.kernel.irq.descriptor import function_name
from simkernel.kernel.module.module import ThisModule
from simkernel.kernel.time.timer import Function
from simkernel.kernel.time.timer import Timer as Timer


def timer_setup(this: ThisModule, function: Function) -> Timer:
    """An idle timer, which calls `function` with itself when it expires."""
    return kernel_of(this).timers.setup(module_of(this), function_name(function), function)


def mod_timer(timer: Timer, expires: int) -> bool:
    """Let `timer` expire when the clock shows `expires` ns, whatever it was to do; whether it was pending."""
    return timer.modify(expires)


def timer_delete(timer: Timer) -> bool:
    """Let `timer` not expire; whether it was going to."""
    return timer.delete()


def timer_pending(timer: Timer) -> bool:
    """Whether `timer` is going to expire."""
    return timer.pending
