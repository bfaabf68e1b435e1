"""The simulation engine. It extends simpy with time charges, system calls that do nothing until they are
awaited, seeded random streams, tracepoints and errors.
"""

from simkernel.engine.call import LATER, Call, Compute, Owner, drive, runs_later
from simkernel.engine.clock import (
    MICROSECOND,
    MILLISECOND,
    SECOND,
    Duration,
    micros,
    millis,
    nanoseconds_up,
    seconds,
    whole_nanoseconds,
)
from simkernel.engine.engine import Engine
from simkernel.engine.errors import (
    Deadlock,
    DeviceError,
    InternalError,
    KernelBug,
    Leak,
    NotModelled,
    SimulationError,
    TimeLimit,
)
from simkernel.engine.streams import Streams
from simkernel.engine.timer import Timer
from simkernel.engine.trace import Record, Tracer

__all__ = [
    "LATER",
    "MICROSECOND",
    "MILLISECOND",
    "SECOND",
    "Call",
    "Compute",
    "Deadlock",
    "DeviceError",
    "Duration",
    "Engine",
    "InternalError",
    "KernelBug",
    "Leak",
    "NotModelled",
    "Owner",
    "Record",
    "SimulationError",
    "Streams",
    "TimeLimit",
    "Timer",
    "Tracer",
    "drive",
    "micros",
    "millis",
    "nanoseconds_up",
    "runs_later",
    "seconds",
    "whole_nanoseconds",
]
