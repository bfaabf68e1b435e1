"""A program with the mouse's event device open, for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from simkernel import Machine, millis
from simkernel.blocking.process import Blocking
from simkernel.uapi import input as ev
from simkernel.uapi.fcntl import O_NONBLOCK, O_RDWR
from simkernel.uapi.input_event_codes import (
    EV_SYN,
    SYN_REPORT,
)
from simkernel.uapi.poll import POLLIN, POLLOUT

NODE = "/dev/input/event0"
REPORT = (EV_SYN, SYN_REPORT, 0)
RING = 128
"""Number of events that a reader's ring can hold: eight packets of 11 events, rounded up to a power of two.
"""

Triple = tuple[int, int, int]


@attrs.define
class Reader:
    """A program with the mouse's event device open."""

    process: Blocking
    fd: int

    @classmethod
    def of(cls, machine: Machine, flags: int = O_RDWR | O_NONBLOCK, path: str = NODE) -> Reader:
        process = machine.blocking()
        return cls(process, process.open(path, flags))

    def events(self, count: int = RING) -> list[ev.InputEvent]:
        data = self.process.read(self.fd, count * ev.InputEvent.SIZE)
        return [ev.InputEvent.unpack(data, at) for at in range(0, len(data), ev.InputEvent.SIZE)]

    def take(self, count: int = RING) -> list[Triple]:
        """Return type, code and value of all queued events."""
        try:
            return [(each.type, each.code, each.value) for each in self.events(count)]
        except BlockingIOError:
            return []

    def ask(self, request: int, argument: Any = 0) -> Any:
        return self.process.ioctl(self.fd, request, argument)

    def bits(self, request: Callable[[int], int], size: int = 96) -> set[int]:
        bits = int.from_bytes(self.ask(request(size), bytes(size)), "little")
        return {code for code in range(bits.bit_length()) if bits >> code & 1}

    def poll(self, timeout: float = 0) -> int:
        return dict(self.process.poll([(self.fd, POLLIN | POLLOUT)], timeout)).get(self.fd, 0)


def settle(machine: Machine, time: int = millis(20)) -> None:
    machine.run(until=machine.now + time)


def fails(number: int) -> Any:
    return pytest.raises(OSError, match=rf"^\[Errno {number}\]")
