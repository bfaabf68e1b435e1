"""/proc/PID: the files of a process (fs/proc/base.c, fs/proc/array.c)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final

from simkernel.kernel.mm.address_space import AddressSpace
from simkernel.kernel.parts import KernelParts
from simkernel.kernel.pseudofs.proc import fd, namespaces, net
from simkernel.kernel.pseudofs.proc.entry import ProcDirectory, ProcFs, ProcInode, ProcLink, ProcText
from simkernel.kernel.sched.task import TaskState
from simkernel.kernel.vfs.inode import Dentry
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.errno import EINVAL, ENOENT, ESRCH, os_error
from simkernel.uapi.poll import POLLIN, POLLRDNORM
from simkernel.uapi.signal import SIG_IGN, SIGCHLD

COMM_LENGTH: Final = 15
NO_TERMINAL: Final = -1
PRIORITY: Final = 20
"""The priority of a task with nice value 0."""
PF_KTHREAD: Final = 0x00200000
RLIM_INFINITY: Final = 2**64 - 1
STATES: Final = {
    TaskState.RUNNING: "R (running)",
    TaskState.SLEEPING: "S (sleeping)",
    TaskState.UNINTERRUPTIBLE: "D (disk sleep)",
    TaskState.IDLE: "I (idle)",
    TaskState.ZOMBIE: "Z (zombie)",
    TaskState.DEAD: "X (dead)",
}
"""The text of each task state (`task_state_array` in fs/proc/array.c)."""


def _set_comm(task: Task, writer: Task, data: bytes) -> int:
    """Set the name of a task to the first 15 bytes of the written text (`comm_write()`).

    Raises EINVAL for another process.
    """
    if writer.tgid != task.tgid:
        raise os_error(EINVAL)
    name = data[:COMM_LENGTH].split(b"\0")[0]
    task.comm = name.decode("utf-8", "surrogateescape")
    return len(data)


def _status(kernel: KernelParts, task: Task) -> list[str]:
    """Return the lines of /proc/PID/status that are modelled (`proc_pid_status()`)."""
    credentials = _alive(task).credentials
    ids = "\t".join
    lines = {
        "Name": task.comm.replace("\\", "\\\\").replace("\n", "\\n"),
        "Umask": f"{task.fs.umask:04o}",
        "State": STATES[task.state],
        "Tgid": task.tgid,
        "Pid": task.pid,
        "PPid": task.parent.tgid if task.parent else 0,
        "Uid": ids([str(credentials.uid)] * 4),
        "Gid": ids([str(credentials.gid)] * 4),
        "Groups": "".join(f"{gid} " for gid in sorted(credentials.groups)) or " ",
        "Threads": len(_threads(kernel, task)),
        "CapEff": f"{sum(1 << number for number in credentials.capabilities):016x}",
    }
    return ["".join(f"{key}:\t{value}\n" for key, value in lines.items())]


def _threads(kernel: KernelParts, task: Task) -> list[Task]:
    return [each for each in kernel.processes if each.tgid == task.tgid]


def _stat(kernel: KernelParts, task: Task) -> list[str]:
    """Return /proc/PID/stat (`do_task_stat()`). Fields that are not modelled are 0.

    The field numbers are those of proc_pid_stat(5).
    """
    signals = _alive(task).signals
    handlers = signals.handlers
    mm = task.mm
    fields = {
        1: task.pid, 2: f"({task.comm})", 3: task.state.value, 4: task.parent.tgid if task.parent else 0,
        8: NO_TERMINAL, 9: PF_KTHREAD * task.kthread, 18: PRIORITY, 20: len(_threads(kernel, task)),
        23: mm.mapped if isinstance(mm, AddressSpace) else 0, 25: RLIM_INFINITY,
        31: _mask(task.signals.pending),
        33: _mask(number for number in handlers if signals.disposition(number) == SIG_IGN),
        34: _mask(number for number in handlers if signals.disposition(number) is None),
        38: SIGCHLD if task.is_leader else -1,
    }  # fmt: skip
    return [" ".join(str(fields.get(number, 0)) for number in range(1, 53)) + "\n"]


def _mask(numbers: Iterable[int]) -> int:
    """Return a mask in which bit N-1 is set for each signal N. Signals above 31 are left out, because
    /proc/PID/stat does not show them.
    """
    return sum(1 << number - 1 for number in numbers if number < 32)


def _mounts(kernel: KernelParts, task: Task) -> list[str]:
    """Return /proc/PID/mounts (`show_vfsmnt()`)."""
    return [
        f"{mount.filesystem.name} {mount.root.path} {mount.filesystem.name} {mount.options} 0 0\n"
        for mount in kernel.fs.mounts
    ]


def _alive(task: Task) -> Task:
    """Return the task, or raise ESRCH if it has been reaped."""
    if task.state is TaskState.DEAD:
        raise os_error(ESRCH)
    return task


def _text(records: Callable[[KernelParts, Task], Sequence[str]], events: int | None = None) -> Make:
    return lambda fs, path, task: ProcText(fs, path, partial(records, fs.kernel, task), task, events=events)


class ExeLink(ProcLink):
    """The symbolic link /proc/PID/exe to the executable file of a process. A program is not a file in
    simkernel, so the target of the link is a deleted memfd, and following the link is not modelled.
    """

    __slots__ = ()

    def follow(self, task: Task) -> Dentry | None:
        self.readlink(task)
        raise self.fs.kernel.unmodelled("the file of a program (/proc/PID/exe) is not modelled", ENOENT)


def _exe(fs: ProcFs, task: Task) -> str:
    """Return the target of the link /proc/PID/exe: `/memfd:NAME (deleted)`. NAME is the initial name of the
    process.

    Raises ENOENT for a kernel thread and a zombie.
    """
    if task.kthread or not task.alive:
        raise os_error(ENOENT)
    return f"/memfd:{fs.kernel.processes.find(task.tgid).track.rpartition('/')[0]} (deleted)"


Make = Callable[[ProcFs, str, Task], ProcInode]
TABLE: Final[Mapping[str, Make]] = {
    "fd": fd.FdDirectory,
    "fdinfo": fd.FdInfoDirectory,
    "net": net.directory,
    "ns": namespaces.directory,
    # the command line of a program consists only of its name; that of a kernel thread is empty
    "cmdline": _text(lambda _, task: ["" if task.kthread else f"{_alive(task).comm}\0"]),
    "comm": lambda fs, path, task: ProcText(
        fs, path, lambda: [f"{_alive(task).comm}\n"], task, 0o644, partial(_set_comm, task), None
    ),
    "status": _text(_status),
    "stat": _text(_stat),
    "cwd": lambda fs, path, task: ProcLink(fs, path, lambda _: (task.fs.cwd or fs.kernel.fs.root).path, task),
    "root": lambda fs, path, task: ProcLink(fs, path, lambda _: "/", task),
    "exe": lambda fs, path, task: ExeLink(fs, path, lambda _: _exe(fs, task), task),
    # poll(2) does not report later mounts and unmounts, unlike `mounts_poll()` of Linux
    "mounts": _text(_mounts, POLLIN | POLLRDNORM),
}
"""The files in the directory of a thread, /proc/PID/task/TID (`tid_base_stuff`). The directory of a process,
/proc/PID, contains files of the same names.
"""


class PidDirectory(ProcDirectory):
    """The directory of a process, or of a thread in /proc/PID/task."""

    __slots__ = ("_makers", "_task")

    def __init__(self, fs: ProcFs, path: str, task: Task, makers: Mapping[str, Make] = TABLE) -> None:
        super().__init__(fs, path, {}, task)
        self._task = task
        self._makers = makers

    def find(self, name: str) -> ProcInode | None:
        make = self._makers.get(name)
        return None if make is None else make(self.fs, f"{self.path}/{name}", self._task)

    def names(self) -> Iterable[str]:
        return self._makers


class TaskDirectory(PidDirectory):
    """The directory /proc/PID/task, with the threads of a process (`proc_task_readdir()`)."""

    __slots__ = ()

    def find(self, name: str) -> ProcInode | None:
        kernel = self.fs.kernel
        path = f"{self.path}/{name}"
        return PidDirectory(self.fs, path, kernel.processes.find(int(name))) if name in self.names() else None

    def names(self) -> Iterable[str]:
        return [str(each.pid) for each in _threads(self.fs.kernel, self._task)]


PROCESS: Final[Mapping[str, Make]] = {**TABLE, "task": TaskDirectory}
"""The files in the directory of a process, /proc/PID: the same names as in the directory of a thread, and the
directory `task` (`tgid_base_stuff`).
"""
