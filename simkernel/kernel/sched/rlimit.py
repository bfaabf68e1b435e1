"""Resource limits of processes, and how many threads there may be (getrlimit(2), kernel/fork.c)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from simkernel.uapi.resource import RLIMIT_NOFILE, RLIMIT_NPROC

Limit = tuple[int, int]
"""A soft and a hard limit."""

MEMORY: Final = 2 << 30
"""Size of the machine's memory in bytes."""
THREAD_SIZE: Final = 16384
"""Bytes of memory, and of a kernel stack (arch/x86/include/asm/page_64_types.h)."""
MAX_THREADS: Final = MEMORY // (8 * THREAD_SIZE)
"""Tasks that a machine has at most: their stacks take an eighth of the memory (`set_max_threads()`)."""
NR_OPEN: Final = 1048576
"""The highest hard limit of RLIMIT_NOFILE (`sysctl_nr_open`)."""

DEFAULTS: Final[Mapping[int, Limit]] = MappingProxyType(
    {
        RLIMIT_NPROC: (MAX_THREADS // 2, MAX_THREADS // 2),  # fork_init()
        RLIMIT_NOFILE: (1024, 524288),  # systemd raises the hard limit (HIGH_RLIMIT_NOFILE)
    }
)
"""The limits that are modelled, and those of the first process."""
