"""What a file's poll fills in: the queues to wait on (`struct poll_table_struct`)."""

from __future__ import annotations

from simkernel.kernel.task.wait import WaitQueue


class PollTable:
    """The queues that a poll named, for whoever is about to sleep."""

    __slots__ = ("queues",)

    def __init__(self) -> None:
        self.queues: list[WaitQueue] = []


def poll_wait(queue: WaitQueue, table: PollTable) -> None:
    """Have the caller woken through `queue` (`poll_wait()`)."""
    if queue not in table.queues:
        table.queues.append(queue)
