"""request_module(): the kernel asks user space to load a module (kernel/module/kmod.c).

The kernel does not know which file has a name or an alias; it runs modprobe, which does.  That
program is given from outside, as /proc/sys/kernel/modprobe gives its path.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs

from simkernel.engine import SECOND, Engine
from simkernel.kernel.lib.layers import KERNEL
from simkernel.kernel.lib.log import Log
from simkernel.kernel.sched.wait import WaitQueue, sleep_on
from simkernel.uapi.errno import ENAMETOOLONG, ENOENT, ETIME

MODULE_NAME_LEN = 56
"""Longest name, its NUL included (64 less an address, include/linux/moduleparam.h)."""
MAX_CONCURRENT = 50
"""Programs that run at a time at most (MAX_KMOD_CONCURRENT)."""
BUSY_TIMEOUT = 5 * SECOND
"""How long one waits for its turn (MAX_KMOD_ALL_BUSY_TIMEOUT)."""

Modprobe = Callable[[str], Awaitable[int]]
"""Runs modprobe for a name and waits for it; the result is its exit code."""


@attrs.define(eq=False, repr=False)
class ModuleRequests:
    """The requests that wait for modprobe.  Where that is None no module is ever found."""

    _engine: Engine
    _log: Log
    _modprobe: Modprobe | None
    _running: int = 0
    _slots: WaitQueue = attrs.field(factory=lambda: WaitQueue("modprobe"))
    count: int = 0
    """Number of module requests since boot."""

    async def request(self, name: str) -> int:
        """Have a module loaded by name or alias; 0, a negative errno or modprobe's exit code.

        0 does not mean that it is still there: the caller looks for what he wanted.
        """
        if self._modprobe is None:
            return -ENOENT
        if len(name) >= MODULE_NAME_LEN:
            return -ENAMETOOLONG
        deadline = self._engine.time() + BUSY_TIMEOUT
        while self._running >= MAX_CONCURRENT:
            if not await sleep_on(self._slots, interruptible=False, deadline=deadline, exclusive=True):
                self._log.warn(
                    f"request_module: modprobe {name} cannot be processed, kmod busy with "
                    f"{MAX_CONCURRENT} threads for more than {BUSY_TIMEOUT // SECOND} seconds now"
                )
                return -ETIME
        self.count += 1
        if (emit := self._engine.trace.emit) is not None:
            emit("module_request", KERNEL, "module", name=name, wait=True)
        self._running += 1
        try:
            return await self._modprobe(name)
        finally:
            self._running -= 1
            self._slots.wake_up()
