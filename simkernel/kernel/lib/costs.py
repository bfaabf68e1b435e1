"""What the kernel's work costs, in nanoseconds: one table for the whole machine.

The figures are of a real Linux 6.18 on x86-64; each parameter has a meaning of its own, so that an
operation's price is the sum of what it does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

CACHED: Final = 20 << 10
"""Largest copy in bytes whose source and destination stay in the nearest cache until the next copy."""
SPILL: Final = 4
"""Bytes that miss the nearest cache for each byte above CACHED: a copy evicts bytes that it reads later."""
PIECE: Final = 8 << 12
"""Bytes in 2**PAGE_ALLOC_COSTLY_ORDER pages."""
FROM_ZONE: Final = 3
"""Price of a piece above PIECE, as a multiple of `page_alloc`."""
MEMBER_LINES: Final = 4
"""Cache lines that delivering to a member of a group misses; a socket that is passed over misses one."""


@attrs.frozen
class CostModel:
    """Prices in nanoseconds (per KiB where it says so)."""

    syscall: int = 94
    """Entering and leaving the kernel (getppid)."""
    file: int = 51
    """Finding the open file of a descriptor, and calling its operation."""
    copy_begin: int = 16
    """A copy across the boundary, before its first byte."""
    copy_per_kib: int = 7
    """Copying 1024 bytes across the boundary, in or out, from and to the nearest cache."""
    copy_large_per_kib: int = 23
    """Copying 1024 bytes that are not in the nearest cache, since the whole copy is above 20 KiB."""
    socket_create: int = 900
    """Allocating a socket and its descriptor."""
    socket_bind: int = 300
    """Hashing a port id."""
    socket_close: int = 900
    """Releasing a socket."""
    send: int = 80
    """Checking the address of a message, and finding its receiver."""
    receive: int = 204
    """Taking a message off a queue."""
    receive_wait: int = 150
    """Finding a socket's queue empty, and joining its wait queue."""
    skb_alloc: int = 104
    """Allocating and freeing a socket buffer."""
    page_alloc: int = 107
    """Allocating and freeing a piece of whole pages."""
    memory_charge: int = 91
    """Charging a piece of memory to its user (memcg): pages of pipes, buffers of unix sockets."""
    deliver: int = 53
    """Queueing a buffer on one receiver."""
    multicast: int = 31
    """Sending to a group, without its members."""
    multicast_member: int = 61
    """Cloning a buffer for one more member of a group."""
    multicast_skip: int = 7
    """Passing over a socket that is not in the group."""
    cached_sockets: int = 400
    """Number (not ns) of subscribers of a protocol that the caches hold during a multicast."""
    cache_miss: int = 15
    """Waiting for a cache line of a further subscriber: 4 lines for a member, 1 for another socket."""
    genl_dispatch: int = 337
    """Parsing, validating and dispatching one generic netlink message."""
    genl_reply: int = 271
    """Writing the reply to a generic netlink message."""
    schedule: int = 112
    """Looking for another task to run, for a task that yields."""
    wake: int = 250
    """Waking a task (charged to the waker)."""
    switch: int = 670
    """Giving a CPU to another task."""
    interrupt: int = 700
    """Taking an interrupt and returning from it."""
    timer: int = 300
    """Running a timer that expires."""
    readl: int = 400
    """A register read, which waits for the bus."""
    writel: int = 60
    """A register write, which is posted."""
    poll: int = 6
    """Polling one file for its events."""
    poll_wait: int = 80
    """Adding a task to a file's wait queue and removing it, for a poll that may wait."""
    epoll: int = 54
    """Taking one file off an epoll's ready list, polling it, and reporting it."""
    pipe: int = 26
    """A page of a pipe: putting one in, or taking one out."""
    path_component: int = 129
    """Looking up one name of a path."""
    file_open: int = 478
    """Creating an open file, and closing it."""
    seq_read: int = 116
    """Preparing the text of a file in procfs or sysfs."""
    seq_field: int = 20
    """Formatting one record of a text in procfs or sysfs, or one number of a record."""
    attribute: int = 57
    """Holding the kernel object of a sysfs attribute during an open, read or write."""
    thread: int = 7_300
    """Creating a thread."""
    fork: int = 60_000
    """Creating a process."""
    exec: int = 300_000
    """Starting a program."""
    module_load: int = 500_000
    """Reading, relocating and linking a module."""
    module_unload: int = 20_000
    """Unloading a module."""
    spread: tuple[int, ...] = attrs.field(default=(1000, 1050, 1340), kw_only=True)
    """Median, 90th and 99th percentile of a charge that varies, in thousandths of its price."""
    on_copy: Callable[[int], None] | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)
    """Called with the bytes of each copy that is charged.  While it is set, no such sum may be cached."""

    def copy(self, size: int) -> int:
        """Return what copying `size` bytes costs, and report the copy if there is an observer."""
        if self.on_copy is not None and size:
            self.on_copy(size)
        return self.copy_begin + (size * self.copy_per_kib >> 10) + (self.far(size) if size > CACHED else 0)

    def far(self, size: int) -> int:
        """Return the extra cost of cache misses if one call copies `size` bytes, in one piece or several."""
        missed = min(size, SPILL * max(0, size - CACHED))
        return missed * (self.copy_large_per_kib - self.copy_per_kib) >> 10

    def pages(self, size: int) -> int:
        """Return the cost of a piece of whole pages for `size` bytes (`alloc_pages()`).

        A CPU keeps pieces of up to 2**PAGE_ALLOC_COSTLY_ORDER pages; others come from the locked zone.
        """
        return self.page_alloc * (FROM_ZONE if size > PIECE else 1)

    def misses(self, members: int, others: int) -> int:
        """What it costs that a multicast goes past more members and other subscribers than caches hold.

        Those beyond are paid for, members and others in proportion.
        """
        walked = members + others
        lines = MEMBER_LINES * members + others
        return self.cache_miss * lines * (walked - self.cached_sockets) // walked


PARAMETERS: Final = tuple(field.name for field in attrs.fields(CostModel) if not field.kw_only)
"""The names of all prices."""

FREE = CostModel(*[0] * len(PARAMETERS))
"""Nothing costs anything: for booting, and for tests that want no time to pass."""
