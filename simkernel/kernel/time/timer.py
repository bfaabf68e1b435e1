"""Timers: functions that are called later, in interrupt context (kernel/time/timer.c).

Times are in ns of the machine's clock.  A timer expires exactly at its time, because jiffies are not
modelled.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

import attrs

from simkernel.engine import Engine
from simkernel.engine import Timer as Event
from simkernel.kernel.lib.costs import CostModel
from simkernel.kernel.lib.layers import DRIVER, KERNEL
from simkernel.kernel.module.module import LoadedModule
from simkernel.kernel.module.resources import Resource, Resources
from simkernel.kernel.oops import Oopses
from simkernel.kernel.sched.preempt import Preempt
from simkernel.kernel.sched.wait import refuse_generator

Function = Callable[["Timer"], None]


@attrs.define(eq=False, repr=False)
class Timer:
    """A timer that calls a function when it expires (`struct timer_list`). The timer is pending while it is
    armed, and idle otherwise.
    """

    timers: Timers
    module: LoadedModule | None
    name: str
    function: Function
    expires: int = 0
    flow: int = 0
    expired_flow: int = 0
    """The flow id that trace records of the timer's last expiry have. If the timer's function arms the timer
    again, the next expiry gets a new flow id.
    """
    resource: Resource | None = None
    _event: Event | None = None

    @property
    def pending(self) -> bool:
        """True if the timer is armed and has not expired (`timer_pending()`)."""
        return self._event is not None

    def modify(self, expires: int) -> bool:
        """Arm the timer for the instant `expires`. If this instant is in the past, the timer expires now.
        Return True if the timer was pending before the call.

        `mod_timer()`.
        """
        was_pending = self.delete()
        self.expires = expires
        self._event = self.timers.arm(self)
        return was_pending

    def delete(self) -> bool:
        """Disarm the timer (`timer_delete()`). Return True if the timer was pending before the call."""
        if self._event is None:
            return False
        self._event.cancel()
        self.expired()
        return True

    def expired(self) -> None:
        """Mark the timer as idle, and remove it from the list of objects that its module has registered."""
        self._event = None
        if self.resource is not None:
            self.timers.resources.remove(self.resource)
            self.resource = None


@attrs.define(eq=False, repr=False)
class Timers:
    """The timers of one machine. After each expiry, `account` is called with the CPU time in ns that the
    expiry took.
    """

    _engine: Engine
    _costs: CostModel
    _preempt: Preempt
    _oopses: Oopses
    resources: Resources
    _account: Callable[[int], None]
    expired: int = 0
    """Number of expiries of all timers so far."""

    def setup(self, module: LoadedModule | None, name: str, function: Function) -> Timer:
        """Return a new idle timer.  At its expiry it calls `function`, with itself as the argument
        (`timer_setup()`).
        """
        return Timer(self, module, name, function)

    def arm(self, timer: Timer) -> Event:
        """Schedule the expiry of `timer` at the instant `timer.expires`, or now if this instant is in the
        past.
        """
        timer.flow = self._engine.trace.flow
        timer.resource = self.resources.add(timer.module, "timer", timer.name, lambda: _forget(timer))
        return self._engine.call_later(max(0, timer.expires - self._engine.time()), self._expire, timer)

    def _expire(self, timer: Timer) -> None:
        engine = self._engine
        engine.trace.follow(timer.flow, timer.expired_flow)
        timer.expired_flow = engine.trace.flow
        before = engine.charged
        engine.charged += self._costs.timer
        timer.expired()
        self.expired += 1
        if (emit := engine.trace.emit) is not None:
            layer, track = (DRIVER, timer.module.name) if timer.module else (KERNEL, "timer")
            emit("timer_expire_entry", layer, track, name=timer.name)
        self._preempt.irq_enter()
        # The driver's function may be an `async def` function by mistake. Its result is then a coroutine,
        # which is refused.
        function: Callable[[Timer], object] = timer.function
        result = None
        with self._oopses.contain(timer.module, f"timer {timer.name}"):
            result = function(timer)
            refuse_generator(result)
        if inspect.iscoroutine(result):
            self._preempt.schedule()
            result.close()
        self._preempt.irq_exit(f"timer {timer.name}")
        self._account(engine.charged - before)


def _forget(timer: Timer) -> None:
    timer.delete()
