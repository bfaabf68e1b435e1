"""/proc/PID: what there is to know of a process (fs/proc/base.c, fs/proc/array.c)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final

from simkernel.kernel.parts import KernelParts
from simkernel.kernel.pseudofs.proc import fd, net
from simkernel.kernel.pseudofs.proc.entry import ProcDirectory, ProcFs, ProcInode, ProcLink, ProcText
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


def _text(records: Callable[[KernelParts, Task], Sequence[str]]) -> Make:
    return lambda fs, path, task: ProcText(fs, path, partial(records, fs.kernel, task), task)


Make = Callable[[ProcFs, str, Task], ProcInode]
TABLE: Final[Mapping[str, Make]] = {
    "fd": fd.FdDirectory,
    "fdinfo": fd.FdInfoDirectory,
    "net": net.directory,
    # a program has no arguments but its name; a kernel thread has not even that
    "cmdline": _text(lambda _, task: ["" if task.kthread else f"{_alive(task).comm}\0"]),
    "comm": lambda fs, path, task: ProcText(
        fs, path, lambda: [f"{_alive(task).comm}\n"], task, 0o644, partial(_set_comm, task)
    ),
    "status": _text(_status),
    "cwd": lambda fs, path, task: ProcLink(fs, path, lambda _: (task.fs.cwd or fs.kernel.fs.root).path),
    "root": lambda fs, path, task: ProcLink(fs, path, lambda _: "/"),
    "mounts": _text(_mounts),
}


class PidDirectory(ProcDirectory):
    """The directory of a process."""

    __slots__ = ("_task",)

    def __init__(self, fs: ProcFs, task: Task) -> None:
        super().__init__(fs, f"/{task.tgid}", {}, task)
        self._task = task

    def find(self, name: str) -> ProcInode | None:
        make = TABLE.get(name)
        return None if make is None else make(self.fs, f"{self.path}/{name}", self._task)

    def names(self) -> Iterable[str]:
        return TABLE
