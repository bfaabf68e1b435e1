"""Interrupts: handlers on lines, called in interrupt context, and their threads (kernel/irq/).

Theory of operation.  Lines are level triggered.  The bus calls `handle` for a line that is high and
not masked; the line is masked, every handler on it is asked, and it is unmasked again: if a device
still holds it high it comes again at once (`handle_level_irq()`).  A handler is a plain function and
must not sleep.  What has to sleep is done by a thread function, in a kernel thread of its own, while
the line stays masked if it is oneshot.
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

    `start_thread` makes a kernel thread.  `taken` is told how much of a CPU's time (ns) each
    interrupt has used.
    """

    _engine: Engine
    _controller: InterruptController
    _costs: CostModel
    _log: Log
    _preempt: Preempt
    _oopses: Oopses
    _resources: Resources
    _start_thread: StartThread
    _taken: Callable[[int], None]
    lines: tuple[IrqDescriptor, ...] = attrs.field(init=False)

    @lines.default
    def _make_lines(self) -> tuple[IrqDescriptor, ...]:
        return tuple(IrqDescriptor(irq) for irq in range(len(self._controller.lines)))

    @property
    def count(self) -> int:
        """How many interrupts there were."""
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
        """Put a handler on line `irq` (`request_threaded_irq()`); it may be called at once.

        EINVAL for a line that does not exist, no handler at all, a shared line without `device`, or
        a thread without handler that is not oneshot.  EBUSY if another has the line and not both
        share it alike.
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
        """Take the handler requested with `device` off line `irq`, and wait till its thread is done."""
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
        """Let line `irq` not interrupt until `enable` (`disable_irq_nosync()`).  Nests."""
        self.lines[irq].depth += 1
        self._controller.mask(irq)

    def enable(self, irq: int) -> None:
        """Undo one `disable`."""
        desc = self.lines[irq]
        if desc.depth == 0:
            self._log.warn(f"WARNING: Unbalanced enable for IRQ {irq}")
            return
        desc.depth -= 1
        self._unmask(desc)

    # -- interrupts ---------------------------------------------------------

    def handle(self, irq: int, weight: int = 1) -> None:
        """Line `irq` interrupts: `handle_level_irq()`.

        Of a storm one interrupt stands for `weight`: it takes the time of all, and its handlers run once.
        """
        engine = self._engine
        desc = self.lines[irq]
        before = engine.charged
        engine.charged += self._costs.interrupt
        self._controller.mask(irq)
        desc.count += weight
        self._preempt.irq_enter()
        result = self._ask_handlers(desc)
        if weight > 1:
            engine.charged = before + weight * (engine.charged - before)
        if note_interrupt(desc, result, engine.now, self._log, weight):
            desc.spurious_disabled = True
            desc.depth += 1
        self._preempt.irq_exit(f"irq {irq}")
        self._taken(engine.charged - before)
        self._unmask(desc)

    def _ask_handlers(self, desc: IrqDescriptor) -> object:
        """`__handle_irq_event_percpu()`: what all handlers said, or-ed; what is no number, as it is."""
        together = IRQ_NONE
        for action in desc.actions:
            result = self._ask(desc.irq, action)
            if not isinstance(result, int):
                return result
            if result == IRQ_WAKE_THREAD:
                self._wake_thread(desc, action)
            together |= result
        return together

    def _ask(self, irq: int, action: IrqAction) -> object:
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
        """`irq_thread()`."""
        try:
            while not action.stopping:
                if not action.woken:
                    await sleep_on(action.queue)  # irq_wait_for_interrupt()
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
