"""The root of procfs: files about the kernel, and a directory for each process (fs/proc/root.c)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from simkernel.engine import SECOND
from simkernel.kernel.parts import KernelParts
from simkernel.kernel.pseudofs.proc import listings, pid, sysctl
from simkernel.kernel.pseudofs.proc.entry import Entry, ProcDirectory, ProcFs, ProcInode, ProcLink, ProcText
from simkernel.kernel.pseudofs.proc.fd import is_number
from simkernel.kernel.pseudofs.proc.kmsg import KmsgInode
from simkernel.kernel.pseudofs.proc.loadavg import LoadAverages
from simkernel.kernel.vfs.inode import Dentry
from simkernel.uapi.version import UTS_RELEASE, UTS_VERSION

VERSION = f"Linux version {UTS_RELEASE} (simkernel@simkernel) {UTS_VERSION}\n"
"""The text of /proc/version (`linux_proc_banner`)."""
FILESYSTEMS: Final = [f"nodev\t{name}\n" for name in ("sysfs", "tmpfs", "proc", "devtmpfs")]
"""Lines of /proc/filesystems.

None of the listed file systems needs a device, so each line begins with nodev.
"""


def _uptime(kernel: KernelParts) -> list[str]:
    """Return the contents of /proc/uptime: the seconds since boot, and 0 for the idle time of the CPUs, which
    is not counted.
    """
    now = max(kernel.engine.time(), 0)
    return [f"{now // SECOND}.{now % SECOND // 10_000_000:02d} 0.00\n"]


def mount(kernel: KernelParts, device: int) -> Dentry:
    """Create the procfs of a machine and return its root directory."""

    def text(records: Callable[[KernelParts], Sequence[str]]) -> Entry:
        return partial(ProcText, records=partial(records, kernel))

    table: dict[str, Entry] = {
        "devices": text(listings.devices),
        "filesystems": text(lambda _: FILESYSTEMS),
        "interrupts": text(listings.interrupts),
        "kmsg": KmsgInode,
        "loadavg": text(LoadAverages().records),
        "modules": text(listings.modules),
        "mounts": partial(ProcLink, target=lambda _: "self/mounts"),
        "net": partial(ProcLink, target=lambda _: "self/net"),
        "self": partial(ProcLink, target=lambda task: str(task.tgid)),
        "sys": partial(ProcDirectory, table={"kernel": partial(ProcDirectory, table=sysctl.table(kernel))}),
        "thread-self": partial(ProcLink, target=lambda task: f"{task.tgid}/task/{task.pid}"),
        "uptime": text(_uptime),
        "version": text(lambda _: [VERSION]),
    }
    return Dentry("/", None, RootDirectory(ProcFs(kernel, device), "", table))


class RootDirectory(ProcDirectory):
    """The directory /proc: entries with fixed names, such as `uptime`, and a directory for each process."""

    __slots__ = ()

    def find(self, name: str) -> ProcInode | None:
        found = super().find(name)
        if found is not None or not is_number(name):
            return found
        try:
            process = self.fs.kernel.processes.find(int(name))
        except OSError:
            return None
        return pid.PidDirectory(self.fs, f"/{name}", process, pid.PROCESS)

    def names(self) -> Iterator[str]:
        yield from super().names()
        yield from (str(each.pid) for each in self.fs.kernel.processes if each.is_leader)
