"""The `signal` module of a hosted program, for the signals of its simulated process."""

from __future__ import annotations

import signal as real
from collections.abc import Callable
from enum import EnumMeta
from types import ModuleType
from typing import Any

from simkernel.hosted.calls import ProcessCalls, module

Handler = Callable[[int, Any], Any] | int | None


class SignalFunctions:
    """The functions of the `signal` module of one process."""

    def __init__(self, call: ProcessCalls) -> None:
        self._call = call
        self._handlers: dict[int, Handler] = {}

    def signal(self, signalnum: int, handler: Handler, /) -> Handler:
        """Set the handler of a signal, and return the previous one."""
        number = int(signalnum)
        old = self.getsignal(number)

        def call_handler(number: int) -> None:
            handler(number, None)  # type: ignore[operator, misc]

        self._call("rt_sigaction", number, call_handler if callable(handler) else int(handler or 0))
        self._handlers[number] = handler
        return old

    def getsignal(self, signalnum: int, /) -> Handler:
        """Return the handler of a signal."""
        return self._handlers.get(int(signalnum), real.SIG_DFL)

    def raise_signal(self, signalnum: int, /) -> None:
        """Send a signal to the calling process."""
        self._call("kill", self._call("getpid"), int(signalnum))


def signal_module(call: ProcessCalls) -> ModuleType:
    """Return the `signal` module of one process."""
    enums = tuple(name for name, value in vars(real).items() if isinstance(value, EnumMeta))
    return module(real, SignalFunctions(call), (*enums, "strsignal", "valid_signals"))
