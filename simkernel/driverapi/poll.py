"""include/linux/poll.h: the poll operation, which returns the ready events and registers wait queues.

def poll(file: File, table: PollTable) -> int:
    poll_wait(file.private_data.queue, table)
    return POLLIN | POLLRDNORM if file.private_data.ready else 0
"""

from __future__ import annotations

from simkernel.kernel.vfs.poll_table import PollTable as PollTable
from simkernel.kernel.vfs.poll_table import poll_wait as poll_wait


def poll_requested_events(table: PollTable) -> int:
    """Return the events that the program polls for, or all events if it did not specify them."""
    return table.events
