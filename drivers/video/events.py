"""Events, and the open file that they wait in (v4l2-event.c, v4l2-fh.c).

A file hears of what it has subscribed to.  For each subscription there is room for one event that is not
read yet: a newer one takes its place and says too what the older one said had changed.
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
    """Of one file to one thing (`struct v4l2_subscribed_event`)."""

    fh: FileHandle
    type: int
    id: int
    flags: int
    pending: V4l2Event | None = None


@attrs.define(eq=False)
class FileHandle:
    """One open file of a video device (`struct v4l2_fh`).  `clock` gives the monotonic time in ns."""

    device: Any
    clock: Callable[[], int]
    priority: int = V4L2_PRIORITY_UNSET
    subscribed: list[Subscription] = attrs.field(factory=list)
    available: list[V4l2Event] = attrs.field(factory=list)
    sequence: int = 0
    wait: WaitQueue = attrs.field(factory=lambda: init_waitqueue_head("a video event"))

    def find(self, type: int, id: int) -> Subscription | None:
        """A subscription, if there is one."""
        return next((each for each in self.subscribed if (each.type, each.id) == (type, id)), None)

    def queue(self, event: V4l2Event) -> None:
        """Something happened (`v4l2_event_queue_fh()`); in any context."""
        with self.device.fh_lock:
            self._queue(event)

    def _queue(self, event: V4l2Event) -> None:
        """`__v4l2_event_queue_fh()`; the lock is held."""
        subscription = self.find(event.type, event.id)
        if subscription is None:
            return
        self.sequence = self.sequence + 1 & 0xFFFF_FFFF
        old = subscription.pending
        if old is not None:
            self.available.remove(old)
            if event.type == V4L2_EVENT_CTRL:  # v4l2_ctrl_replace()
                payload = V4l2EventCtrl.unpack(event.u)
                payload.changes |= V4l2EventCtrl.unpack(old.u).changes
                event.u = payload.pack()
        event.sequence = self.sequence
        event.tv_sec, event.tv_nsec = divmod(self.clock(), 1_000_000_000)
        subscription.pending = event
        self.available.append(event)
        wake_up_all(self.wait)

    def take(self) -> V4l2Event:
        """The oldest event (`__v4l2_event_dequeue()`); there is one."""
        with self.device.fh_lock:
            event = self.available.pop(0)
            event.pending = len(self.available)
            subscription = self.find(event.type, event.id)
            if subscription is not None:
                subscription.pending = None
        return event

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription; what it had to tell is not told (`__v4l2_event_unsubscribe()`)."""
        with self.device.fh_lock:
            self.subscribed.remove(subscription)
            if subscription.pending is not None:
                self.available.remove(subscription.pending)
