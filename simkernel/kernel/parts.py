"""The parts of a kernel that system calls and pseudo-filesystems may use.

`Kernel` has the attributes of the Protocol.  The Protocol is in a lower layer than its users, so that they
do not import the file that composes the kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from simkernel.engine import Engine
from simkernel.kernel.device.core import DriverCore
from simkernel.kernel.device.uevent import Uevents
from simkernel.kernel.irq.interrupts import Interrupts
from simkernel.kernel.lib.costs import CostModel
from simkernel.kernel.lib.fault import Armed
from simkernel.kernel.lib.log import Log
from simkernel.kernel.lib.syslog import Syslog
from simkernel.kernel.lib.taint import Taints
from simkernel.kernel.lib.unmodelled import Unmodelled
from simkernel.kernel.loader.modules import Modules
from simkernel.kernel.net.devices import NetDevices
from simkernel.kernel.net.namespace import Namespaces
from simkernel.kernel.netlink.route.rtnetlink import RouteNetlink
from simkernel.kernel.oops import Oopses
from simkernel.kernel.sched.process import Processes
from simkernel.kernel.sched.scheduler import Scheduler
from simkernel.kernel.sched.wait import WaitQueue
from simkernel.kernel.vfs.char_dev import CharDevices
from simkernel.kernel.vfs.file import OpenFile, SocketFamily
from simkernel.kernel.vfs.filesystem import FileSystems
from simkernel.kernel.vfs.task import Task


class KernelParts(Protocol):
    """A running kernel, as system calls and pseudo-files see it: a typed attribute for each part that they
    may use.
    """

    engine: Engine
    costs: CostModel
    plain_costs: CostModel
    log: Log
    taints: Taints
    log_readers: WaitQueue
    syslog: Syslog
    unmodelled: Unmodelled
    faults: Armed | None
    scheduler: Scheduler
    processes: Processes[Task]
    oopses: Oopses
    interrupts: Interrupts
    uevents: Uevents
    devices: DriverCore
    modules: Modules
    namespaces: Namespaces
    net_devices: NetDevices
    rtnetlink: RouteNetlink
    socket_file: Callable[..., OpenFile]
    """Function that returns a new open file for a socket."""
    socket_families: dict[int, SocketFamily]

    @property
    def char_devices(self) -> CharDevices: ...
    @property
    def fs(self) -> FileSystems: ...
    def realtime(self) -> int: ...
    def current(self) -> Task | None: ...
