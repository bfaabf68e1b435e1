"""include/linux/timer.h: timers, which call a function in interrupt context, where it must not sleep.

timer = timer_setup(this, expired)           # def expired(timer: Timer) -> None
mod_timer(timer, ktime_get(this) + millis(20))
timer_delete(timer)                          # before the data that `expired` uses is freed
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
    """Return a new timer, which is not pending. When it expires, it calls `function(timer)`."""
    return kernel_of(this).timers.setup(module_of(this), function_name(function), function)


def mod_timer(timer: Timer, expires: int) -> bool:
    """Set the expiry time to `expires` ns on the monotonic clock. Return True if the timer was pending."""
    return timer.modify(expires)


def timer_delete(timer: Timer) -> bool:
    """Cancel `timer`. Return True if it was pending."""
    return timer.delete()


def timer_pending(timer: Timer) -> bool:
    """Return True if `timer` is pending."""
    return timer.pending
