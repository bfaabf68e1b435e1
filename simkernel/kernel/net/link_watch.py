"""Deferred carrier events: a work item updates the operational state (net/core/link_watch.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from simkernel.engine import Engine, seconds
from simkernel.kernel.net.device import NetDevice
from simkernel.kernel.workqueue import Work, WorkQueue
from simkernel.uapi import if_link as il

INTERVAL: Final = seconds(1)
"""Minimum interval in ns between two full runs of the work item. A full run handles all pending events. If
the work item runs before the interval has passed, it handles only urgent events.
"""

DORMANT_MODE: Final = 1
TESTING_MODE: Final = 2


class LinkWatch:
    """The pending carrier events of a machine. After the kernel has handled an event, it calls `changed` if
    the device is up.
    """

    def __init__(self, engine: Engine, queue: WorkQueue, changed: Callable[[NetDevice], None]) -> None:
        self._engine = engine
        self._queue = queue
        self._changed = changed
        self._pending: dict[NetDevice, None] = {}
        self._next_event = 0
        self._urgent = False
        self._work = Work(None, "linkwatch_event", self._run)

    def init(self, device: NetDevice) -> None:
        """Set the operational state of a new device without carrier (`linkwatch_init_dev()`)."""
        if not device.carrier:
            _update(device)

    def fire(self, device: NetDevice) -> None:
        """Schedule the handling of a carrier change (`linkwatch_fire_event()`)."""
        urgent = _is_urgent(device)
        if device in self._pending and not urgent:
            return
        self._pending[device] = None
        self._schedule(urgent)

    def sync(self, device: NetDevice) -> None:
        """Handle a device's pending event immediately (`linkwatch_sync_dev()`)."""
        if device in self._pending:
            self._handle(device)

    def forget(self, device: NetDevice) -> None:
        """Drop the pending event of a device that is unregistered."""
        self._pending.pop(device, None)

    def activate(self, device: NetDevice) -> None:
        """Set and activate the queueing discipline of a device that is up (`dev_activate()`)."""
        if device.qdisc == "noop":
            device.qdisc = "noqueue" if device.no_queue or not device.tx_queue_len else "pfifo_fast"
        device.transmits = device.carrier

    def _schedule(self, urgent: bool) -> None:
        """Schedule the work item, immediately or after the minimum interval (`linkwatch_schedule_work()`)."""
        if self._urgent:
            return
        if urgent:
            self._urgent = True
            self._queue.cancel(self._work)
            self._queue.add(self._work)
            return
        delay = self._next_event - self._engine.time()
        self._queue.add_delayed(self._work, delay if 0 < delay <= INTERVAL else 0)

    def _run(self, work: Work) -> None:
        """Handle the pending events. If the last run that handled all events was less than the minimum
        interval ago, handle only the urgent events (`__linkwatch_run_queue()`).
        """
        now = self._engine.time()
        urgent_only = now < self._next_event
        if not urgent_only:
            self._next_event = now + INTERVAL
        self._urgent = False
        for device in tuple(self._pending):
            if not urgent_only or _is_urgent(device):
                self.sync(device)
        if self._pending:
            self._schedule(False)

    def _handle(self, device: NetDevice) -> None:
        """Update the state of one device. If the device is up, call `changed` (`linkwatch_do_dev()`)."""
        del self._pending[device]
        _update(device)
        if device.is_up:
            if device.carrier:
                self.activate(device)
            device.transmits = device.carrier
            self._changed(device)


def _is_urgent(device: NetDevice) -> bool:
    """Return True if a carrier event must be handled without delay (`linkwatch_urgent_event()`)."""
    if not device.running:
        return False
    return device.index != device.iflink or (device.carrier and not device.transmits)


def _update(device: NetDevice) -> None:
    """Set the operational state of a device according to its carrier and link mode (`rfc2863_policy()`)."""
    state = il.IF_OPER_UP
    if not device.carrier:
        state = il.IF_OPER_DOWN
        peer = device.net.devices.get(device.iflink)
        if peer is not None and peer is not device and not peer.carrier:
            state = il.IF_OPER_LOWERLAYERDOWN
    elif device.link_mode == DORMANT_MODE:
        state = il.IF_OPER_DORMANT
    elif device.link_mode == TESTING_MODE:
        state = il.IF_OPER_TESTING
    device.operstate = state
