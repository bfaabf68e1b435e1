"""The cost model: the costs of kernel operations in ns, in one table for the whole machine.

The figures were measured on Linux 6.18 on x86-64.  No two parameters cover the same work. So the cost of
an operation is the sum of the parameters for its steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

CACHED: Final = 20 << 10
"""Largest copy in bytes that stays in the nearest cache until the next copy."""
SPILL: Final = 4
"""Factor for the cache misses of a copy that is larger than CACHED. The number of bytes that miss the nearest
cache is SPILL * (size - CACHED), but at most the size of the copy. The factor is above 1, because the copy
evicts its own bytes.
"""
PIECE: Final = 8 << 12
"""Size in bytes of 2**PAGE_ALLOC_COSTLY_ORDER pages."""
FROM_ZONE: Final = 3
"""Factor by which the cost `page_alloc` is multiplied if a block of pages is larger than 32 KiB (PIECE)."""
MEMBER_LINES: Final = 4
"""Number of cache misses when a multicast visits a member of its group whose data is not in the caches.
Visiting a socket outside the group causes one cache miss.
"""


@attrs.frozen
class CostModel:
    """Costs of kernel operations in ns. A cost whose name ends with `_per_kib` is in ns per KiB."""

    syscall: int = 94
    """Cost of entering and leaving the kernel (measured with getppid)."""
    file: int = 51
    """Cost of looking up the open file of a descriptor and calling its operation."""
    copy_begin: int = 16
    """Fixed cost of a copy between program and kernel."""
    copy_per_kib: int = 7
    """Cost of copying 1024 bytes between program and kernel if they are in the nearest cache."""
    copy_large_per_kib: int = 23
    """Cost of copying 1024 bytes that are not in the nearest cache. Only a copy of more than 20 KiB has such
    bytes.
    """
    socket_create: int = 900
    """Cost of allocating a socket and its descriptor."""
    socket_bind: int = 300
    """Cost of binding a socket: inserting its port id or its name into a hash table."""
    socket_close: int = 900
    """Cost of releasing a socket."""
    send: int = 80
    """Cost of checking the address of a message and looking up its receiver."""
    receive: int = 204
    """Cost of removing a message from a receive queue."""
    receive_wait: int = 150
    """Cost of a receive that must wait: checking the empty queue and joining the socket's wait queue."""
    skb_alloc: int = 104
    """Cost of allocating and freeing a socket buffer."""
    page_alloc: int = 107
    """Cost of allocating and freeing a block of whole pages."""
    memory_charge: int = 91
    """Cost of charging memory to its user (memcg): pages of pipes, buffers of unix sockets."""
    deliver: int = 53
    """Cost of queueing a buffer at one receiver."""
    multicast: int = 31
    """Cost of sending to a multicast group, without the cost for its members."""
    multicast_member: int = 61
    """Cost of cloning a buffer for one more member of a multicast group."""
    multicast_skip: int = 7
    """Cost of skipping a socket that is not in the multicast group."""
    cached_sockets: int = 400
    """A number of sockets, not a cost. The caches hold the data of this number of subscribed sockets. If a
    netlink protocol has more, a multicast has cache misses.
    """
    cache_miss: int = 15
    """Cost of a cache miss in a multicast if a protocol has more than `cached_sockets` subscribed sockets."""
    genl_dispatch: int = 337
    """Cost of parsing, validating and dispatching one generic netlink message."""
    genl_reply: int = 271
    """Cost of writing the reply to a generic netlink message."""
    schedule: int = 112
    """Cost of selecting another task to run when a task yields."""
    wake: int = 250
    """Cost of waking a task (charged to the task that wakes it)."""
    switch: int = 670
    """Cost of switching a CPU to another task."""
    interrupt: int = 700
    """Cost of entering an interrupt and returning from it."""
    timer: int = 300
    """Cost of running the function of an expired timer."""
    readl: int = 400
    """Cost of reading a device register. The CPU waits for the bus."""
    writel: int = 60
    """Cost of writing a device register. The CPU does not wait, because bus writes are posted."""
    poll: int = 6
    """Cost of polling one file for its events."""
    poll_wait: int = 80
    """Cost of adding a task to a file's wait queue and removing it, for a poll that may wait."""
    epoll: int = 54
    """Cost of taking one file off an epoll ready list, polling it and reporting its events."""
    pipe: int = 26
    """Cost of adding a page to a pipe, or removing one."""
    path_component: int = 129
    """Cost of looking up one name of a path."""
    file_open: int = 478
    """Cost of creating an open file and closing it."""
    seq_read: int = 116
    """Cost of preparing the text of a file in procfs or sysfs."""
    seq_field: int = 20
    """Cost of formatting one record of a file in procfs or sysfs. It is charged once more for each number in
    the record.
    """
    attribute: int = 57
    """Cost of taking and dropping a reference to a sysfs attribute's kobject at each open, read and write."""
    thread: int = 7_300
    """Cost of creating a thread."""
    fork: int = 60_000
    """Cost of creating a process."""
    exec: int = 300_000
    """Cost of starting a program."""
    module_load: int = 500_000
    """Cost of reading, relocating and linking a module."""
    module_unload: int = 20_000
    """Cost of unloading a module."""
    spread: tuple[int, ...] = attrs.field(default=(1000, 1050, 1340), kw_only=True)
    """Distribution of the random factor by which a machine with `jitter` multiplies each charge of time: the
    median, the 90th and the 99th percentile of the factor, in thousandths.
    """
    on_copy: Callable[[int], None] | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)
    """Function that is called with the size in bytes of each charged copy.

    If it is set, callers must not cache the cost of a copy: with a cached cost, the function would not be
    called.
    """

    def copy(self, size: int) -> int:
        """Return the cost in ns of copying `size` bytes, and report the copy to the observer if there is
        one.
        """
        if self.on_copy is not None and size:
            self.on_copy(size)
        return self.copy_begin + (size * self.copy_per_kib >> 10) + (self.far(size) if size > CACHED else 0)

    def far(self, size: int) -> int:
        """Return the extra cost in ns of the cache misses of a call that copies `size` bytes in total."""
        missed = min(size, SPILL * max(0, size - CACHED))
        return missed * (self.copy_large_per_kib - self.copy_per_kib) >> 10

    def pages(self, size: int) -> int:
        """Return the cost in ns of allocating and freeing a block of whole pages for `size` bytes
        (`alloc_pages()`).

        Each CPU caches blocks of up to 2**PAGE_ALLOC_COSTLY_ORDER pages. Larger blocks come from the
        locked zone.
        """
        return self.page_alloc * (FROM_ZONE if size > PIECE else 1)

    def misses(self, members: int, others: int) -> int:
        """Return the cost in ns of the cache misses of a multicast that visits more than `cached_sockets`
        subscribed sockets.

        Only the sockets above `cached_sockets` count, members of the group and others in proportion.
        """
        walked = members + others
        lines = MEMBER_LINES * members + others
        return self.cache_miss * lines * (walked - self.cached_sockets) // walked


PARAMETERS: Final = tuple(field.name for field in attrs.fields(CostModel) if not field.kw_only)
"""The names of all cost parameters."""

FREE = CostModel(*[0] * len(PARAMETERS))
"""A cost model in which every operation costs 0 ns, for booting and for tests."""
