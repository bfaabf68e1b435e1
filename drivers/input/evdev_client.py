"""The unread events of one open file of an event device (`struct evdev_client`).

The events are in a ring whose length is a power of two.  Only whole packets are readable: up to
`packet_head`, which follows the last SYN_REPORT.  If the ring overflows, its events are lost.  The reader
then finds SYN_DROPPED and the newest event.  SYN_DROPPED tells the reader to query the state of the
device.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import attrs

from simkernel.driverapi.compiler import READ_ONCE
from simkernel.driverapi.fasync import FasyncList
from simkernel.driverapi.spinlock import SpinLock
from simkernel.driverapi.wait import WaitQueue
from simkernel.uapi.input import InputEvent
from simkernel.uapi.input_event_codes import EV_MAX, EV_SYN, MAX_CODE, SYN_DROPPED, SYN_REPORT

from .device import InputDev, Value

MIN_BUFFER_SIZE: Final = 64
BUFFER_PACKETS: Final = 8

CLOCK_REALTIME: Final = 0
CLOCK_MONOTONIC: Final = 1
CLOCK_BOOTTIME: Final = 7
CLOCKS: Final = frozenset({CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME})
"""The clocks that a reader can select for timestamps (EVIOCSCLOCKID)."""


class QueuedEvent(NamedTuple):
    """An event in a reader's ring: the fields of `struct input_event`, and a flow id. In a trace, arrows
    connect the records with the same flow id.
    """

    sec: int
    usec: int
    type: int
    code: int
    value: int
    flow: int = 0


def buffer_size(dev: InputDev) -> int:
    """Return the number of events that a reader's ring can hold; it is enough for a few packets
    (`evdev_compute_buffer_size()`).
    """
    least = max(dev.hint_events_per_packet * BUFFER_PACKETS, MIN_BUFFER_SIZE)
    return 1 << (least - 1).bit_length()


@attrs.define(eq=False)
class Client:
    """One open file of an event device.

    `lock` protects the ring, which interrupt handlers fill.  `evdev` is the event device.  `masks` has the
    codes that the reader wants, by event type.
    """

    evdev: Any
    lock: SpinLock
    wait: WaitQueue
    size: int
    buffer: list[QueuedEvent] = attrs.field(init=False)
    head: int = 0
    tail: int = 0
    packet_head: int = 0
    clock: int = CLOCK_REALTIME
    revoked: bool = False
    masks: dict[int, int] = attrs.field(factory=dict)
    fasync: FasyncList = attrs.field(factory=FasyncList)
    flow: int = 0
    """Flow id (for traces) of the event that the program read most recently."""

    def __attrs_post_init__(self) -> None:
        self.buffer = [QueuedEvent(0, 0, 0, 0, 0)] * self.size

    @property
    def readable(self) -> bool:
        """True if the ring holds a complete packet.

        Like evdev_read(), it takes no lock: `fetch` checks again under the lock.
        """
        return READ_ONCE(self.packet_head) != READ_ONCE(self.tail)

    def pass_values(self, values: Sequence[Value], time: int, flow: int = 0) -> bool:
        """Append a packet to the ring with the time `time` in ns.  Return True if a packet became readable.

        The source is `evdev_pass_values()`.
        """
        complete = False
        sec, usec = divmod(time // 1000, 1_000_000)
        with self.lock:
            for type, code, value in values:
                if self._is_filtered(type, code):
                    continue
                if type == EV_SYN and code == SYN_REPORT:
                    if self.packet_head == self.head:  # the reader's masks exclude all events of the packet
                        continue
                    complete = True
                self._put(QueuedEvent(sec, usec, type, code, value, flow))
        return complete

    def fetch(self, count: int) -> bytes:
        """Remove up to `count` events from the ring, only from complete packets, and return their bytes.

        The source is `evdev_fetch_next_event()`.
        """
        taken: list[bytes] = []
        with self.lock:
            while self.packet_head != self.tail and len(taken) < count:
                event = self.buffer[self.tail]
                self.flow = event.flow
                taken.append(InputEvent.LAYOUT.pack(*event[:-1]))
                self.tail = self.tail + 1 & self.size - 1
        return b"".join(taken)

    def flush(self, unwanted: int) -> None:
        """Drop the queued events of one type (`__evdev_flush_queue()`). An ioctl that returns the current
        state, such as EVIOCGKEY, calls this.

        A packet that contains no other events loses its SYN_REPORT as well, unless it is the first packet.
        """
        with self.lock:
            here, end = self.tail, self.head
            self.head = self.packet_head = self.tail
            kept = 1
            while here != end:
                event = self.buffer[here]
                here = here + 1 & self.size - 1
                is_report = event.type == EV_SYN and event.code == SYN_REPORT
                if event.type == unwanted or (is_report and not kept):
                    continue
                self.buffer[self.head] = event
                self.head = self.head + 1 & self.size - 1
                kept += 1
                if is_report:
                    kept = 0
                    self.packet_head = self.head

    def drop(self, time: int) -> None:
        """Append SYN_DROPPED, which tells the reader that events are lost (`__evdev_queue_syn_dropped()`).

        `time` is its timestamp in ns.
        """
        sec, usec = divmod(time // 1000, 1_000_000)
        with self.lock:
            self.buffer[self.head] = QueuedEvent(sec, usec, EV_SYN, SYN_DROPPED, 0)
            self.head = self.head + 1 & self.size - 1
            if self.head == self.tail:
                self.tail = self.packet_head = self.head - 1 & self.size - 1

    def set_clock(self, clock: int) -> bool:
        """Select the clock of the timestamps and drop the queued events (`evdev_set_clk_type()`).

        Return True if events were dropped: the caller then appends SYN_DROPPED.
        """
        if self.clock == clock:
            return False
        with self.lock:
            self.clock = clock
            lost = self.head != self.tail
            self.packet_head = self.head = self.tail
        return lost

    def _put(self, event: QueuedEvent) -> None:
        """Append an event to the ring; if the ring is full, first replace its contents by SYN_DROPPED
        (`__pass_event()`). The caller holds the lock.
        """
        self.buffer[self.head] = event
        self.head = self.head + 1 & self.size - 1
        if self.head == self.tail:
            self.tail = self.head - 2 & self.size - 1
            self.buffer[self.tail] = QueuedEvent(event.sec, event.usec, EV_SYN, SYN_DROPPED, 0)
            self.packet_head = self.tail
        if event.type == EV_SYN and event.code == SYN_REPORT:
            self.packet_head = self.head

    def _is_filtered(self, type: int, code: int) -> bool:
        """Return True if the reader's masks exclude the event (`__evdev_is_filtered()`)."""
        if not self.masks or type == EV_SYN or type > EV_MAX:
            return False
        if not self.masks.get(EV_SYN, -1) >> type & 1:
            return True
        if code > MAX_CODE.get(type, -1):
            return False
        return not self.masks.get(type, -1) >> code & 1
