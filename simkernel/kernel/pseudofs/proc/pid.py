"""/proc/PID: what there is to know of a process (fs/proc/base.c, fs/proc/array.c)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from simkernel.kernel.parts import KernelParts
from simkernel.kernel.pseudofs.proc import fd, net
from simkernel.kernel.pseudofs.proc.entry import ProcDirectory, ProcFs, ProcLink, ProcText, Table
from simkernel.kernel.sched.task import TaskState
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.errno import EINVAL, ESRCH, os_error

COMM_LENGTH: Final = 15
STATES: Final = {
    TaskState.RUNNING: "R (running)",
    TaskState.SLEEPING: "S (sleeping)",
    TaskState.UNINTERRUPTIBLE: "D (disk sleep)",
    TaskState.ZOMBIE: "Z (zombie)",
    TaskState.DEAD: "X (dead)",
}
"""task_state_array of fs/proc/array.c."""


def _set_comm(task: Task, writer: Task, data: bytes) -> int:
    """`comm_write()`: what is longer is cut.  EINVAL for another process's."""
    if writer.tgid != task.tgid:
        raise os_error(EINVAL)
    name = data[:COMM_LENGTH].split(b"\0")[0]
    task.comm = name.decode("utf-8", "surrogateescape").removesuffix("\n")
    return len(data)


def _status(kernel: KernelParts, task: Task) -> list[str]:
    """The lines of `proc_pid_status()` of which something is known here."""
    credentials = _alive(task).credentials
    ids = "\t".join
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
        "Threads": sum(each.tgid == task.tgid for each in kernel.processes),
        "CapEff": f"{sum(1 << number for number in credentials.capabilities):016x}",
    }
    return ["".join(f"{key}:\t{value}\n" for key, value in lines.items())]


def _mounts(kernel: KernelParts, task: Task) -> list[str]:
    """`show_vfsmnt()`."""
    return [
        f"{mount.filesystem.name} {mount.root.path} {mount.filesystem.name} {mount.options} 0 0\n"
        for mount in kernel.fs.mounts
    ]


def _alive(task: Task) -> Task:
    """ESRCH for what was told of a process that is gone."""
    if task.state is TaskState.DEAD:
        raise os_error(ESRCH)
    return task


def directory(fs: ProcFs, task: Task) -> ProcDirectory:
    """A process's directory."""
    kernel = fs.kernel

    def text(records: Callable[[KernelParts, Task], Sequence[str]]) -> partial[ProcText]:
        return partial(ProcText, records=partial(records, kernel, task), owner=task)

    def cwd(_: Task) -> str:
        return (task.fs.cwd or kernel.fs.root).path

    table: Table = {
        "fd": partial(fd.FdDirectory, owner=task),
        "fdinfo": partial(fd.FdInfoDirectory, owner=task),
        "net": partial(net.directory, owner=task),
        # a program has no arguments but its name; a kernel thread has not even that
        "cmdline": text(lambda _, task: ["" if task.kthread else f"{_alive(task).comm}\0"]),
        "comm": partial(
            text(lambda _, task: [f"{_alive(task).comm}\n"]), mode=0o644, store=partial(_set_comm, task)
        ),
        "status": text(_status),
        "cwd": partial(ProcLink, target=cwd),
        "root": partial(ProcLink, target=lambda _: "/"),
        "mounts": text(_mounts),
    }
    return ProcDirectory(fs, f"/{task.tgid}", table, task)
