"""include/linux/mutex.h: locks for code that may sleep.

    lock = mutex_init(this, "camera")
    async with lock:
        ...

A plain function that takes one returns the result of `mutex_guarded`, where the kernel accepts an awaitable:

    def store_gain(device: Device, data: bytes) -> Awaitable[None] | None:
        camera = dev_get_drvdata(device)
        return mutex_guarded(camera.mutex, set_gain, camera, int(data))
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

import attrs

from simkernel.driverapi.context import kernel_of
from simkernel.kernel.module.awaiting import sleeps
from simkernel.kernel.module.module import ThisModule
from simkernel.kernel.sched.mutex import Mutex as Mutex

P = ParamSpec("P")
T = TypeVar("T")


def mutex_init(this: ThisModule, name: str) -> Mutex:
    """Return a new mutex. Its name appears in the list of sleeping tasks."""
    return kernel_of(this).locking.mutex(name)


@sleeps
def mutex_lock(lock: Mutex) -> Awaitable[None]:
    """Acquire `lock`, and sleep while another task holds it."""
    return lock.lock()


@sleeps
def mutex_lock_interruptible(lock: Mutex) -> Awaitable[None]:
    """Acquire `lock`, and sleep while another task holds it. Raise EINTR if a signal arrives."""
    return lock.lock(interruptible=True)


def mutex_interruptible(lock: Mutex) -> Interruptible:
    """Return a context manager that acquires `lock` like `async with lock`, but raises EINTR if a signal
    arrives first (Linux: `mutex_intr`).
    """
    return Interruptible(lock)


@attrs.frozen(eq=False)
class Interruptible:
    """An asynchronous context manager that acquires a mutex, and raises EINTR if a signal arrives first."""

    _lock: Mutex

    async def __aenter__(self) -> None:
        await self._lock.lock(interruptible=True)

    async def __aexit__(self, *exception: object) -> None:
        self._lock.unlock()


def mutex_trylock(lock: Mutex) -> bool:
    """Acquire `lock` if it is free. Return True on success."""
    return lock.try_lock()


def mutex_unlock(lock: Mutex) -> None:
    """Release `lock`."""
    lock.unlock()


def mutex_guarded(
    lock: Mutex, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs
) -> T | Awaitable[T]:
    """Acquire `lock`, call the plain function `function`, and release the lock (`guard(mutex)(&lock)`,
    include/linux/cleanup.h).

    Return the function's result if the lock is free, otherwise an awaitable that first waits for the lock.
    """
    if not lock.try_lock():
        return _guarded(lock, function, *arguments, **keywords)
    try:
        return function(*arguments, **keywords)
    finally:
        lock.unlock()


async def _guarded(lock: Mutex, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
    async with lock:
        return function(*arguments, **keywords)
