"""Credentials of a message's sender (`struct scm_creds`)."""

from __future__ import annotations

from typing import Final

from simkernel.kernel.vfs.task import Task

Creds = tuple[int, int, int]
"""Process id, user id and group id of a sender."""

KERNEL_CREDS: Final[Creds] = (0, 0, 0)
"""Credentials of messages from the kernel: pid 0 and root."""


def own_creds(task: Task) -> Creds:
    """Return the task's own credentials, for a message without SCM_CREDENTIALS."""
    credentials = task.credentials
    return task.tgid, credentials.uid, credentials.gid
