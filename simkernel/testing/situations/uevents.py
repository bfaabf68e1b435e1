"""Situations for programs that discover devices: by sysfs, by uevents, or by opening device nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simkernel.engine import millis
from simkernel.kernel.device.device import Device
from simkernel.kernel.vfs.task import NetNamespace, Task
from simkernel.machine import Machine
from simkernel.testing.situations.occurrence import RECEIVES, Fields, Occurrence, Program
from simkernel.testing.situations.replies import is_done
from simkernel.uapi.uevent import Uevent

Select = Callable[[Uevent], bool]
"""A predicate that selects the uevents that a situation affects."""


def every(event: Uevent) -> bool:
    """Select every uevent: return True."""
    return True


def listed_before_subscribed(
    machine: Machine, program: Program = None, *, change: Callable[[], object], within: int = millis(50)
) -> Occurrence:
    """Call the function `change` between two system calls of the program: after it lists a directory or
    receives the end of a netlink dump, and before it makes the next call.

    The program is not scheduled for `within` ns, while the kernel completes the change and sends events.
    """
    occurrence = Occurrence(machine, "listed-before-subscribed")

    def act(task: Task) -> None:
        change()
        occurrence.count()

    def received(task: Task, fields: Fields) -> bool:
        result = fields.get("result")
        return isinstance(result, tuple) and is_done(bytes(result[0]))

    occurrence.after({"getdents64"}, program, act, hold=within)
    occurrence.after(RECEIVES, program, act, hold=within, when=received)
    return occurrence


def uevent_before_node(machine: Machine, *, delay: int = millis(10)) -> Occurrence:
    """Create the next device node `delay` ns after its uevent, as a device manager does if /dev is not
    devtmpfs.
    """
    occurrence = Occurrence(machine, "uevent-before-node")
    devices = machine.kernel.devices
    assert machine.kernel.fs, "the attribute mounts /dev"

    def added(device: Device) -> None:
        machine.at(machine.now + delay, make, device)
        occurrence.count()

    def make(device: Device) -> None:
        if device in list(devices):
            add(device)

    add = occurrence.replace(devices.watcher, "added", added)
    return occurrence


def uevents_lost(machine: Machine, *, select: Select = every, times: int = 1) -> Occurrence:
    """Drop selected uevents before any listener receives them. The function `select` selects them, and the
    argument `times` is the number to drop. Listeners can see the gap in the SEQNUM values.
    """
    occurrence = Occurrence(machine, "uevents-lost", times)

    def broadcast(event: Uevent, net: NetNamespace | None) -> None:
        if occurrence.armed and select(event):
            occurrence.count()
        else:
            send(event, net)

    send = occurrence.replace(machine.kernel.uevents, "broadcast", broadcast)
    return occurrence


def uevents_doubled(machine: Machine, *, select: Select = every, times: int = 1) -> Occurrence:
    """Send selected uevents twice, as `udevadm trigger` makes the kernel do. The argument `times` limits the
    number of uevents that are sent again.
    """
    occurrence = Occurrence(machine, "uevents-doubled", times)
    uevents = machine.kernel.uevents

    def broadcast(event: Uevent, net: NetNamespace | None) -> None:
        send(event, net)
        if occurrence.armed and select(event) and "SYNTH_UUID" not in event.variables:
            occurrence.soon(again, event, net)

    def again(event: Uevent, net: NetNamespace | None) -> None:
        variables: dict[str, Any] = dict(event.variables)
        for key in ("ACTION", "DEVPATH", "SUBSYSTEM", "SEQNUM"):
            variables.pop(key, None)
        subsystem = event.variables.get("SUBSYSTEM", "")
        uevents.send(event.action, event.devpath, subsystem, {"SYNTH_UUID": "0", **variables}, net)
        occurrence.count()

    send = occurrence.replace(uevents, "broadcast", broadcast)
    return occurrence


def uevents_reordered(machine: Machine, *, select: Select = every, within: int = millis(10)) -> Occurrence:
    """Delay the next selected uevent until one more uevent is sent, so that listeners receive the two in
    reverse order. The delay is at most `within` ns.
    """
    occurrence = Occurrence(machine, "uevents-reordered")
    held: list[tuple[Uevent, NetNamespace | None]] = []

    def broadcast(event: Uevent, net: NetNamespace | None) -> None:
        if not held and select(event):
            held.append((event, net))
            machine.at(machine.now + within, release)
            return
        send(event, net)
        if held:
            release()
            occurrence.count()

    def release() -> None:
        while held:
            send(*held.pop())

    send = occurrence.replace(machine.kernel.uevents, "broadcast", broadcast)
    return occurrence
