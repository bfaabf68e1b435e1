"""Which call began a flow.

A system call is recorded under the flow its task was in; sending a request begins a new one a moment
later.  To follow the request from the program, the call has to be part of what it begins.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from simkernel.engine import Record
from simkernel.hardware.layer import HARDWARE


class Stories:
    """Hands records on, a call only with the record after it, which tells under what flow it acts."""

    def __init__(self) -> None:
        self._call: Record | None = None
        self._newest = 0

    def take(self, record: Record) -> Iterator[Record]:
        """The records that are settled by `record`, in order."""
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
        """What is still held back, at the end."""
        if self._call is not None:
            yield self._call
            self._call = None
