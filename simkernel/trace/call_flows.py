"""Attribution of system calls to the flows (chains of causes and effects) that they begin.

When a system call is recorded, its task still belongs to an old flow.  Sending a request begins a new flow
a moment later.  To follow a request from the program, the call must be part of the new flow.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from simkernel.engine import Record
from simkernel.hardware.layer import HARDWARE


class CallFlows:
    """A filter that assigns each system call to the flow (chain of causes and effects) that it begins.

    It delays a system call until the next record, which has that flow.
    """

    def __init__(self) -> None:
        self._call: Record | None = None
        self._newest = 0

    def take(self, record: Record) -> Iterator[Record]:
        """Yield the system call that the previous call of `take` delayed, if any. Then, if `record` is the
        entry of a system call, delay it until the next call of `take`. Otherwise yield `record`.
        """
        if self._call is not None:
            begins = record.flow > self._newest and record.layer != HARDWARE
            yield attrs.evolve(self._call, flow=record.flow) if begins else self._call
            self._call = None
        self._newest = max(self._newest, record.flow)
        if record.name == "sys_enter":
            self._call = record
        else:
            yield record

    def rest(self) -> Iterator[Record]:
        """At the end of the run, yield the system call that is still delayed, if any."""
        if self._call is not None:
            yield self._call
            self._call = None
