"""The rtnl mutex. Operations on links run while this mutex is held (net/core/rtnetlink.c)."""

from __future__ import annotations

from typing import Final

from simkernel.kernel.sched.locking import LockEvents
from simkernel.kernel.sched.preempt import Preempt

NAME: Final = "rtnl_mutex"


class RtnlMutex:
    """The rtnl mutex. It reports each lock and unlock to the machine's race detector, if any. To find races,
    a run can pause the code of modules before chosen statements. It does not do so while the mutex is held.

    All holders are plain functions. No other task runs before they return, so no task ever waits for the
    mutex. A holder can take it recursively: a link operation calls the kernel, which calls notifiers of
    modules.
    """

    def __init__(self, preempt: Preempt, events: LockEvents | None) -> None:
        self._preempt = preempt
        self._events = events

    def __enter__(self) -> None:
        self._preempt.lock(NAME)
        if self._events is not None:
            self._events.acquired(self)

    def __exit__(self, *_: object) -> None:
        if self._events is not None:
            self._events.released(self)
        self._preempt.unlock(NAME)
