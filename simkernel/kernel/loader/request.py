"""request_module(): the kernel requests a module from user space (kernel/module/kmod.c).

The kernel does not know which file provides a name or an alias. It runs modprobe, which knows.  The caller
of this module supplies that program, as /proc/sys/kernel/modprobe does on Linux.
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
"""Maximum length of a module's name in bytes, with its NUL (64 bytes less the size of an address,
include/linux/moduleparam.h).
"""
MAX_CONCURRENT = 50
"""Maximum number of modprobe programs that run at a time (MAX_KMOD_CONCURRENT)."""
BUSY_TIMEOUT = 5 * SECOND
"""Time in ns that a request waits for other modprobe programs to end (MAX_KMOD_ALL_BUSY_TIMEOUT)."""

Modprobe = Callable[[str], Awaitable[int]]
"""A function that runs modprobe for a name, waits for it and returns its exit code."""


@attrs.define(eq=False, repr=False)
class ModuleRequests:
    """The module requests of a machine.  If `modprobe` is None, every request fails with ENOENT."""

    _engine: Engine
    _log: Log
    _modprobe: Modprobe | None
    _running: int = 0
    _slots: WaitQueue = attrs.field(factory=lambda: WaitQueue("modprobe"))
    count: int = 0
    """Number of module requests since boot."""

    async def request(self, name: str) -> int:
        """Request a module by name or alias.  Return 0, a negative errno or modprobe's exit code.

        Even after the result 0, the module may already be unloaded again. So the caller must look up what
        it needs.
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
