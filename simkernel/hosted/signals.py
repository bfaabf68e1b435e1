"""`signal` of a hosted program: what is done about the signals of its process in the machine."""

from __future__ import annotations

import signal as real
from collections.abc import Callable
from enum import EnumMeta
from types import ModuleType
from typing import Any

from simkernel.hosted.calls import SystemCalls, module

Handler = Callable[[int, Any], Any] | int | None


class Signals:
    """The functions of the module."""

    def __init__(self, call: SystemCalls) -> None:
        self._call = call
        self._handlers: dict[int, Handler] = {}

    def signal(self, signalnum: int, handler: Handler, /) -> Handler:
        """What a signal does from now on; what it did."""
        number = int(signalnum)
        old = self.getsignal(number)

        def call_handler(number: int) -> None:
            handler(number, None)  # type: ignore[operator, misc]

        self._call("rt_sigaction", number, call_handler if callable(handler) else int(handler or 0))
        self._handlers[number] = handler
        return old

    def getsignal(self, signalnum: int, /) -> Handler:
        """What a signal does."""
        return self._handlers.get(int(signalnum), real.SIG_DFL)

    def raise_signal(self, signalnum: int, /) -> None:
        """Send it to oneself."""
        self._call("kill", self._call("getpid"), int(signalnum))


def signal_module(call: SystemCalls) -> ModuleType:
    """`signal` for one process."""
    enums = tuple(name for name, value in vars(real).items() if isinstance(value, EnumMeta))
    return module(real, Signals(call), (*enums, "strsignal", "valid_signals"))
