"""Flags of eventfd(2).  Source: include/uapi/linux/eventfd.h."""

from __future__ import annotations

from typing import Final

from simkernel.uapi.fcntl import O_CLOEXEC, O_NONBLOCK

EFD_SEMAPHORE: Final = 1
EFD_CLOEXEC: Final = O_CLOEXEC
EFD_NONBLOCK: Final = O_NONBLOCK
