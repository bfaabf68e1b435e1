"""`time` of a hosted program: the machine's clocks (Modules/timemodule.c).

The realtime clock shows 1970 when the machine is switched on, and local time is UTC.
"""

from __future__ import annotations

import time as real
from types import ModuleType, SimpleNamespace
from typing import Any, Final

from simkernel.engine import nanoseconds_up
from simkernel.hosted.calls import SystemCalls, module
from simkernel.machine import Machine

AS_THEY_ARE: Final = ("asctime", "mktime", "strptime", "struct_time")
UTC: Final = ("UTC", "UTC")


class Clock:
    """The functions of the module."""

    def __init__(self, call: SystemCalls, machine: Machine) -> None:
        self._call = call
        self._machine = machine

    def time_ns(self) -> int:
        """The realtime clock."""
        return self._machine.kernel.realtime()

    def time(self) -> float:
        """The same, in seconds."""
        return self.time_ns() / 1e9

    def monotonic_ns(self) -> int:
        """The machine's clock."""
        return self._machine.clock()

    def monotonic(self) -> float:
        """The same, in seconds."""
        return self.monotonic_ns() / 1e9

    perf_counter_ns = process_time_ns = thread_time_ns = monotonic_ns
    perf_counter = process_time = thread_time = monotonic

    def clock_gettime_ns(self, clock: int, /) -> int:
        """The realtime clock, or for any other number the machine's."""
        return self.time_ns() if clock == real.CLOCK_REALTIME else self.monotonic_ns()

    def clock_gettime(self, clock: int, /) -> float:
        """The same, in seconds."""
        return self.clock_gettime_ns(clock) / 1e9

    def clock_getres(self, clock: int, /) -> float:
        """A nanosecond."""
        return 1e-9

    def get_clock_info(self, name: Any, /) -> SimpleNamespace:
        """As `time.get_clock_info()`."""
        info = vars(real.get_clock_info(name))
        return SimpleNamespace(**{**info, "resolution": 1e-9})

    def sleep(self, seconds: float, /) -> None:
        """Sleep on the machine's clock."""
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        self._call("nanosleep", nanoseconds_up(seconds))

    def gmtime(self, seconds: float | None = None, /) -> real.struct_time:
        """A time in parts; the present one without an argument."""
        return real.gmtime(self.time() if seconds is None else seconds)

    localtime = gmtime

    def tzset(self) -> None:
        """Do nothing: local time is UTC."""

    def ctime(self, seconds: float | None = None, /) -> str:
        """A time as text."""
        return real.asctime(self.gmtime(seconds))

    def strftime(self, format: str, when: Any = None, /) -> str:
        """A time as the format says."""
        return real.strftime(format, self.gmtime() if when is None else when)


def time_module(call: SystemCalls, machine: Machine) -> ModuleType:
    """`time` for one process."""
    utc = {"timezone": 0, "altzone": 0, "daylight": 0, "tzname": UTC}
    return module(real, Clock(call, machine), AS_THEY_ARE, **utc)
