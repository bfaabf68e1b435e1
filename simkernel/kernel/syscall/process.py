"""System calls about tasks: identity, credentials, child processes, signals, sleep, namespaces."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, Final, Protocol

from attrs import evolve

from simkernel.kernel.net.nsfs import net_by_fd
from simkernel.kernel.parts import KernelParts
from simkernel.kernel.sched.credentials import NONE
from simkernel.kernel.sched.rlimit import NR_OPEN, Limit
from simkernel.kernel.sched.signals import Handler
from simkernel.kernel.sched.task import Program, TaskState
from simkernel.kernel.sched.validation import Exited
from simkernel.kernel.sched.wait import sleep_on
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.capability import CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN, CAP_SYS_RESOURCE
from simkernel.uapi.errno import ECHILD, EINVAL, EPERM, os_error
from simkernel.uapi.resource import RLIM_NLIMITS, RLIMIT_NOFILE
from simkernel.uapi.sched import CLONE_NEWNET
from simkernel.uapi.wait import WNOHANG

NGROUPS_MAX: Final = 65536
"""Maximum number of supplementary groups of a process (include/uapi/linux/limits.h)."""
NO_GROUP: Final = 0xFFFFFFFF
"""The user or group id -1, which is invalid (INVALID_UID, INVALID_GID)."""


class Image(Protocol):
    """A program that a task can run. `comm` is the program's name, and `begin(task)` returns the coroutine or
    the greenlet that runs the program in `task`.
    """

    comm: str

    def begin(self, task: Task) -> Program: ...


class ProcessCalls:
    """Handlers of system calls about tasks."""

    def __init__(self, kernel: KernelParts) -> None:
        self._kernel = kernel
        self._engine = kernel.engine

    # -- identity -----------------------------------------------------------

    def getpid(self, task: Task) -> int:
        """Return the process id, which is the id of the thread group (getpid(2))."""
        return task.tgid

    def gettid(self, task: Task) -> int:
        """Return the thread id (gettid(2))."""
        return task.pid

    def getppid(self, task: Task) -> int:
        """Return the process id of the parent (getppid(2))."""
        return task.parent.tgid if task.parent else 0

    def getuid(self, task: Task) -> int:
        """Return the user id (getuid(2))."""
        return task.credentials.uid

    def getgid(self, task: Task) -> int:
        """Return the group id (getgid(2))."""
        return task.credentials.gid

    def setuid(self, task: Task, uid: int) -> None:
        """Set the user id (setuid(2)).

        Root loses all capabilities if it becomes another user (capabilities(7)).

        Raise EINVAL for the invalid id -1, and EPERM if the id changes and the task lacks CAP_SETUID.
        """
        old = task.credentials
        if not 0 <= uid < NO_GROUP:
            raise os_error(EINVAL)
        if uid != old.uid and not old.capable(CAP_SETUID):
            raise os_error(EPERM)
        capabilities = NONE if old.uid == 0 and uid != 0 else old.capabilities
        new = evolve(old, uid=uid, capabilities=capabilities)
        self._kernel.processes.commit_credentials(task, new)

    def setgid(self, task: Task, gid: int) -> None:
        """Set the group id (setgid(2)). Raise EINVAL for the invalid id -1, and EPERM if the id changes and
        the task lacks CAP_SETGID.
        """
        old = task.credentials
        if not 0 <= gid < NO_GROUP:
            raise os_error(EINVAL)
        if gid != old.gid and not old.capable(CAP_SETGID):
            raise os_error(EPERM)
        task.credentials = evolve(old, gid=gid)

    def getgroups(self, task: Task) -> list[int]:
        """Return the supplementary groups in ascending order (getgroups(2))."""
        return sorted(task.credentials.groups)

    def setgroups(self, task: Task, groups: Sequence[int]) -> None:
        """Set the supplementary groups (setgroups(2)).

        Raises EPERM without CAP_SETGID, EINVAL for too many groups or an invalid id.
        """
        if not task.credentials.capable(CAP_SETGID):
            raise os_error(EPERM)
        if len(groups) > NGROUPS_MAX or not all(0 <= gid < NO_GROUP for gid in groups):
            raise os_error(EINVAL)
        task.credentials = evolve(task.credentials, groups=frozenset(groups))

    def capset(self, task: Task, capabilities: frozenset[int]) -> None:
        """Drop all capabilities that are not in `capabilities` (capset(2)).

        EPERM if the task lacks one of them.
        """
        if not capabilities <= task.credentials.capabilities:
            raise os_error(EPERM)
        task.credentials = evolve(task.credentials, capabilities=capabilities)

    def prctl_comm(self, task: Task, comm: str) -> None:
        """Set the name of the thread, truncated to 15 characters (prctl(2) with PR_SET_NAME)."""
        task.comm = comm[:15]

    def prlimit(self, task: Task, resource: int, limits: Limit | None = None) -> Limit:
        """Return the (soft, hard) limit of the caller for RLIMIT_NOFILE or RLIMIT_NPROC. If `limits` is
        given, set it as the new limit, and return the old one (prlimit(2)).

        Raises EINVAL if the soft limit is above the hard limit.  Raises EPERM if the caller raises the
        hard limit without CAP_SYS_RESOURCE, or raises RLIMIT_NOFILE above `NR_OPEN`.
        """
        if not 0 <= resource < RLIM_NLIMITS:
            raise os_error(EINVAL)
        if resource not in task.signals.limits:
            raise self._kernel.unmodelled(f"resource limit {resource} is not modelled", EINVAL)
        old = task.signals.limits[resource]
        if limits is not None:
            soft, hard = limits
            if soft > hard:
                raise os_error(EINVAL)
            if resource == RLIMIT_NOFILE and hard > NR_OPEN:
                raise os_error(EPERM)
            if hard > old[1] and not task.credentials.capable(CAP_SYS_RESOURCE):
                raise os_error(EPERM)
            task.signals.set_limit(resource, limits)
            if resource == RLIMIT_NOFILE:
                task.files.limit = soft
        return old

    # -- starting and ending --------------------------------------------------

    def fork(self, task: Task, image: Image) -> int:
        """Create a child that runs `image` and has copies of all descriptors of the caller. Return the pid of
        the child (fork(2)).
        """
        child = self._kernel.processes.fork(task, image.comm)
        self._charge_start(child, image, self._kernel.costs.fork)
        return child.pid

    def fork_exec(self, task: Task, image: Image) -> int:
        """Create a child that runs `image`, and return its pid (fork(2) and execve(2) in one call)."""
        child = self._kernel.processes.fork(task, image.comm)
        child.files.exec()
        self._charge_start(child, image, self._kernel.costs.fork + self._kernel.costs.exec)
        return child.pid

    def clone_thread(self, task: Task, image: Image) -> int:
        """Create a thread that runs `image`, and return its tid (clone(2) with CLONE_THREAD)."""
        thread = self._kernel.processes.clone_thread(task, image.comm)
        self._charge_start(thread, image, self._kernel.costs.thread)
        return thread.pid

    def _charge_start(self, task: Task, image: Image, ns: int) -> None:
        self._engine.charge(ns)
        self._kernel.processes.start(task, image.begin)

    def exit(self, task: Task, code: int = 0) -> None:
        """End the process with all of its threads (_exit(2))."""
        raise Exited((code & 0xFF) << 8)

    def wait4(
        self, task: Task, pid: int = -1, options: int = 0
    ) -> tuple[int, int] | Coroutine[Any, Any, tuple[int, int]]:
        """Wait until a child ends, and return (pid, status) (wait4(2)). Raise ECHILD if the task has no
        matching child.

        With WNOHANG, return (0, 0) if no child has ended.
        """
        if options & ~WNOHANG:
            raise self._kernel.unmodelled(f"wait4 options {options:#x} are not modelled", EINVAL)
        if pid == 0 or pid < -1:
            raise self._kernel.unmodelled("wait4 for a process group is not modelled", ECHILD)
        found = self._reap(task, pid)
        if found is not None:
            return found
        if options & WNOHANG:
            return (0, 0)
        return self._wait(task, pid)

    async def _wait(self, task: Task, pid: int) -> tuple[int, int]:
        while True:
            try:
                await sleep_on(task.wait_child)
            except InterruptedError:
                # The signal may be the SIGCHLD of a child that has ended. Then wait4(2) returns this child
                # and not EINTR (`do_wait()`).
                if (found := self._reap(task, pid)) is not None:
                    return found
                raise
            if (found := self._reap(task, pid)) is not None:
                return found

    def _reap(self, task: Task, pid: int) -> tuple[int, int] | None:
        children = [child for child in task.children if child.is_leader and pid in (-1, child.pid)]
        if not children:
            raise os_error(ECHILD)
        for child in children:
            if child.state is TaskState.ZOMBIE:
                self._kernel.processes.reap(child)
                return (child.pid, child.exit_status)
        return None

    # -- signals ------------------------------------------------------------

    def kill(self, task: Task, pid: int, number: int) -> None:
        """Send a signal to a process (kill(2))."""
        self._kernel.processes.kill(task, pid, number)

    def rt_sigaction(self, task: Task, number: int, handler: Handler) -> Handler:
        """Set the handler of a signal and return the old one (sigaction(2)).

        It works without SA_RESTART: the signal interrupts a sleeping call.
        """
        return task.signals.set_handler(number, handler)

    # -- time ---------------------------------------------------------------

    def sched_yield(self, task: Task) -> None:
        """Move the task to the end of the run queue (sched_yield(2))."""
        self._kernel.scheduler.yield_cpu(task)

    def nanosleep(self, task: Task, ns: int) -> Coroutine[Any, Any, None]:
        """Sleep for `ns` nanoseconds (clock_nanosleep(2)). Raise EINTR if a signal arrives."""
        return _sleep_until(self._engine.time() + ns)

    # -- namespaces -----------------------------------------------------------

    def unshare(self, task: Task, flags: int) -> None:
        """Move the caller to a new network namespace (unshare(2) with CLONE_NEWNET).

        EPERM without CAP_SYS_ADMIN.
        """
        if flags != CLONE_NEWNET:
            raise self._kernel.unmodelled(f"unshare flags {flags:#x} are not modelled", EINVAL)
        if not task.credentials.capable(CAP_SYS_ADMIN):
            raise os_error(EPERM)
        net = self._kernel.namespaces.create()
        task.switch_net(net)
        net.put()

    def setns(self, task: Task, fd: int, nstype: int = 0) -> None:
        """Move the task to the network namespace that a descriptor refers to (setns(2)).

        Raises EBADF, EINVAL for another kind of file or namespace, EPERM without CAP_SYS_ADMIN.
        """
        net = net_by_fd(task, fd)
        if nstype not in (0, CLONE_NEWNET):
            raise os_error(EINVAL)
        if not task.credentials.capable(CAP_SYS_ADMIN):
            raise os_error(EPERM)
        task.switch_net(net)


async def _sleep_until(deadline: int) -> None:
    await sleep_on(deadline=deadline)
