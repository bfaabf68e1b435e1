"""/proc itself: what is told of the kernel, and a directory for each process (fs/proc/root.c)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from simkernel.engine import SECOND
from simkernel.kernel.pseudofs.proc import devices, interrupts, kmsg, loadavg, modules, pid
from simkernel.kernel.pseudofs.proc.entry import Link, ProcDirectory, ProcInode, Table, listing, whole
from simkernel.kernel.pseudofs.proc.fd import is_number
from simkernel.kernel.vfs.dentry import Dentry
from simkernel.kernel.vfs.superblock import SuperBlock
from simkernel.uapi.version import UTS_RELEASE, UTS_VERSION

if TYPE_CHECKING:
    from simkernel.kernel.kernel import Kernel
    from simkernel.kernel.vfs.task import Task


def _version(kernel: Kernel) -> str:
    """linux_proc_banner."""
    return f"Linux version {UTS_RELEASE} (simkernel@simkernel) {UTS_VERSION}\n"


def _uptime(kernel: Kernel) -> str:
    """Seconds since boot, and how long CPUs were idle: nobody counts that, so it is 0."""
    now = max(kernel.engine.time(), 0)
    return f"{now // SECOND}.{now % SECOND // 10_000_000:02d} 0.00\n"


def _filesystems(kernel: Kernel) -> list[str]:
    """Those that there are, none of which wants a device (`filesystems_proc_show()`)."""
    return [f"nodev\t{name}\n" for name in ("sysfs", "tmpfs", "proc", "devtmpfs")]


TABLE: Final[Table] = {
    "devices": listing(devices.records),
    "filesystems": listing(_filesystems),
    "interrupts": listing(interrupts.records),
    "kmsg": kmsg.make,
    "loadavg": whole(loadavg.text),
    "modules": listing(modules.records),
    "mounts": Link(lambda kernel, task: "self/mounts"),
    "net": Link(lambda kernel, task: "self/net"),
    "self": Link(lambda kernel, task: str(task.tgid)),
    "uptime": whole(_uptime),
    "version": whole(_version),
}


class ProcFs(SuperBlock):
    """The file system at /proc."""

    __slots__ = ("kernel", "root")

    def __init__(self, kernel: Kernel, device: int) -> None:
        super().__init__("proc", device, kernel.realtime)
        self.kernel = kernel
        self.root = Dentry("/", None, RootDirectory(self, "", TABLE))


class RootDirectory(ProcDirectory):
    """/proc."""

    __slots__ = ()

    def find(self, task: Task, name: str) -> ProcInode | None:
        """An entry of the table, or a process."""
        found = super().find(task, name)
        if found is not None or not is_number(name):
            return found
        try:
            process = self.fs.kernel.processes.find(int(name))
        except OSError:
            return None
        return pid.directory(self.fs, process)

    def names(self, task: Task) -> Iterator[str]:
        """The table, then the processes."""
        yield from super().names(task)
        yield from (str(each.pid) for each in self.fs.kernel.processes if each.is_leader)
