"""Constants of getrlimit(2) and setrlimit(2): the resources, and the value for no limit.

Source: include/uapi/asm-generic/resource.h.  The names are those of Python's `resource`.
"""

from __future__ import annotations

from typing import Final

RLIMIT_CPU: Final = 0
RLIMIT_FSIZE: Final = 1
RLIMIT_DATA: Final = 2
RLIMIT_STACK: Final = 3
RLIMIT_CORE: Final = 4
RLIMIT_RSS: Final = 5
RLIMIT_NPROC: Final = 6
RLIMIT_NOFILE: Final = 7
RLIMIT_MEMLOCK: Final = 8
RLIMIT_AS: Final = 9
RLIMIT_LOCKS: Final = 10
RLIMIT_SIGPENDING: Final = 11
RLIMIT_MSGQUEUE: Final = 12
RLIMIT_NICE: Final = 13
RLIMIT_RTPRIO: Final = 14
RLIMIT_RTTIME: Final = 15
RLIM_NLIMITS: Final = 16

RLIM_INFINITY: Final = -1
"""The value -1 means "no limit", as in Python's module `resource`.  The kernel's number is 2**64 - 1
(RLIM64_INFINITY).
"""
RLIM64_INFINITY: Final = (1 << 64) - 1
