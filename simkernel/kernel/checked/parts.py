"""The checkers of `Machine(checks=...)`: kernel parts that check each of their operations, and `Audit`, which
checks the idle kernel.

A check of an event is a subclass of the part in which the event happens.  So a kernel without checks has
no extra cost.  All other checks inspect the kernel when no event is left (`Audit`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Any, Final, Protocol

from simkernel.hardware.bus import Bus
from simkernel.kernel.checked.races import ObservedTimers, Races
from simkernel.kernel.lib.fault import Armed
from simkernel.kernel.lib.report import Reports
from simkernel.kernel.lib.stack import call_trace, sleeping_trace
from simkernel.kernel.lib.taint import Taints
from simkernel.kernel.mm.dma import DmaMemory
from simkernel.kernel.mm.kasan import CheckedDmaMemory
from simkernel.kernel.module.module import LoadedModule
from simkernel.kernel.module.resources import Resources
from simkernel.kernel.net.sock import Sock
from simkernel.kernel.parts import KernelParts
from simkernel.kernel.sched.lockdep import Lockdep
from simkernel.kernel.sched.locking import Locking
from simkernel.kernel.sched.preempt import Preempt
from simkernel.kernel.sched.task import SchedTask
from simkernel.kernel.sched.wait import LockQueue
from simkernel.kernel.time.timer import Timers
from simkernel.kernel.vfs.char_file import CharDeviceFile
from simkernel.kernel.vfs.file import OpenFile, OpenFiles

UNMAPPED: Final = "0x0000"
"""Prefix of the addresses in a register window that was unmapped. Unmapping sets the base address of the
window to 0 (driverapi/io.py). If a driver accesses a register later, the bus error has an address with this
prefix.
"""


class Kernel(KernelParts, Protocol):
    """The attributes of a kernel that the checks use."""

    bus: Bus
    faults: Armed | None
    taints: Taints
    preempt: Preempt
    locking: Locking
    resources: Resources
    reports: Reports
    dma: DmaMemory
    open_files: OpenFiles
    timers: Timers
    bus_error: Callable[[str], None]
    interrupt: Callable[..., None]


def install(kernel: Kernel, checks: Collection[str], races: Races | None) -> Callable[..., LoadedModule]:
    """Replace parts of `kernel` with subclasses that perform the checks in `checks`. The kernel's constructor
    calls this function. Return the class to use for modules.
    """
    runner, oopses = kernel.processes.runner, kernel.oopses
    if {"lockdep", "hung", "races"} & set(checks):
        lockdep = kernel.locking = Lockdep(
            kernel.preempt,
            kernel.reports,
            runner,
            checking="lockdep" in checks,
            events=races,
        )
        runner.watch_returns(lockdep.sys_exit)
    if races is not None:
        races.attach(kernel.reports, kernel.current)
        kernel.interrupt = partial(_interrupt, races, kernel)
        kernel.timers = ObservedTimers(
            kernel.engine,
            kernel.costs,
            kernel.preempt,
            oopses,
            kernel.resources,
            kernel.scheduler.interrupt,
            races,
        )
    if "memory" in checks:
        kernel.dma = CheckedDmaMemory(
            kernel.bus.memory, kernel.resources, kernel.reports, kernel.current, kernel.faults
        )
        kernel.bus_error = partial(bus_error, kernel)
    if "sockets" in checks:
        kernel.socket_file = partial(CheckedFile, kernel)
    return CheckedModule if "references" in checks else LoadedModule


def _interrupt(races: Races, kernel: Kernel, line: int, weight: int = 1) -> None:
    with races.within(("interrupt", line)):
        kernel.interrupts.handle(line, weight)


# -- parts -------------------------------------------------------------------------


class CheckedFile(OpenFile):
    """The open file of a socket. When the file is released, the file checks the socket's memory counter."""

    __slots__ = ("_kernel",)

    def __init__(self, kernel: Kernel, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._kernel = kernel

    def _release(self) -> Awaitable[None] | None:
        if isinstance(self.object, Sock):
            check_socket(self._kernel, self.object)
        return super()._release()


def check_socket(kernel: Kernel, sock: Sock) -> bool:
    """Compare a socket's memory counter with the size of its messages.  If they differ, add a report and
    return True.

    `netlink_sock_destruct()`, `unix_sock_destructor()`.
    """
    counter, counted, real = sock.accounts(kernel.namespaces)
    if counted == real:
        return False
    lines = [f"{sock.title}: {counter} is {counted}, but its messages take {real} bytes"]
    title = f"WARNING: socket accounting: {counter} is not balanced"
    kernel.reports.add("sockets", title, lines, call_trace(2))
    return True


class CheckedModule(LoadedModule):
    """A module that checks its reference count after each `put` (`check_module`). If the count is 0, `put`
    does not change it.
    """

    def put(self) -> None:
        if self.references:
            super().put()
        check_module(self.kernel, self)

    @property
    def kernel(self) -> Kernel:
        """The kernel that the module is loaded into."""
        kernel: Kernel = self.this._kernel
        return kernel


def check_module(kernel: Kernel, module: LoadedModule) -> None:
    """Report `module` if its reference count is smaller than the number of its users plus its open files
    (`module_put()`).
    """
    files = sum(_module_of(file) is module for file in kernel.open_files)
    least = len(module.users) + files
    if module.references < least:
        trace = call_trace(2)
        lines = [
            f"module {module.name} has {module.references} references and {least} users",
            *(f" {line}" for line in trace),
        ]
        kernel.reports.add("references", "refcount_t: underflow; use-after-free.", lines, trace)


def _module_of(file: OpenFile) -> LoadedModule | None:
    return file.object.cdev.module if isinstance(file.object, CharDeviceFile) else None


def bus_error(kernel: Kernel, text: str) -> None:
    """Report a bus error: a driver has accessed unmapped registers, or a device has accessed freed memory."""
    trace = call_trace(2)
    address = text.partition(" at ")[2].partition(":")[0]
    title = f"BUG: {text}"
    if address.startswith(UNMAPPED):
        title = f"BUG: unable to handle page fault for address: {address}"
    kernel.reports.add("memory", title, [text, "Call Trace:", *(f" {line}" for line in trace)], trace)


# -- the audit ----------------------------------------------------------------------


class Audit:
    """The checks that run while the kernel is idle. The kernel is idle if no event is scheduled."""

    def __init__(self, kernel: Kernel, checks: Collection[str]) -> None:
        self._kernel = kernel
        known: dict[str, Callable[[], None]] = {
            "lockdep": self._locks,
            "hung": self._tasks,
            "references": self._references,
            "sockets": self._sockets,
        }
        self._audits = [audit for name, audit in known.items() if name in checks]
        self._reported: set[object] = set()

    def __call__(self) -> None:
        for audit in self._audits:
            audit()

    def _locks(self) -> None:
        if isinstance(self._kernel.locking, Lockdep):
            self._kernel.locking.audit()

    def _tasks(self) -> None:
        """Report tasks that no event can wake (`check_hung_uninterruptible_tasks()`).

        Linux reports a task in state D after two minutes.  Here no event is left, so the task sleeps for
        ever.  A task in state S is reported if it waits for a lock.
        """
        for task in self._kernel.processes:
            sleep = task.sleep
            if sleep is None or sleep.idle or sleep in self._reported:
                continue
            locks = [queue for queue in sleep.queues if isinstance(queue, LockQueue)]
            if not sleep.interruptible or locks:
                self._reported.add(sleep)
                self._report_hung(task, sleep.where, locks)

    def _report_hung(self, task: SchedTask, where: str, locks: list[LockQueue]) -> None:
        trace = sleeping_trace(task.frame or task.program)
        ppid = 0 if task.parent is None else task.parent.pid
        lines = [f"      {self._kernel.taints}", f"task:{task.comm} state:{task.state.value} pid:{task.pid} "
                 f"tgid:{task.tgid} ppid:{ppid} waits for {where}"]  # fmt: skip
        lines += ["Call Trace:", *(f" {line}" for line in trace)]
        for queue in locks:
            owner = getattr(queue.lock, "owner", None)
            if owner is not None:
                lines.append(
                    f"INFO: task {_who(task)} is blocked on {queue.name}, owned by task {_who(owner)}."
                )
        title = f"INFO: task {_who(task)} blocked for ever: no event is left that could wake it."
        self._kernel.reports.add("hung", title, lines, trace)

    def _references(self) -> None:
        kernel = self._kernel
        for module in kernel.modules:
            if module not in self._reported and not module.pinned and module.references < len(module.users):
                self._reported.add(module)
                check_module(kernel, module)
        holders: Counter[OpenFile] = Counter()
        tables = {id(task.files): task.files for task in kernel.processes if task.alive}
        for table in tables.values():
            holders.update(file for _, file in table.items())
        for file, least in holders.items():
            if file.references < least and file not in self._reported:
                self._reported.add(file)
                lines = [f"{file!r} has {file.references} references, and {least} descriptors"]
                kernel.reports.add("references", "refcount_t: underflow; use-after-free.", lines)

    def _sockets(self) -> None:
        for file in self._kernel.open_files:
            sock = file.object
            if isinstance(sock, Sock) and file not in self._reported and check_socket(self._kernel, sock):
                self._reported.add(file)


def _who(task: SchedTask) -> str:
    return f"{task.comm}:{task.pid}"
