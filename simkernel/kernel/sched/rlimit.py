"""Resource limits of processes, and the maximum number of threads (getrlimit(2), kernel/fork.c)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from simkernel.uapi.resource import RLIMIT_NOFILE, RLIMIT_NPROC

Limit = tuple[int, int]
"""The soft and the hard limit of a resource."""

MEMORY: Final = 2 << 30
"""Size of the machine's memory in bytes."""
THREAD_SIZE: Final = 16384
"""Size of a kernel stack in bytes (arch/x86/include/asm/page_64_types.h)."""
MAX_THREADS: Final = MEMORY // (8 * THREAD_SIZE)
"""Maximum number of tasks: their stacks use at most an eighth of the memory (`set_max_threads()`)."""
NR_OPEN: Final = 1048576
"""Maximum hard limit of RLIMIT_NOFILE (`sysctl_nr_open`)."""

DEFAULTS: Final[Mapping[int, Limit]] = MappingProxyType(
    {
        # half of the maximum number of threads, as in fork_init()
        RLIMIT_NPROC: (MAX_THREADS // 2, MAX_THREADS // 2),
        # systemd raises the hard limit of RLIMIT_NOFILE to 524288 (HIGH_RLIMIT_NOFILE)
        RLIMIT_NOFILE: (1024, 524288),
    }
)
"""The resource limits of the first process. Limits of other resources are not modelled."""
