"""What a file's poll fills in: the queues to wait on (`struct poll_table_struct`)."""

from __future__ import annotations

from typing import Final

import attrs

from simkernel.kernel.sched.wait import WaitQueue

ALL: Final = 0xFFFF
"""Every event of poll(2): nobody said which."""


@attrs.define(eq=False, repr=False)
class PollTable:
    """The queues that a poll named, for whoever is about to sleep; `events` are what he waits for."""

    events: int = ALL
    queues: list[WaitQueue] = attrs.field(factory=list)


def poll_wait(queue: WaitQueue, table: PollTable) -> None:
    """Have the caller woken through `queue` (`poll_wait()`)."""
    if queue not in table.queues:
        table.queues.append(queue)
