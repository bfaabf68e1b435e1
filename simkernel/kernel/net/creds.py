"""Credentials of a message (`struct scm_creds`)."""

from __future__ import annotations

from typing import Final

from simkernel.kernel.vfs.task import Task

Creds = tuple[int, int, int]
"""Process, user and group of a sender."""

KERNEL_CREDS: Final[Creds] = (0, 0, 0)
"""The kernel is process 0, as root."""


def own_creds(task: Task) -> Creds:
    """The credentials of a message of `task` that claims no others."""
    credentials = task.credentials
    return task.tgid, credentials.uid, credentials.gid
