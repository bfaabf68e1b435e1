"""What the kernel's work costs, in nanoseconds: one table for the whole machine.

The figures are of a real Linux 6.18 on x86-64; each parameter has a meaning of its own, so that an
operation's price is the sum of what it does.
"""

from __future__ import annotations

import attrs


@attrs.frozen
class CostModel:
    """Prices in nanoseconds (per byte where it says so)."""

    syscall: int = 94
    """Entering and leaving the kernel (getppid)."""
    socket_create: int = 900
    """Allocating a socket and its descriptor."""
    socket_bind: int = 300
    """Hashing a port id."""
    socket_close: int = 950
    """Giving a socket back."""
    send: int = 90
    """Checking where a message goes, and finding who is there."""
    receive: int = 220
    """Taking a message off a queue."""
    skb_alloc: int = 110
    """Allocating and freeing a socket buffer."""
    page_alloc: int = 120
    """Allocating and freeing one page of a buffer that is too large for a slab."""
    copy_per_kib: int = 9
    """Copying 1024 bytes across the boundary, in or out."""
    deliver: int = 45
    """Queueing a buffer on one receiver."""
    multicast: int = 30
    """Sending to a group, however many are in it."""
    multicast_member: int = 68
    """Cloning a buffer for one more member of a group."""
    multicast_skip: int = 16
    """Passing over a socket that is in no such group."""
    genl_dispatch: int = 350
    """Parsing, validating and dispatching one generic netlink message."""
    genl_reply: int = 280
    """Writing the answer to one."""
    wake: int = 250
    """Waking a task (charged to the waker)."""
    switch: int = 800
    """Giving a CPU to another task."""
    interrupt: int = 700
    """Taking an interrupt and returning from it."""
    timer: int = 300
    """A timer that expires."""
    readl: int = 400
    """A register read, which waits for the bus."""
    writel: int = 60
    """A register write, which is posted."""
    file: int = 51
    """Finding the open file of a descriptor, and calling its operation."""
    poll: int = 80
    """Asking one file what it is ready for, and telling it."""
    pipe: int = 30
    """A page of a pipe: putting one in, or taking one out."""
    memory_charge: int = 115
    """Charging a piece of memory to its user (memcg): pages of pipes, large messages of unix sockets."""
    path_component: int = 60
    """Looking up one name of a path."""
    file_open: int = 350
    """Making an open file, and closing it."""
    seq_read: int = 100
    """Preparing the text of a file in procfs or sysfs."""
    seq_field: int = 40
    """Writing one number or word into it."""
    attribute: int = 90
    """Holding the object that an attribute in sysfs belongs to while it is read or written."""
    fork: int = 60_000
    """Making a process."""
    exec: int = 300_000
    """Starting a program."""
    module_load: int = 500_000
    """Reading, relocating and linking a module."""
    module_unload: int = 20_000
    """Taking a module out."""

    def copy(self, size: int) -> int:
        """What copying `size` bytes costs."""
        return (size * self.copy_per_kib) >> 10


FREE = CostModel(**{field.name: 0 for field in attrs.fields(CostModel)})
"""Nothing costs anything: for booting, and for tests that want no time to pass."""
