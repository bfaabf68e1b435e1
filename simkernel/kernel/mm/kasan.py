"""KASAN: detection of accesses to DMA memory after its release (mm/kasan/report.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from simkernel.hardware.bus import Memory
from simkernel.kernel.lib.fault import Armed
from simkernel.kernel.lib.report import Reports
from simkernel.kernel.lib.stack import Place, culprit, described, stack
from simkernel.kernel.mm.dma import DmaBuffer, DmaMemory
from simkernel.kernel.module.module import LoadedModule
from simkernel.kernel.module.resources import Resources
from simkernel.kernel.sched.task import SchedTask

CHECKER: Final = "memory"

Trace = tuple[str, tuple[Place, ...]]
"""The name of a task, and the task's call trace."""


@attrs.define(eq=False)
class Life:
    """The call traces of a DMA buffer's allocation and release."""

    allocated: Trace
    freed: Trace | None = None


class CheckedDmaBuffer(DmaBuffer):
    """A DMA buffer that reports an access to its memory after the driver has freed the buffer.

    The memory stays readable, so the driver continues, as with KASAN's default on Linux.  Accesses through
    a slice of `memory` that was taken before the release are not checked.
    """

    __slots__ = ("kasan", "life", "view")

    kasan: CheckedDmaMemory
    life: Life
    view: memoryview

    def __init__(self, buffer: DmaBuffer, kasan: CheckedDmaMemory, life: Life) -> None:
        values = {"address": buffer.address, "resource": buffer.resource, "view": buffer.memory}
        for name, value in (values | {"kasan": kasan, "life": life}).items():
            object.__setattr__(self, name, value)

    @property
    def memory(self) -> memoryview:
        """The bytes of the buffer, shared with the device. An access after the release is reported."""
        if self.life.freed is not None:
            self.kasan.report("use-after-free", self)
        return self.view

    @property
    def size(self) -> int:
        return len(self.view)


class CheckedDmaMemory(DmaMemory):
    """DMA memory whose buffers report accesses that happen after the buffer was freed."""

    def __init__(
        self,
        memory: Memory,
        resources: Resources,
        reports: Reports,
        current: Callable[[], SchedTask | None],
        faults: Armed | None,
    ) -> None:
        super().__init__(memory, resources, faults)
        self._reports = reports
        self._current = current

    def allocate(self, module: LoadedModule | None, name: str, size: int) -> DmaBuffer:
        return CheckedDmaBuffer(super().allocate(module, name, size), self, Life(self._trace()))

    def free(self, buffer: DmaBuffer) -> None:
        assert isinstance(buffer, CheckedDmaBuffer)
        if buffer.life.freed is not None:
            self.report("double-free", buffer)
            return
        buffer.life.freed = self._trace()
        super().free(buffer)

    def report(self, bug: str, buffer: CheckedDmaBuffer) -> None:
        """Report a use after free or a double free of a buffer (`print_report()`)."""
        who, places = self._trace(3)
        trace = described(places)
        allocated, freed = buffer.life.allocated, buffer.life.freed
        assert freed is not None
        lines = [
            f"Access of DMA memory of {buffer.size} bytes by {who}",
            "",
            "Call Trace:",
            *_indented(trace),
        ]
        for action, (task, stacked) in (("Allocated", allocated), ("Freed", freed)):
            lines += ["", f"{action} by {task}:", *_indented(described(stacked))]
        title = f"BUG: KASAN: {bug} in {culprit(trace)}"
        self._reports.add(
            CHECKER, title, lines, map(culprit, (trace, described(freed[1]), described(allocated[1]))), "="
        )

    def _trace(self, depth: int = 2) -> Trace:
        task = self._current()
        return ("an interrupt" if task is None else f"task {task.track}"), stack(depth)


def _indented(lines: tuple[str, ...]) -> list[str]:
    return [f" {line}" for line in lines]
