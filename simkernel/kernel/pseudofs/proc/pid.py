"""/proc/PID: what there is to know of a process (fs/proc/base.c, fs/proc/array.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simkernel.kernel.pseudofs.proc import fd, net
from simkernel.kernel.pseudofs.proc.entry import Link, ProcDirectory, Table, Text
from simkernel.kernel.sched.task import State
from simkernel.kernel.vfs.seq_file import Records, Store
from simkernel.uapi import stat
from simkernel.uapi.errno import EINVAL, ESRCH, os_error

if TYPE_CHECKING:
    from simkernel.kernel.kernel import Kernel
    from simkernel.kernel.pseudofs.proc.root import ProcFs
    from simkernel.kernel.vfs.task import Task

COMM_LENGTH: Final = 15
STATES: Final = {
    State.RUNNING: "R (running)",
    State.SLEEPING: "S (sleeping)",
    State.UNINTERRUPTIBLE: "D (disk sleep)",
    State.ZOMBIE: "Z (zombie)",
    State.DEAD: "X (dead)",
}
"""task_state_array of fs/proc/array.c."""


def _comm(kernel: Kernel, task: Task) -> Records:
    """`comm_show()`."""
    return lambda: (f"{_alive(task).comm}\n",)


def _set_comm(kernel: Kernel, task: Task) -> Store:
    """`comm_write()`: what is longer is cut.  EINVAL for another process's."""

    def store(writer: Task, data: bytes) -> int:
        if writer.tgid != task.tgid:
            raise os_error(EINVAL)
        name = data[:COMM_LENGTH].split(b"\0")[0]
        task.comm = name.decode("utf-8", "surrogateescape").removesuffix("\n")
        return len(data)

    return store


def _status(kernel: Kernel, task: Task) -> Records:
    """The lines of `proc_pid_status()` of which something is known here."""

    def records() -> tuple[str]:
        credentials = _alive(task).credentials
        ids = "\t".join
        capabilities = sum(1 << number for number in credentials.capabilities)
        threads = sum(each.tgid == task.tgid for each in kernel.processes)
        lines = {
            "Name": task.comm,
            "Umask": f"{task.fs.umask:04o}",
            "State": STATES[task.state],
            "Tgid": task.tgid,
            "Pid": task.pid,
            "PPid": task.parent.tgid if task.parent else 0,
            "Uid": ids([str(credentials.uid)] * 4),
            "Gid": ids([str(credentials.gid)] * 4),
            "Groups": "".join(f"{gid} " for gid in sorted(credentials.groups)) or " ",
            "Threads": threads,
            "CapEff": f"{capabilities:016x}",
        }
        return ("".join(f"{key}:\t{value}\n" for key, value in lines.items()),)

    return records


def _cmdline(kernel: Kernel, task: Task) -> Records:
    """A program has no arguments but its name; a kernel thread has not even that."""
    return lambda: ("" if task.kthread else f"{_alive(task).comm}\0",)


def _mounts(kernel: Kernel, task: Task) -> Records:
    """`show_vfsmnt()`."""
    return lambda: [
        f"{mount.filesystem.name} {mount.root.path} {mount.filesystem.name} {mount.options} 0 0\n"
        for mount in kernel.fs.mounts
    ]


def _alive(task: Task) -> Task:
    """ESRCH for what was told of a process that is gone."""
    if task.state is State.DEAD:
        raise os_error(ESRCH)
    return task


TABLE: Final[Table] = {
    "fd": fd.directory,
    "fdinfo": fd.info_directory,
    "net": net.directory,
    "cmdline": Text(_cmdline),
    "comm": Text(_comm, stat.S_IFREG | 0o644, _set_comm),
    "status": Text(_status),
    "cwd": Link(fd.cwd),
    "root": Link(lambda kernel, task: "/"),
    "mounts": Text(_mounts),
}


def directory(fs: ProcFs, task: Task) -> ProcDirectory:
    """A process's directory."""
    return ProcDirectory(fs, f"/{task.tgid}", TABLE, task)
