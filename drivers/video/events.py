"""An open file of a video device and its events (v4l2-event.c, v4l2-fh.c).

A file receives the events to which it has subscribed.  Each subscription keeps one unread event: a newer
event replaces it, and reports the changes of both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from simkernel.driverapi.wait import WaitQueue, init_waitqueue_head, wake_up_all
from simkernel.uapi.video.structures import V4l2Event, V4l2EventCtrl
from simkernel.uapi.video.videodev2 import V4L2_EVENT_CTRL, V4L2_PRIORITY_UNSET


@attrs.define(eq=False)
class Subscription:
    """A file's subscription to the events of one control (`struct v4l2_subscribed_event`)."""

    fh: FileHandle
    type: int
    id: int
    flags: int
    pending: V4l2Event | None = None


@attrs.define(eq=False)
class FileHandle:
    """An open file of a video device (`struct v4l2_fh`).  `clock` returns the monotonic time in ns."""

    device: Any
    clock: Callable[[], int]
    priority: int = V4L2_PRIORITY_UNSET
    subscribed: list[Subscription] = attrs.field(factory=list)
    available: list[V4l2Event] = attrs.field(factory=list)
    sequence: int = 0
    wait: WaitQueue = attrs.field(factory=lambda: init_waitqueue_head("a video event"))

    def find(self, type: int, id: int) -> Subscription | None:
        """Return the subscription to events of this type and id, or None."""
        return next((each for each in self.subscribed if (each.type, each.id) == (type, id)), None)

    def queue(self, event: V4l2Event) -> None:
        """Queue an event if the file has subscribed to it (`v4l2_event_queue_fh()`).

        Interrupt handlers may call this.
        """
        with self.device.fh_lock:
            self._queue(event)

    def _queue(self, event: V4l2Event) -> None:
        """Queue an event if the file has subscribed to it (`__v4l2_event_queue_fh()`). The caller holds the
        lock.
        """
        subscription = self.find(event.type, event.id)
        if subscription is None:
            return
        self.sequence = self.sequence + 1 & 0xFFFF_FFFF
        old = subscription.pending
        if old is not None:
            self.available.remove(old)
            if event.type == V4L2_EVENT_CTRL:  # keep the old event's `changes` flags (v4l2_ctrl_replace())
                payload = V4l2EventCtrl.unpack(event.u)
                payload.changes |= V4l2EventCtrl.unpack(old.u).changes
                event.u = payload.pack()
        event.sequence = self.sequence
        event.tv_sec, event.tv_nsec = divmod(self.clock(), 1_000_000_000)
        subscription.pending = event
        self.available.append(event)
        wake_up_all(self.wait)

    def take(self) -> V4l2Event:
        """Remove and return the oldest event, which must exist (`__v4l2_event_dequeue()`)."""
        with self.device.fh_lock:
            event = self.available.pop(0)
            event.pending = len(self.available)
            subscription = self.find(event.type, event.id)
            if subscription is not None:
                subscription.pending = None
        return event

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription. If an event of this subscription is queued, drop the event
        (`__v4l2_event_unsubscribe()`).
        """
        with self.device.fh_lock:
            self.subscribed.remove(subscription)
            if subscription.pending is not None:
                self.available.remove(subscription.pending)
