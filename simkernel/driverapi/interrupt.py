"""include/linux/interrupt.h: interrupt handlers.

    def handler(irq: int, camera: Camera) -> int:
        status = readl(camera.io, registers.IRQ_STATUS)
        if not status:
            return IRQ_NONE                      # another device on the line raised it
        writel(status, camera.io, registers.IRQ_STATUS)
        return IRQ_HANDLED                       # or IRQ_WAKE_THREAD

A handler is a plain function and runs in interrupt context. It must not sleep, so it neither awaits nor
calls functions that can sleep. Lines are level triggered: if a handler does not make its device release
the line, it is called again immediately. Long or sleeping work belongs in a thread function, which can be
`async def`, or on a work queue.
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
    """Register `handler` for interrupt line `irq`. Interrupts call `handler(irq, cookie)`, possibly before
    `request_irq` returns.

    Raise EINVAL if the line does not exist or is shared without a cookie, EBUSY if the line is in use.
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
    """Register `handler` like `request_irq`. If the handler returns IRQ_WAKE_THREAD, `thread_function` runs
    in a thread.

    With IRQF_ONESHOT the line stays masked until the thread function returns. If `handler` is None, the
    flag is required.
    """
    kernel_of(this).interrupts.request(
        module_of(this), irq, handler, name, cookie, flags=flags, thread_function=thread_function
    )


@sleeps
def free_irq(this: ThisModule, irq: int, cookie: Any = None) -> Awaitable[None]:
    """Remove the handler that was registered for line `irq` with `cookie`, and wait until its thread has
    ended.
    """
    return may_sleep(this, "free_irq", kernel_of(this).interrupts.free, irq, cookie)


def devm_request_irq(
    device: Device, irq: int, handler: Handler, flags: int, name: str, cookie: Any = None
) -> None:
    """Register a handler like `request_irq`. It is removed when the driver is unbound from `device`."""
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
    """Register handlers like `request_threaded_irq`. They are removed when the driver is unbound from
    `device`.
    """
    this = driver_of(device)
    request_threaded_irq(this, irq, handler, thread_function, flags, name, cookie)
    device.devres.add(cookie, lambda: free_irq(this, irq, cookie))


def disable_irq(this: ThisModule, irq: int) -> None:
    """Mask interrupt line `irq`. The line stays masked until `enable_irq` was called once for each
    `disable_irq`.
    """
    kernel_of(this).interrupts.disable(irq)


def enable_irq(this: ThisModule, irq: int) -> None:
    """Undo one call of `disable_irq`."""
    kernel_of(this).interrupts.enable(irq)
