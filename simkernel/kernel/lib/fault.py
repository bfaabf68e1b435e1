"""Fault points: named places where the kernel can fail on demand (lib/fault-inject.c of Linux).

Theory of operation.  A machine with `faults` calls `hit(point, ...)` each time it reaches one of `POINTS`,
and fails there if the call returns True.  A machine without `faults` has parts without fault points.  For
a part on a hot path, the machine selects another class or method when it is built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Protocol

import attrs

from simkernel.engine import Engine
from simkernel.uapi.errno import EFAULT, EINTR, ENFILE, ENOBUFS, ENOMEM, os_error


class FaultPoints(Protocol):
    """Decides, each time that the kernel reaches a fault point, whether the operation fails."""

    def hit(self, point: str, **about: object) -> bool:
        """Return True if the operation at the fault point `point` must fail.

        `about` has the `time` in ns, and the `comm`, `pid` and `call` of the task concerned, which are
        None in interrupts and timers.  `about` also has the keys of `FaultPoint.about` that the kernel
        knows.
        """


@attrs.frozen
class FaultPoint:
    """A place in the kernel where `Machine(faults=...)` can make an operation fail.

    `errno` is the error that the failed operation raises, or None.  `effect` is the visible consequence.
    `source` is the code of Linux that fails in the same case.  `about` are the keys that the point adds to
    a hit.
    """

    name: str
    errno: int | None
    effect: str
    source: str
    about: tuple[str, ...] = ()


_POINTS: Final = (
    FaultPoint("netlink.deliver", ENOBUFS,
               "a netlink socket loses a multicast or a message from the kernel; its next receive fails",
               "`netlink_overrun()`", ("protocol", "group")),
    FaultPoint("skb.alloc", ENOBUFS,
               "a send or a dump fails, an ACK is lost, or a driver gets ENOMEM for a new message",
               "`__alloc_skb()`"),
    FaultPoint("kmalloc", ENOMEM,
               "the creation of an object fails: in a system call, a registration or an open of a device",
               "`should_failslab()`", ("module", "what")),
    FaultPoint("dma.alloc", ENOMEM, "a driver gets no DMA memory",
               "`dma_alloc_coherent()`", ("module", "device")),
    FaultPoint("dma.write", None,
               "half of a device's transfer reaches memory, and the device does not notice",
               "`pci_error_handlers`", ("device",)),
    FaultPoint("usercopy", EFAULT, "a call fails as if the program had passed a bad pointer",
               "`should_fail_usercopy()`", ("size",)),
    FaultPoint("irq.lost", None, "no handler runs, and the line stays high",
               "`try_misrouted_irq()`", ("device", "irq")),
    FaultPoint("irq.spurious", None, "the handlers of an interrupt line run without an interrupt",
               "`note_interrupt()`", ("device", "irq")),
    FaultPoint("irq.storm", None, "an interrupt line stays high until it is disabled: \"nobody cared\"",
               "`__report_bad_irq()`", ("device", "irq")),
    FaultPoint("module.init", ENOMEM, "a module is not loaded",
               "`do_init_module()`", ("module",)),
    FaultPoint("probe", ENOMEM, "a device stays without a driver, and the kernel log reports it",
               "`really_probe()`", ("device", "module")),
    FaultPoint("sleep.eintr", EINTR,
               "a system call that sleeps is interrupted, as by a signal without SA_RESTART",
               "`signal_pending_state()`"),
    FaultPoint("bus.access", None,
               "the device is unplugged before the access: a read returns all ones, a write is lost",
               "`pci_dev_is_disconnected()`", ("device",)),
    FaultPoint("uevent.drop", None, "a uevent reaches no listener: the listeners see a gap in SEQNUM",
               "`uevent_net_broadcast_untagged()`", ("device", "action", "subsystem")),
    FaultPoint("open", ENFILE, "open(2) fails as if the machine had too many open files",
               "`alloc_empty_file()`", ("device", "path")),
)  # fmt: skip

POINTS: Final[Mapping[str, FaultPoint]] = MappingProxyType({point.name: point for point in _POINTS})
"""Maps the name of each fault point, such as `kmalloc`, to its `FaultPoint`."""


class NamedCall(Protocol):
    """The interface of a system call from which `Armed` reads only the name."""

    @property
    def name(self) -> str: ...


class CallingTask(Protocol):
    """The interface of a task from which `Armed` reads name, pid and system call, to pass them to
    `FaultPoints.hit`.
    """

    @property
    def comm(self) -> str: ...
    @property
    def pid(self) -> int: ...
    @property
    def call(self) -> NamedCall | None: ...


class Armed:
    """The fault points of a machine. A `FaultPoints` decides whether the operation at a fault point fails.
    For this decision it gets the current task, the task's system call and the time.

    No point fails before time 0, so a machine boots without faults.  `current` returns the running task.
    """

    def __init__(
        self, points: FaultPoints, engine: Engine, current: Callable[[], CallingTask | None]
    ) -> None:
        self._points = points
        self._engine = engine
        self._current = current
        self.entered: str | None = None
        """Name of the system call whose handler runs now, or None. While a handler runs for the first time,
        the attribute `call` of its task may still be None; then `hit_for` uses this name.
        """

    def hit(self, point: str, **about: object) -> bool:
        """Return True if the running task's operation at the fault point `point` must fail."""
        return self._engine.time() >= 0 and self.hit_for(self._current(), point, **about)

    def hit_for(self, task: CallingTask | None, point: str, **about: object) -> bool:
        """Return True if the operation of `task` at the fault point `point` must fail."""
        time = self._engine.time()
        if time < 0:
            return False
        comm = pid = call = None
        if task is not None:
            comm, pid = task.comm, task.pid
            call = self.entered if task.call is None else task.call.name
        return self._points.hit(point, time=time, comm=comm, pid=pid, call=call, **about)

    def copying(self, observe: Callable[[int], None] | None) -> Callable[[int], None]:
        """Return an observer for `CostModel.on_copy`. The observer raises EFAULT if a copy from or to a
        program must fail.
        """

        def copy(size: int) -> None:
            self.check_copy(size)
            if observe is not None:
                observe(size)

        return copy

    def check_copy(self, size: int) -> None:
        """Raise EFAULT if a copy of `size` bytes from or to the running task must fail."""
        self.check("usercopy", size=size)

    def check(self, point: str, **about: object) -> None:
        """Raise the errno of the fault point `point` if the running task's operation must fail. A fault point
        without errno raises nothing.
        """
        errno = POINTS[point].errno
        if self.hit(point, **about) and errno is not None:
            raise os_error(errno)


def check_fault(armed: Armed | None, point: str, **about: object) -> None:
    """Raise the errno of the fault point `point` if the operation must fail. If `armed` is None, the machine
    has no faults, and nothing is raised.
    """
    if armed is not None:
        armed.check(point, **about)
