"""include/linux/interrupt.h: interrupt handlers.

    def handler(irq: int, camera: Camera) -> int:
        status = readl(camera.io, registers.IRQ_STATUS)
        if not status:
            return IRQ_NONE                      # from another device on the line
        writel(status, camera.io, registers.IRQ_STATUS)
        return IRQ_HANDLED                       # or IRQ_WAKE_THREAD

A handler is a plain function.  It runs in interrupt context: it must not sleep, so it neither awaits
nor calls what may sleep.  A line is level triggered: a handler that does not make its device let go of
it is called again at once.  What takes long or sleeps goes into a thread function, which may be
`async def`, or onto a work queue.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from simkernel.driverapi.context import driver_of, kernel_of, may_sleep, module_of
from simkernel.kernel.device.device import Device
from simkernel.kernel.irq.descriptor import IRQ_HANDLED as IRQ_HANDLED
from simkernel.kernel.irq.descriptor import IRQ_NONE as IRQ_NONE
from simkernel.kernel.irq.descriptor import IRQ_WAKE_THREAD as IRQ_WAKE_THREAD
from simkernel.kernel.irq.descriptor import IRQF_NO_AUTOEN as IRQF_NO_AUTOEN
from simkernel.kernel.irq.descriptor import IRQF_ONESHOT as IRQF_ONESHOT
from simkernel.kernel.irq.descriptor import IRQF_SHARED as IRQF_SHARED
from simkernel.kernel.irq.descriptor import Handler, ThreadFunction
from simkernel.kernel.module.awaiting import sleeps
from simkernel.kernel.module.module import ThisModule


def request_irq(
    this: ThisModule, irq: int, handler: Handler, flags: int, name: str, cookie: Any = None
) -> None:
    """Put `handler` on line `irq`; it is called as `handler(irq, cookie)`, perhaps at once.

    EINVAL for a line that does not exist, or a shared one without a cookie.  EBUSY if the line is taken.
    """
    request_threaded_irq(this, irq, handler, None, flags, name, cookie)


def request_threaded_irq(
    this: ThisModule,
    irq: int,
    handler: Handler | None,
    thread_function: ThreadFunction | None,
    flags: int,
    name: str,
    cookie: Any = None,
) -> None:
    """As `request_irq`, and when `handler` says IRQ_WAKE_THREAD, `thread_function` runs in a thread.

    With IRQF_ONESHOT the line stays masked till the thread is done; that is needed if `handler` is None.
    """
    kernel_of(this).interrupts.request(
        module_of(this), irq, handler, name, cookie, flags=flags, thread_function=thread_function
    )


@sleeps
def free_irq(this: ThisModule, irq: int, cookie: Any = None) -> Awaitable[None]:
    """Take off line `irq` the handler that was requested with `cookie`; waits for its thread."""
    return may_sleep(this, "free_irq", kernel_of(this).interrupts.free, irq, cookie)


def devm_request_irq(
    device: Device, irq: int, handler: Handler, flags: int, name: str, cookie: Any = None
) -> None:
    """As `request_irq`; freed when the driver is unbound from `device`."""
    devm_request_threaded_irq(device, irq, handler, None, flags, name, cookie)


def devm_request_threaded_irq(
    device: Device,
    irq: int,
    handler: Handler | None,
    thread_function: ThreadFunction | None,
    flags: int,
    name: str,
    cookie: Any = None,
) -> None:
    """As `request_threaded_irq`; freed when the driver is unbound from `device`."""
    this = driver_of(device)
    request_threaded_irq(this, irq, handler, thread_function, flags, name, cookie)
    device.devres.add(cookie, lambda: free_irq(this, irq, cookie))


def disable_irq(this: ThisModule, irq: int) -> None:
    """Let line `irq` not interrupt until `enable_irq`; nests."""
    kernel_of(this).interrupts.disable(irq)


def enable_irq(this: ThisModule, irq: int) -> None:
    """Undo one `disable_irq`."""
    kernel_of(this).interrupts.enable(irq)
