"""The table to which a file's poll function adds its wait queues (`struct poll_table_struct`)."""

from __future__ import annotations

from typing import Final

import attrs

from simkernel.kernel.sched.wait import WaitQueue

ALL: Final = 0xFFFF
"""The mask with all events of poll(2), for a caller that names no events."""


@attrs.define(eq=False, repr=False)
class PollTable:
    """The wait queues that a poll function has added with `poll_wait`.

    `events` are the events that the poller waits for.
    """

    events: int = ALL
    queues: list[WaitQueue] = attrs.field(factory=list)


def poll_wait(queue: WaitQueue, table: PollTable) -> None:
    """Add the wait queue that wakes the poller (`poll_wait()`)."""
    if queue not in table.queues:
        table.queues.append(queue)
