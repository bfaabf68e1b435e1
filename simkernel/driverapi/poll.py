"""include/linux/poll.h: telling whether a file is ready, and what to wait for if it is not.

def poll(file: File, table: PollTable) -> int:
    poll_wait(file.private_data.queue, table)
    return POLLIN | POLLRDNORM if file.private_data.ready else 0
"""

from __future__ import annotations

from simkernel.kernel.vfs.poll_table import PollTable as PollTable
from simkernel.kernel.vfs.poll_table import poll_wait as poll_wait


def poll_requested_events(table: PollTable) -> int:
    """What the program waits for; all events where nobody said."""
    return table.events
