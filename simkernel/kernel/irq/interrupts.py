"""Interrupt lines: their handlers, which run in interrupt context, and handler threads (kernel/irq/).

Lines are level triggered.  The bus calls `handle` for a line that is high and not masked.  `handle` masks
the line, calls every handler on it, and unmasks it (`handle_level_irq()`).  If a device still holds the
line high, the next interrupt follows immediately.

A handler is a plain function and must not sleep.  Work that sleeps is done by a thread function, which
runs in its own kernel thread.  The line of a oneshot handler stays masked until the thread function
returns.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import Any

import attrs

from simkernel.engine import Engine
from simkernel.hardware.bus import Interrupts as InterruptController
from simkernel.kernel.irq.descriptor import (
    IRQ_HANDLED,
    IRQ_NONE,
    IRQ_WAKE_THREAD,
    IRQF_NO_AUTOEN,
    IRQF_ONESHOT,
    IRQF_SHARED,
    Handler,
    IrqAction,
    IrqDescriptor,
    ThreadFunction,
    function_name,
    note_interrupt,
)
from simkernel.kernel.lib.costs import CostModel
from simkernel.kernel.lib.layers import DRIVER, KERNEL
from simkernel.kernel.lib.log import Log
from simkernel.kernel.module.module import LoadedModule
from simkernel.kernel.module.resources import Resources
from simkernel.kernel.oops import Oopses
from simkernel.kernel.sched.preempt import Preempt
from simkernel.kernel.sched.wait import maybe, sleep_on
from simkernel.uapi.errno import EBUSY, EINVAL, os_error

StartThread = Callable[[str, Coroutine[Any, Any, None]], object]


@attrs.define(eq=False, repr=False)
class Interrupts:
    """The interrupt lines of one machine.

    `start_thread` starts a kernel thread.  `account` is called with the CPU time in ns that each interrupt
    took.
    """

    _engine: Engine
    _controller: InterruptController
    _costs: CostModel
    _log: Log
    _preempt: Preempt
    _oopses: Oopses
    _resources: Resources
    _start_thread: StartThread
    _account: Callable[[int], None]
    lines: tuple[IrqDescriptor, ...] = attrs.field(init=False)

    @lines.default
    def _make_lines(self) -> tuple[IrqDescriptor, ...]:
        return tuple(IrqDescriptor(irq) for irq in range(len(self._controller.lines)))

    @property
    def count(self) -> int:
        """Number of interrupts, summed over all lines."""
        return sum(line.count for line in self.lines)

    # -- handlers -----------------------------------------------------------

    def request(
        self,
        module: LoadedModule | None,
        irq: int,
        handler: Handler | None,
        name: str,
        device: Any = None,
        *,
        flags: int = 0,
        thread_function: ThreadFunction | None = None,
    ) -> None:
        """Add a handler to line `irq` (`request_threaded_irq()`).  The handler may be called before this
        method returns.

        Raises EINVAL for an unknown line, for neither handler nor thread function, for a shared handler
        without `device`, and for a thread function without handler that is not oneshot.  Raises EBUSY if
        the line has a handler already, unless both are shared and agree on IRQF_ONESHOT.
        """
        if not 0 <= irq < len(self.lines) or (handler is None and thread_function is None):
            raise os_error(EINVAL)
        if flags & IRQF_SHARED and (device is None or flags & IRQF_NO_AUTOEN):
            raise os_error(EINVAL)
        desc = self.lines[irq]
        self._check_sharing(desc, flags, name)
        if handler is None and not flags & IRQF_ONESHOT:
            self._log.err(
                f"genirq: Threaded irq requested with handler=NULL and !ONESHOT for {name} (irq {irq})"
            )
            raise os_error(EINVAL)
        self._resources.allocate(module, "irq")
        action = IrqAction(module, name, handler, thread_function, flags, device, f"irq/{irq}-{name}")
        action.resource = self._resources.add(
            module, "irq", f"{irq} ({name})", lambda: self.free(irq, device, action)
        )
        if thread_function is not None:
            action.thread_alive = True
            self._start_thread(action.thread_name, self._thread(desc, action, thread_function))
        desc.actions = (*desc.actions, action)
        desc.observed = desc.unhandled = 0
        if len(desc.actions) == 1:
            desc.spurious_disabled = False
            desc.depth = int(bool(flags & IRQF_NO_AUTOEN))
        elif desc.spurious_disabled:
            desc.spurious_disabled = False
            desc.depth -= 1
        self._unmask(desc)

    def _check_sharing(self, desc: IrqDescriptor, flags: int, name: str) -> None:
        if not desc.actions:
            return
        old = desc.actions[0]
        if not (old.flags & flags & IRQF_SHARED) or (old.flags ^ flags) & IRQF_ONESHOT:
            new, other = f"{flags:08x} ({name})", f"{old.flags:08x} ({old.name})"
            self._log.err(f"genirq: Flags mismatch irq {desc.irq}. {new} vs. {other}")
            raise os_error(EBUSY)

    async def free(self, irq: int, device: Any, action: IrqAction | None = None) -> None:
        """Remove the handler that was requested with the cookie `device`.  Wait until the handler's thread
        has ended.
        """
        desc = self.lines[irq]
        action = action or next((each for each in desc.actions if each.device is device), None)
        if action is None or action not in desc.actions:
            self._log.warn(f"WARNING: Trying to free already-free IRQ {irq}")
            return
        desc.actions = tuple(each for each in desc.actions if each is not action)
        if not desc.actions:
            desc.depth = 1
            self._controller.mask(irq)
        if action.resource is not None:
            self._resources.remove(action.resource)
        action.stopping = True
        action.queue.wake_up()
        while action.thread_alive:
            await sleep_on(action.stopped, interruptible=False)

    def disable(self, irq: int) -> None:
        """Disable line `irq` (`disable_irq_nosync()`). The line is enabled again when `enable` has been
        called as often as `disable`.
        """
        self.lines[irq].depth += 1
        self._controller.mask(irq)

    def enable(self, irq: int) -> None:
        """Undo one call of `disable` for line `irq` (`enable_irq()`)."""
        desc = self.lines[irq]
        if desc.depth == 0:
            self._log.warn(f"WARNING: Unbalanced enable for IRQ {irq}")
            return
        desc.depth -= 1
        self._unmask(desc)

    # -- interrupts ---------------------------------------------------------

    def handle(self, irq: int, weight: int = 1) -> None:
        """Handle an interrupt of line `irq` (`handle_level_irq()`).

        In an interrupt storm, one call represents `weight` interrupts: the handlers run once, and the
        charged time is multiplied by `weight`.
        """
        engine = self._engine
        desc = self.lines[irq]
        before = engine.charged
        engine.charged += self._costs.interrupt
        self._controller.mask(irq)
        desc.count += weight
        self._preempt.irq_enter()
        result = self._call_handlers(desc)
        if weight > 1:
            engine.charged = before + weight * (engine.charged - before)
        if note_interrupt(desc, result, engine.now, self._log, weight):
            desc.spurious_disabled = True
            desc.depth += 1
        self._preempt.irq_exit(f"irq {irq}")
        self._account(engine.charged - before)
        self._unmask(desc)

    def _call_handlers(self, desc: IrqDescriptor) -> object:
        """Call all handlers of a line.  Return the bitwise or of their results
        (`__handle_irq_event_percpu()`).

        If a handler returns something that is not an int, return that.
        """
        combined = IRQ_NONE
        for action in desc.actions:
            result = self._call(desc.irq, action)
            if not isinstance(result, int):
                return result
            if result == IRQ_WAKE_THREAD:
                self._wake_thread(desc, action)
            combined |= result
        return combined

    def _call(self, irq: int, action: IrqAction) -> object:
        if action.handler is None:
            return IRQ_WAKE_THREAD
        layer, track = (DRIVER, action.module.name) if action.module else (KERNEL, "irq")
        emit = self._engine.trace.emit
        if emit is not None:
            emit("irq_handler_entry", layer, track, irq=irq, name=action.name)
        result: object = IRQ_NONE
        with self._oopses.contain(action.module, action.where):
            result = action.handler(irq, action.device)
        if inspect.iscoroutine(result):
            self._preempt.schedule()
            result.close()
            result = IRQ_NONE
        if emit is not None:
            emit("irq_handler_exit", layer, track, irq=irq, name=action.name, result=result)
        return result

    def _wake_thread(self, desc: IrqDescriptor, action: IrqAction) -> None:
        if action.thread_function is None:
            self._log.warn(
                f"irq {desc.irq}: {function_name(action.handler)} returned IRQ_WAKE_THREAD "
                "but no thread function available."
            )
            return
        if action.woken:
            return
        action.woken = True
        action.flow = self._engine.trace.flow
        if action.flags & IRQF_ONESHOT:
            desc.threads_active += 1
        action.queue.wake_up()

    def _unmask(self, desc: IrqDescriptor) -> None:
        if desc.depth == 0 and desc.threads_active == 0:
            self._controller.unmask(desc.irq)

    # -- threads ------------------------------------------------------------

    async def _thread(self, desc: IrqDescriptor, action: IrqAction, function: ThreadFunction) -> None:
        """Run a handler's thread: call the driver's thread function each time that the handler has woken the
        thread (`irq_thread()`).
        """
        try:
            while not action.stopping:
                if not action.woken:
                    # Like irq_wait_for_interrupt(), sleep until the handler wakes the thread.
                    await sleep_on(action.queue)
                    continue
                action.woken = False
                self._engine.trace.flow = action.flow
                result = IRQ_NONE
                with self._oopses.contain(action.module, action.thread_name):
                    result = await maybe(function(desc.irq, action.device))
                if result == IRQ_HANDLED:
                    desc.threads_handled += 1
                if action.flags & IRQF_ONESHOT:
                    desc.threads_active -= 1
                    self._unmask(desc)
        finally:
            if action.woken and action.flags & IRQF_ONESHOT:
                desc.threads_active -= 1
                self._unmask(desc)
            action.thread_alive = False
            action.stopped.wake_up_all()
