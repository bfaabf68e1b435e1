"""The `time` module of a hosted program: the machine's clocks (Modules/timemodule.c).

The realtime clock starts in 1970 when the machine is created.  Local time is UTC.
"""

from __future__ import annotations

import time as real
from types import ModuleType, SimpleNamespace
from typing import Any, Final

from simkernel.engine import nanoseconds_up
from simkernel.hosted.calls import ProcessCalls, module
from simkernel.machine import Machine

FROM_PYTHON: Final = ("asctime", "mktime", "strptime", "struct_time")
UTC: Final = ("UTC", "UTC")


class TimeFunctions:
    """The functions of the `time` module of one process."""

    def __init__(self, call: ProcessCalls, machine: Machine) -> None:
        self._call = call
        self._machine = machine

    def time_ns(self) -> int:
        """Return the machine's realtime clock, in nanoseconds since 1970."""
        return self._machine.kernel.realtime()

    def time(self) -> float:
        """Return the machine's realtime clock, in seconds since 1970."""
        return self.time_ns() / 1e9

    def monotonic_ns(self) -> int:
        """Return the machine's monotonic clock in nanoseconds."""
        return self._machine.clock()

    def monotonic(self) -> float:
        """Return the machine's monotonic clock in seconds."""
        return self.monotonic_ns() / 1e9

    perf_counter_ns = process_time_ns = thread_time_ns = monotonic_ns
    perf_counter = process_time = thread_time = monotonic

    def clock_gettime_ns(self, clock: int, /) -> int:
        """Return the realtime clock for CLOCK_REALTIME and the monotonic clock for other ids, in
        nanoseconds.
        """
        return self.time_ns() if clock == real.CLOCK_REALTIME else self.monotonic_ns()

    def clock_gettime(self, clock: int, /) -> float:
        """Return the realtime clock for CLOCK_REALTIME and the monotonic clock for other ids, in seconds."""
        return self.clock_gettime_ns(clock) / 1e9

    def clock_getres(self, clock: int, /) -> float:
        """Return the resolution of every clock: one nanosecond."""
        return 1e-9

    def get_clock_info(self, name: Any, /) -> SimpleNamespace:
        """Return Python's information on a clock, with the machine's resolution."""
        info = vars(real.get_clock_info(name))
        return SimpleNamespace(**{**info, "resolution": 1e-9})

    def sleep(self, seconds: float, /) -> None:
        """Sleep for a number of seconds of simulated time."""
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        self._call("nanosleep", nanoseconds_up(seconds))

    def gmtime(self, seconds: float | None = None, /) -> real.struct_time:
        """Convert seconds since 1970 to a struct_time. If `seconds` is None, convert the current time."""
        return real.gmtime(self.time() if seconds is None else seconds)

    localtime = gmtime

    def tzset(self) -> None:
        """Do nothing, because local time is always UTC."""

    def ctime(self, seconds: float | None = None, /) -> str:
        """Format a time in seconds since 1970 as time.ctime() does. If `seconds` is None, use the current
        time.
        """
        return real.asctime(self.gmtime(seconds))

    def strftime(self, format: str, when: Any = None, /) -> str:
        """Format a time as time.strftime() does. If the argument `when` is None, use the current time."""
        return real.strftime(format, self.gmtime() if when is None else when)


def time_module(call: ProcessCalls, machine: Machine) -> ModuleType:
    """Return the `time` module of one process."""
    utc = {"timezone": 0, "altzone": 0, "daylight": 0, "tzname": UTC}
    return module(real, TimeFunctions(call, machine), FROM_PYTHON, **utc)
