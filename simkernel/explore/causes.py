"""Find, in trace records, the causes of a failing call and the first difference between two runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Final

from simkernel.engine import Record
from simkernel.trace.plain import plain

NOISE: Final = frozenset(
    {"rwmmio_read", "rwmmio_write", "netlink_deliver_tap", "console", "irq_handler_exit",
     "workqueue_execute_end"}
)  # fmt: skip
"""Names of tracepoints whose records are never part of a chain of causes, because they neither wake a task
nor carry a message.
"""
LIMIT: Final = 60
"""Maximum number of records in a chain of causes."""


def causes(records: Sequence[Record]) -> list[Record]:
    """Return the chain of trace records that led to the last system call of a task. The field `pid` of the
    last record selects the task.

    A blocked call is woken by a message, an interrupt, work or a call of another task. The flow of the
    wake-up identifies its origin. If the call waits for quiescence, its cause is the task that acted last.
    The chain continues with the task that caused the wake-up, and ends at a device, a timer or the first
    program.
    """
    chain = _Chain(records)
    chain.follow()
    return [records[at] for at in sorted(chain.kept)[-LIMIT:]]


class _Chain:
    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records
        self.kept: set[int] = set()

    def follow(self) -> None:
        at: int | None = len(self._records) - 1
        if at is None or at < 0:
            return
        last = self._records[at]
        pid = last.fields.get("pid", 0)
        self.kept.add(at)
        for index in range(at, -1, -1):
            if self._is_call(index, "sys_exit", pid):
                self.kept.add(index)
                break
        while at is not None:
            at, pid = self._before(at, pid)

    def _is_call(self, at: int, name: str, pid: int) -> bool:
        record = self._records[at]
        return record.name == name and record.fields["pid"] == pid

    def _before(self, at: int, pid: int) -> tuple[int | None, int]:
        """Search backwards, from the record with index `at`, for the last wake-up of the task `pid`, or for
        its creation. Add the records that explain this event to the chain.

        Return the index of the causing record (or None), and the pid of the task that caused it.
        """
        left = wakeup = None
        for index in range(at - 1, -1, -1):
            record = self._records[index]
            if self._is_call(index, "sys_exit", pid):
                left, wakeup = index, None
            elif record.name == "sched_wakeup" and record.fields["pid"] == pid and left is not None:
                wakeup = wakeup or index
            elif self._is_call(index, "sys_enter", pid) and left is not None and wakeup is not None:
                return self._woken(index, wakeup, left, pid)
            elif record.name == "sched_process_fork" and record.fields["child"] == pid:
                self.kept.add(index)
                return index, record.fields["pid"]
        return None, pid

    def _woken(self, entered: int, wakeup: int, left: int, pid: int) -> tuple[int | None, int]:
        flow = self._records[wakeup].flow
        if not flow:
            waker = self._waker(wakeup, pid)
            # in `sim.quiet()`, a task blocks in read(2) until no event is left
            if waker is None and self._records[left].fields["call"] == "read":
                waker = self._last_act(wakeup)
            if waker is None:  # woken by its own timer
                return entered, pid
            self.kept |= {waker, wakeup, left}
            return waker, self._records[waker].fields["pid"]
        last: dict[object, int] = {}
        for index in range(wakeup + 1):
            record = self._records[index]
            if record.flow == flow and record.name not in NOISE:
                last[record.name, record.fields.get("comm")] = index
                origin = min(last.values())
        others = {
            index
            for index in last.values()
            if self._records[index].name != "sched_wakeup" or "/" in self._records[index].fields["comm"]
        }
        self.kept |= {*others, origin, wakeup, left}
        began = self._records[origin]
        return (origin, began.fields["pid"]) if began.name == "sys_enter" else (None, pid)

    def _waker(self, wakeup: int, pid: int) -> int | None:
        """Find the system call of another task that woke the task `pid`. Return the index of the record of
        this call, or None if a system call did not wake the task.
        """
        for index in range(wakeup - 1, -1, -1):
            record = self._records[index]
            if record.name == "sys_exit":
                return None
            if record.name == "sys_enter":
                other = record.fields["pid"]
                return None if other == pid or self._slept(index, other) else index
        return None

    def _last_act(self, wakeup: int) -> int | None:
        """Return the index of the last record of a system call or of the end of a program. Search only the
        records before the index `wakeup`. Return None if there is no such record.
        """
        names = ("sys_enter", "sys_exit", "sched_process_exit")
        return next((at for at in range(wakeup - 1, -1, -1) if self._records[at].name in names), None)

    def _slept(self, entered: int, pid: int) -> bool:
        for index in range(entered + 1, len(self._records)):
            if self._is_call(index, "sys_exit", pid):
                return False
            record = self._records[index]
            if record.name == "sched_wakeup" and record.fields["pid"] == pid:
                return True
        return True


def first_difference(one: Iterable[Record], other: Iterable[Record]) -> int | None:
    """Return the index of the first record that differs between two runs, or None.

    Times are not compared.
    """
    for index, (mine, its) in enumerate(zip_longest(one, other)):
        if mine is None or its is None or _event(mine) != _event(its):
            return index
    return None


def _event(record: Record) -> tuple[str, str, str]:
    fields = {name: value for name, value in record.fields.items() if name != "entered"}
    return record.name, record.track, json.dumps(fields, default=plain)
