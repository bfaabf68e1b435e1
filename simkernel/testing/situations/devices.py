"""Situations for programs that use devices, and for drivers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from simkernel.application.app import App
from simkernel.engine import Record, SimulationError, millis
from simkernel.hardware.bus import Device
from simkernel.hardware.mouse.device import Mouse
from simkernel.hardware.mouse.motion import Walk
from simkernel.kernel.vfs.task import Task
from simkernel.machine import Machine
from simkernel.testing.situations.occurrence import Occurrence, Program
from simkernel.uapi.fcntl import O_WRONLY
from simkernel.uapi.input import InputEvent
from simkernel.uapi.input_event_codes import BTN_LEFT, EV_KEY, EV_REL, EV_SYN, REL_X, SYN_REPORT

SLEEPS: Final = frozenset(
    {"read", "readv", "pread64", "poll", "select", "epoll_wait", "ioctl", "recvfrom", "recvmsg"}
)
"""System calls in which a program can wait for a device."""
RELEASE: Final = ((EV_KEY, BTN_LEFT, 0),)
PACKETS: Final = 80
"""Number of event packets in one write(2). A reader's buffer holds fewer packets, so the write overflows it
(`evdev_compute_buffer_size()`).
"""


def unplugged_while_reading(machine: Machine, device: Device, program: Program = None) -> Occurrence:
    """Unplug `device` while the program sleeps in a system call that waits for it."""
    occurrence = Occurrence(machine, "unplugged-while-reading")

    def entered(task: Task) -> None:
        if task.sleep is not None:
            _unplug(occurrence, device)

    occurrence.on_call("sys_enter", SLEEPS, program, lambda task, _: occurrence.soon(entered, task))
    return occurrence


def unplugged_while_streaming(machine: Machine, device: Device, *, after: int = 2) -> Occurrence:
    """Unplug `device` while it streams. The parameter `after` is the number of DMA writes before that."""
    occurrence = Occurrence(machine, "unplugged-while-streaming")
    writes = 0

    def written(record: Record) -> None:
        nonlocal writes
        writes += record.track == device.name
        if writes == after:
            occurrence.soon(_unplug, occurrence, device)

    occurrence.on({"dma_write"}, written)
    return occurrence


def unplugged_while_mapped(machine: Machine, device: Device, program: Program = None) -> Occurrence:
    """Unplug `device` after the program has called mmap(2), for example to map the memory of the device."""
    occurrence = Occurrence(machine, "unplugged-while-mapped")
    occurrence.after({"mmap"}, program, lambda task: _unplug(occurrence, device))
    return occurrence


def _unplug(occurrence: Occurrence, device: Device) -> None:
    occurrence.machine.unplug(device)
    occurrence.count()


def replugged(machine: Machine, device: Device, *, after: int = millis(100)) -> Occurrence:
    """Unplug `device` immediately, and plug it into another slot later. The parameter `after` is the time
    between them in ns.
    """
    occurrence = Occurrence(machine, "replugged")
    slots = machine.bus.slots
    free = next((slot.number for slot in reversed(slots) if slot.device is None), None)
    if free is None:
        raise SimulationError(
            f"replugged: {device.name} needs a free slot, but all {len(slots) - 1} slots are taken"
        )

    def plug() -> None:
        machine.plug(device, slot=free)
        occurrence.count()

    machine.unplug(device)
    machine.at(machine.now + after, plug)
    return occurrence


def interrupt_shared(machine: Machine, device: Device, *, other: Device | None = None) -> Occurrence:
    """Plug in another device immediately.  It shares the interrupt line of `device`.

    The default is a moving mouse.
    """
    occurrence = Occurrence(machine, "interrupt-shared")
    if device.slot is None:
        raise SimulationError(f"interrupt_shared: {device!r} is not plugged in, so it has no interrupt line")
    line = device.slot.line
    other = other or Mouse(Walk())

    def raised(record: Record) -> None:
        if record.track == other.name:
            occurrence.count()

    occurrence.on({"irq_raise"}, raised)
    machine.plug(other, line=line)
    return occurrence


def syn_dropped(
    machine: Machine,
    node: str = "/dev/input/event0",
    *,
    lost: Iterable[tuple[int, int, int]] = RELEASE,
) -> Occurrence:
    """Overflow the buffers of all readers of an event device, immediately: another program writes events to
    it.

    The readers lose, among others, the events in `lost`, given as (type, code, value).
    """
    occurrence = Occurrence(machine, "syn-dropped")
    report = (EV_SYN, SYN_REPORT, 0)
    motion = [(EV_REL, REL_X, 1), report, (EV_REL, REL_X, -1), report] * (PACKETS // 2)
    events = b"".join(InputEvent.LAYOUT.pack(0, 0, *each) for each in (*lost, report, *motion))

    async def write(app: App) -> None:
        fd = await app.open(node, O_WRONLY)
        await app.write(fd, events)
        await app.close(fd)

    occurrence.run(write)
    return occurrence
