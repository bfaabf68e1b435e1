"""A task with the resources of its process: files, working directory, memory, network namespace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Generic, Self, TypeVar

import attrs

from simkernel.engine import Call
from simkernel.kernel.mm.address_space import AddressSpace
from simkernel.kernel.mm.uaccess import UserMemory
from simkernel.kernel.sched.credentials import Credentials
from simkernel.kernel.sched.scheduler import OnWake
from simkernel.kernel.sched.task import SchedTask
from simkernel.kernel.vfs.fdtable import FileTable

UMASK: Final = 0o022
"""The umask of a process that does not inherit one."""


D = TypeVar("D")


@attrs.define(eq=False)
class FsContext(Generic[D]):
    """Working directory, umask and root directory of a process (`struct fs_struct`).

    `cwd` is None if it is the root directory. `root` is None if it is the machine's root.
    """

    cwd: D | None = None
    umask: int = UMASK
    root: D | None = None

    def copy(self) -> FsContext[D]:
        """Return a copy for a child process (`copy_fs_struct()`)."""
        return FsContext(self.cwd, self.umask, self.root)


class NetNamespace:
    """The reference count of a network namespace. The subclass `Net` in kernel/net/device.py has the rest.

    `users` counts the tasks, sockets and descriptors that hold the namespace (`ns.count`).
    """

    __slots__ = ("users",)

    def __init__(self) -> None:
        self.users = 0

    def get(self) -> Self:
        """Take a reference to the namespace (`get_net()`)."""
        self.users += 1
        return self

    def put(self) -> None:
        """Drop a reference to the namespace. If it is the last one, destroy the namespace (`put_net()`)."""
        self.users -= 1
        if not self.users:
            self.destroy()

    def destroy(self) -> None:
        """Called after the last reference to the namespace was dropped. The subclass `Net` destroys the
        namespace here.
        """


class Task(SchedTask):
    """A thread of execution with the resources of its process. All threads of the process share these
    resources.

    A new task has an empty file table and is in the network namespace `net`.  Its memory and its
    `FsContext` are created at first use, because most tasks never need them.

    The layers do not allow this module to import `OpenFile` and `Dentry`, the types in `files` and `fs`.
    So operations of files and inodes get the calling task as an argument.  `open_files` are those of the
    whole machine.
    """

    __slots__ = ("_fs", "_mm", "files", "net")

    def __init__(
        self,
        pid: int,
        tgid: int,
        comm: str,
        *,
        credentials: Credentials,
        parent: SchedTask | None,
        enter: Callable[[Call[Any]], Any],
        on_wake: OnWake,
        net: NetNamespace,
        open_files: Any,
    ) -> None:
        super().__init__(
            pid, tgid, comm, credentials=credentials, parent=parent, enter=enter, on_wake=on_wake
        )
        self.files: FileTable[Any] = FileTable(open_files)
        self.net = net.get()
        self._mm: UserMemory | None = None
        self._fs: FsContext[Any] | None = None

    @property
    def mm(self) -> UserMemory:
        """The memory of the process."""
        if self._mm is None:
            self._mm = AddressSpace(self.files.machine.mappings)
        return self._mm

    @mm.setter
    def mm(self, mm: UserMemory) -> None:
        self._mm = mm

    @property
    def fs(self) -> FsContext[Any]:
        """Root directory, working directory and umask of the process."""
        if self._fs is None:
            self._fs = FsContext()
        return self._fs

    def inherit(self, parent: Self) -> None:
        super().inherit(parent)
        self.files = parent.files.copy()
        self.switch_net(parent.net)
        if parent._fs is not None:
            self._fs = parent._fs.copy()

    def share(self, leader: Self) -> None:
        super().share(leader)
        self.files = leader.files
        self.files.users += 1
        self.switch_net(leader.net)
        self._mm = leader.mm
        self._fs = leader.fs

    def switch_net(self, net: NetNamespace) -> None:
        """Move the task to the network namespace `net` (`switch_task_namespaces()`)."""
        net.get()
        self.net.put()
        self.net = net

    def release(self) -> bool:
        self.files.users -= 1
        if not self.files.users:
            if isinstance(self._mm, AddressSpace):
                self._mm.clear()
            self.files.close_all()
        self.net.put()
        return self.files.users > 0
