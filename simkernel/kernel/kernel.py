"""The kernel: creates its parts and connects them.  Read this file first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from simkernel.engine import Engine
from simkernel.hardware.bus import Bus
from simkernel.kernel.device.binding import Binding
from simkernel.kernel.device.core import DriverCore
from simkernel.kernel.device.simbus import Simbus
from simkernel.kernel.device.uevent import Uevents
from simkernel.kernel.irq.interrupts import Interrupts
from simkernel.kernel.lib.copies import Copies
from simkernel.kernel.lib.costs import CostModel
from simkernel.kernel.lib.fault import Armed
from simkernel.kernel.lib.log import Log
from simkernel.kernel.lib.report import Reports
from simkernel.kernel.lib.syslog import Syslog
from simkernel.kernel.lib.taint import Taints
from simkernel.kernel.lib.unmodelled import Unmodelled
from simkernel.kernel.loader.image import Instrument
from simkernel.kernel.loader.modules import Modules
from simkernel.kernel.loader.request import Modprobe
from simkernel.kernel.mm.dma import DmaMemory
from simkernel.kernel.module.module import LoadedModule, ThisModule
from simkernel.kernel.module.resources import Resources
from simkernel.kernel.net.dev_ioctl import DeviceIoctl
from simkernel.kernel.net.devices import NetDevices
from simkernel.kernel.net.kobjects import NetKobjects
from simkernel.kernel.net.namespace import Namespaces, Net
from simkernel.kernel.net.rtnl import RtnlMutex
from simkernel.kernel.netlink.genetlink import FAMILIES, netdev
from simkernel.kernel.netlink.genetlink.genetlink import GenericNetlink
from simkernel.kernel.netlink.netlink import Netlink
from simkernel.kernel.netlink.route.notify import LinkNotifier
from simkernel.kernel.netlink.route.rtnetlink import RouteNetlink
from simkernel.kernel.netlink.uevent import UeventSockets
from simkernel.kernel.oops import Oopses
from simkernel.kernel.pseudofs.mounts import mount_all
from simkernel.kernel.sched.locking import Locking
from simkernel.kernel.sched.preempt import Preempt
from simkernel.kernel.sched.process import OnDeath, Processes
from simkernel.kernel.sched.scheduler import ObservedCpus, RunQueue, Scheduler, UnlimitedCpus
from simkernel.kernel.sched.wait import WaitQueue
from simkernel.kernel.syscall.table import SystemCallTable
from simkernel.kernel.time.timer import Timers
from simkernel.kernel.unix.socket_nodes import SocketNodes
from simkernel.kernel.unix.unix import Unix
from simkernel.kernel.vfs.char_dev import CharDevices
from simkernel.kernel.vfs.char_file import CharDevContext
from simkernel.kernel.vfs.file import OpenFile, OpenFiles, SocketFamily
from simkernel.kernel.vfs.filesystem import FileSystems
from simkernel.kernel.vfs.task import Task
from simkernel.kernel.workqueue import Work, WorkQueue, WorkQueues
from simkernel.uapi.socket import AF_NETLINK, AF_UNIX

if TYPE_CHECKING:
    from simkernel.kernel.checked.races import Races


class Kernel:
    """A running kernel. Each of its parts is an attribute. The constructor passes to each part the other
    parts that it uses.
    """

    def __init__(
        self,
        engine: Engine,
        bus: Bus,
        *,
        costs: CostModel,
        cpus: int | None,
        module_path: Sequence[Path],
        unmodelled: str,
        instrumented: bool,
        instruments: Sequence[Instrument],
        checks: Collection[str],
        races: Races | None,
        on_death: OnDeath,
        modprobe: Modprobe,
        faults: Armed | None = None,
    ) -> None:
        self.engine = engine
        self.bus = bus
        self.faults = faults
        """The fault points, at which operations can fail, or None in a machine without fault injection."""
        self.copies = Copies() if instrumented else None
        """The counter of copied bytes (`Copies`). None unless the machine is instrumented."""
        if self.copies is not None:
            costs = attrs.evolve(costs, on_copy=self.copies.add)
        self.plain_costs = costs
        """The cost model for netlink, unix sockets and epoll, which check the fault point `usercopy`
        themselves. The cost model for other parts, `costs`, checks it when a copy is charged.
        """
        if faults is not None:
            costs = attrs.evolve(costs, on_copy=faults.copying(costs.on_copy))
        self.costs = costs

        self.log_readers = WaitQueue("the kernel log")
        self.log = Log(engine, self.log_readers.wake_up)
        self.syslog = Syslog(self.log)
        self.taints = Taints()
        self.reports = Reports(engine, self.log, self.taints)
        """The bugs that checkers have found."""
        self.unmodelled = Unmodelled(self.log, raises=unmodelled == "raise")

        self.namespaces = Namespaces(self._clean_namespace, lambda pid: self.processes.find(pid))
        self.open_files = OpenFiles()
        """The open files of the machine, in the order in which they were opened."""
        self.mappings = self.open_files.mappings
        """The memory mappings (VMAs) of all processes."""
        self.scheduler: Scheduler
        if engine.perturbed:
            from simkernel.kernel.sched import planned

            self.scheduler = planned.scheduler(engine, costs, cpus)
        else:
            unlimited = ObservedCpus if engine.jittered else UnlimitedCpus
            self.scheduler = unlimited(engine, costs) if cpus is None else RunQueue(engine, costs, cpus)
        self.preempt = Preempt(self.reports, self.current)
        self.locking = Locking(self.preempt)
        self.processes: Processes[Task] = Processes(
            engine,
            self.scheduler,
            SystemCallTable(self),
            self.preempt,
            partial(Task, net=self.namespaces.init, open_files=self.open_files),
            self.unmodelled,
            on_death,
            faults,
        )
        if engine.perturbed:
            planned.Pauses(engine, self.preempt, self.processes.runner)

        self.resources = Resources(faults, None if races is None else races.registered)
        self.oopses = Oopses(self.log, self.taints, self.current, lambda: self.processes.runner.closing)
        self.work_queues = WorkQueues(engine, self.oopses, self.resources, self.processes.kthread)
        self.timers = Timers(
            engine, costs, self.preempt, self.oopses, self.resources, self.scheduler.interrupt
        )
        self.dma = DmaMemory(bus.memory, self.resources, faults)
        self.bus_error: Callable[[str], None] = self.log.err
        self.socket_file: Callable[..., OpenFile] = OpenFile
        make_module: Callable[..., LoadedModule] = LoadedModule
        self.interrupts = Interrupts(
            engine,
            bus.interrupts,
            costs,
            self.log,
            self.preempt,
            self.oopses,
            self.resources,
            self.processes.kthread,
            self.scheduler.interrupt,
        )
        self.interrupt: Callable[..., None] = self.interrupts.handle
        """The function that the bus calls to interrupt the CPU. Its arguments are the interrupt line and a
        number of interrupts. The number is 1, except in an interrupt storm, in which one call stands for
        several interrupts.
        """
        if checks:
            from simkernel.kernel.checked import parts

            make_module = parts.install(self, checks, races)
        bus.attach(self)

        self.netlink = Netlink(
            engine,
            self.plain_costs,
            self.namespaces,
            self.log,
            self.processes.exists,
            self._request_module,
            faults,
        )
        self.genetlink = GenericNetlink(self.netlink, self.oopses.guard, races)
        netdev.register(self.genetlink)
        self.rtnl = RtnlMutex(self.preempt, races)
        link_notifier = LinkNotifier()
        self.net_devices = NetDevices(
            engine,
            self.namespaces,
            self.log,
            self.work_queues.system,
            link_notifier,
            NetKobjects(lambda *arguments: self.uevents.send(*arguments)),
        )
        DeviceIoctl(self.net_devices, self._request_module, lambda net: self.rtnetlink.ipv4.ifconf(net))
        self.rtnetlink: RouteNetlink = RouteNetlink(
            self.netlink,
            self.net_devices,
            link_notifier,
            self.unmodelled,
            self.log.warn,
        )
        uevent_sockets = UeventSockets(self.netlink, lambda: self.uevents.next_sequence())
        self.unix = Unix(
            engine,
            self.plain_costs,
            self.unmodelled,
            self.processes.exists,
            SocketNodes(lambda: self.fs),
            faults,
        )
        self.socket_families: dict[int, SocketFamily] = {AF_NETLINK: self.netlink, AF_UNIX: self.unix}

        self.uevents: Uevents = Uevents(engine, self.log, uevent_sockets.broadcast, faults)
        self.namespaces.register_pernet(self.net_devices.enter, self.net_devices.leave)
        binding = Binding(engine, self.log, self.oopses, self.uevents, self.work_queues.system, faults)
        self.devices = DriverCore(self.log, self.locking, self.resources, self.uevents, binding)
        self.simbus = Simbus(
            bus, self.log, self.locking, self.devices, self.interrupts, self.work_queues.system
        )

        self.modules = Modules(
            engine,
            costs,
            self.log,
            self.taints,
            self.oopses,
            self.resources,
            directories=module_path,
            families=FAMILIES,
            instruments=instruments,
            modprobe=modprobe,
            make_module=make_module,
            make_this=partial(ThisModule, self),
            send_uevent=self.uevents.send,
            faults=faults,
        )

    def _request_module(self, name: str) -> Awaitable[int]:
        return self.modules.requests.request(name)

    def _clean_namespace(self, cleanup: Callable[[], None]) -> None:
        self._netns.add(Work(None, "cleanup_net", lambda _: cleanup()))

    @cached_property
    def _netns(self) -> WorkQueue:
        """The work queue that destroys network namespaces (`netns_wq`)."""
        return self.work_queues.allocate(None, "netns", 1)

    def __repr__(self) -> str:
        return f"<Kernel with {len(self.processes)} tasks and {len(list(self.modules))} modules>"

    @cached_property
    def char_devices(self) -> CharDevices:
        """The character devices, created at first use, because many machines have none."""
        context = CharDevContext(
            self.engine, self.costs, self.oopses, self.preempt, self.work_queues.system, self.current
        )
        return CharDevices(context, self.log, self.resources)

    @cached_property
    def fs(self) -> FileSystems:
        """The directory tree, created when a program first uses a path."""
        return mount_all(self)

    def realtime(self) -> int:
        """Return the realtime clock in ns since 1970. A machine is switched on at the start of 1970."""
        return max(self.engine.time(), 0)

    def current(self) -> Task | None:
        """Return the task for which the kernel works now. Return None in interrupts and timers."""
        return self.processes.current

    @property
    def net(self) -> Net:
        """The initial network namespace (`init_net`)."""
        return self.namespaces.init
