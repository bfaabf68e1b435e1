"""Processes: pids, and how processes begin, end and are waited for (fork(2), exit(2), wait(2))."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Generic, Protocol, TypeVar, cast

from simkernel.engine import Call, Engine
from simkernel.kernel.lib.fault import Armed, check_fault
from simkernel.kernel.lib.layers import KERNEL
from simkernel.kernel.lib.unmodelled import Unmodelled
from simkernel.kernel.sched.calls import SystemCalls
from simkernel.kernel.sched.credentials import ROOT, Credentials
from simkernel.kernel.sched.faulty import FaultyRunner
from simkernel.kernel.sched.preempt import Preempt
from simkernel.kernel.sched.rlimit import MAX_THREADS
from simkernel.kernel.sched.runner import Runner
from simkernel.kernel.sched.scheduler import OnWake, Scheduler
from simkernel.kernel.sched.signals import check
from simkernel.kernel.sched.task import OnResult, Program, SchedTask, TaskState
from simkernel.kernel.sched.wait import WaitQueue, sleep_on
from simkernel.uapi import capability
from simkernel.uapi import signal as uapi_signal
from simkernel.uapi.errno import EAGAIN, EINVAL, EPERM, ESRCH, os_error
from simkernel.uapi.resource import RLIMIT_NPROC
from simkernel.uapi.signal import signal_name

T = TypeVar("T", bound=SchedTask)
T_co = TypeVar("T_co", bound=SchedTask, covariant=True)
Begin = Callable[[T], Program]
"""A function that takes a new task and returns the program that the task will run."""
OnDeath = Callable[[SchedTask, BaseException | None], None]
"""A function that is called when a task has ended. Its arguments: the task, and the exception that the task's
program raised, or None.
"""

PRIVILEGED = frozenset({capability.CAP_SYS_RESOURCE, capability.CAP_SYS_ADMIN})
"""Capabilities that exempt a process from RLIMIT_NPROC."""

PID_MAX = 4_194_304
"""Upper limit of pids (PID_MAX_LIMIT, include/linux/threads.h)."""

COMM_LENGTH = 15
"""Maximum length of a task's name (TASK_COMM_LEN without the NUL)."""


class MakeTask(Protocol[T_co]):
    """The factory of a kernel's tasks: a `partial` of the task class, with the arguments that are the same
    for all tasks.
    """

    def __call__(
        self,
        pid: int,
        tgid: int,
        comm: str,
        /,
        *,
        credentials: Credentials,
        parent: SchedTask | None,
        enter: Callable[[Call[Any]], Any],
        on_wake: OnWake,
    ) -> T_co: ...


class Processes(Generic[T]):
    """The tasks of a kernel. `T` is the class of the tasks.

    As on Linux, process 1 is `init` and process 2 is `kthreadd`. Here neither runs a program.  A child of
    `init` is reaped when it ends.
    """

    def __init__(
        self,
        engine: Engine,
        scheduler: Scheduler,
        system_calls: SystemCalls,
        preempt: Preempt,
        make_task: MakeTask[T],
        unmodelled: Unmodelled,
        on_death: OnDeath,
        faults: Armed | None = None,
    ) -> None:
        self._engine = engine
        self._unmodelled = unmodelled
        self._faults = faults
        parts = (engine, scheduler, system_calls, preempt, self._exited)
        self.runner = Runner(*parts) if faults is None else FaultyRunner(faults, *parts)
        self._enter = self.runner.enter
        self._make_task = make_task
        self._on_death = on_death
        self._tasks: dict[int, T] = {}
        self._of_user: Counter[int] = Counter()
        self._last_pid = 0
        self._helpers: dict[SchedTask, WaitQueue] = {}
        self.daemons: set[SchedTask] = set()
        """Tasks that may sleep for ever and hold resources when the run ends. simkernel neither raises
        Deadlock nor reports a leak because of these tasks.
        """
        self.forks = 0
        """Number of tasks created since boot (`total_forks`)."""
        self.failures: list[tuple[SchedTask, BaseException]] = []
        """Exceptions of programs that `Machine.run()` has not raised yet, each with the task of its program.
        """
        self.failed = 0
        """Number of programs that ended with an exception."""
        self.init = self._new("init", ROOT, None)
        self.kthreadd = self._new("kthreadd", ROOT, None)
        self.kthreadd.kthread = True

    def __iter__(self) -> Iterator[T]:
        """Iterate over all tasks that are not reaped, in the order of their pids."""
        return iter(sorted(self._tasks.values(), key=lambda task: task.pid))

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def current(self) -> T | None:
        """The task for which the kernel works now. None in interrupts and timers."""
        return cast("T | None", self.runner.current)

    @property
    def last_pid(self) -> int:
        """The pid of the latest new task."""
        return self._last_pid

    def find(self, pid: int) -> T:
        """Return the task with the pid `pid`.  Raise ESRCH if there is none."""
        task = self._tasks.get(pid)
        if task is None:
            raise os_error(ESRCH)
        return task

    def exists(self, pid: int) -> bool:
        """Return True if a task has the pid `pid`."""
        return pid in self._tasks

    # -- starting -----------------------------------------------------------

    def _new(self, comm: str, credentials: Credentials, parent: SchedTask | None, tgid: int = 0) -> T:
        pid = self._next_pid()
        task = self._make_task(
            pid,
            tgid or pid,
            comm[:COMM_LENGTH],
            credentials=credentials,
            parent=parent,
            enter=self._enter,
            on_wake=self.runner.on_wake,
        )
        self._tasks[pid] = task
        self._of_user[credentials.uid] += 1
        self.forks += 1
        if parent is not None:
            parent.children.append(task)
        if (emit := self._engine.trace.emit) is not None:
            emit(
                "sched_process_fork",
                KERNEL,
                "sched",
                pid=parent.pid if parent else 0,
                child=pid,
                comm=task.comm,
            )
        return task

    def _next_pid(self) -> int:
        pid = self._last_pid
        while True:
            pid = pid + 1 if pid + 1 < PID_MAX else 300  # RESERVED_PIDS: pids below 300 are not reused
            if pid not in self._tasks:
                self._last_pid = pid
                return pid

    def fork(self, parent: T | None, comm: str, *, credentials: Credentials | None = None) -> T:
        """Return a new process that does not run yet. It is a child of `parent` (init if None) and inherits
        from it.

        Raises EAGAIN if the child's user or the machine has too many tasks.
        """
        parent = parent or self.init
        credentials = credentials or parent.credentials
        self._check_limits(parent, credentials)
        # do not inject a fault if a test or a script calls Machine.spawn(), which uses init as the parent
        if parent is not self.init:
            check_fault(self._faults, "kmalloc", what="task")
        child = self._new(comm, credentials, parent)
        child.inherit(parent)
        self._inherit_daemon(parent, child)
        return child

    def clone_thread(self, leader: T, comm: str) -> T:
        """Return a new thread in the process of `leader`.

        Raises EAGAIN if the thread's user or the machine has too many tasks.
        """
        self._check_limits(leader, leader.credentials)
        check_fault(self._faults, "kmalloc", what="task")
        thread = self._new(comm, leader.credentials, leader.parent, leader.tgid)
        thread.share(leader)
        self._inherit_daemon(leader, thread)
        return thread

    def _inherit_daemon(self, parent: T, child: T) -> None:
        """If `parent` is a daemon (a task that may sleep for ever), make `child` a daemon, too."""
        if parent in self.daemons:
            self.daemons.add(child)

    def _check_limits(self, parent: T, credentials: Credentials) -> None:
        """Raise EAGAIN if the machine has threads-max tasks, or if an unprivileged user has RLIMIT_NPROC
        tasks (`copy_process()`).
        """
        if len(self._tasks) >= MAX_THREADS:
            raise os_error(EAGAIN)
        uid, (limit, _) = credentials.uid, parent.signals.limits[RLIMIT_NPROC]
        if (
            self._of_user[uid] >= limit
            and uid != ROOT.uid
            and PRIVILEGED.isdisjoint(credentials.capabilities)
        ):
            raise os_error(EAGAIN)

    def commit_credentials(self, task: T, credentials: Credentials) -> None:
        """Set the credentials of a task, and update the numbers of tasks of its old user and its new user
        (`commit_creds()`).
        """
        self._of_user[task.credentials.uid] -= 1
        self._of_user[credentials.uid] += 1
        task.credentials = credentials

    def start(self, task: T, begin: Begin[T]) -> None:
        """Call `begin(task)` and start the program that it returns. If `begin` raises an exception, remove
        the task.
        """
        try:
            program = begin(task)
        except BaseException:
            task.release()
            self.reap(task)
            raise
        self.runner.start(task, program)

    def serve(self, comm: str, credentials: Credentials, on_result: OnResult) -> T:
        """Create a process for ordinary code (Python code outside the simulation). This code submits the
        process's calls one by one with `Runner.submit`.
        """
        task = self.fork(None, comm, credentials=credentials)
        task.on_result = on_result
        return task

    def kthread(self, name: str, function: Coroutine[Any, Any, Any]) -> T:
        """Create and start a kernel thread that runs the coroutine `function` (`kthread_run()`)."""
        task = self._new(name, ROOT, self.kthreadd)
        task.kthread = True
        self.runner.start(task, function)
        return task

    async def usermode_helper(self, comm: str, begin: Begin[T]) -> int:
        """Run a program as root for the kernel; return its wait status (`call_usermodehelper()`)."""
        task = self._new(comm, ROOT, self.kthreadd)
        self.daemons.add(task)
        ended = self._helpers[task] = WaitQueue(f"{task.track} to end")
        self.start(task, begin)
        while task.alive:
            await sleep_on(ended, interruptible=False)
        return task.exit_status

    # -- signals ------------------------------------------------------------

    def kill(self, sender: SchedTask, pid: int, number: int) -> None:
        """Send a signal to one process (kill(2)).  Signal 0 only checks existence and permission.

        Raises ESRCH, EINVAL or EPERM; the checks are in this order.
        """
        if pid <= 0:
            raise self._unmodelled("a signal to a process group is not modelled", ESRCH)
        target = self.find(pid)
        if number:
            check(number)
        if not self._may_signal(sender, target):
            raise os_error(EPERM)
        if number:
            self.send_signal(target, number)

    @staticmethod
    def _may_signal(sender: SchedTask, target: SchedTask) -> bool:
        """Return True if both tasks belong to the same process or the same user, or if the sender has
        CAP_KILL (`kill_ok_by_cred()`).
        """
        return (
            sender.tgid == target.tgid
            or sender.credentials.uid == target.credentials.uid
            or sender.credentials.capable(capability.CAP_KILL)
        )

    def send_signal(self, target: SchedTask, number: int) -> None:
        """Make a signal pending for the task `target`. If the task is in an interruptible sleep, end the
        sleep.

        Kernel threads and init ignore all signals.
        """
        if not target.alive or target.kthread or target in (self.init, self.kthreadd):
            return
        if target.signals.stops(number):
            raise self._unmodelled(f"stopping a process ({signal_name(number)}) is not modelled", EINVAL)
        if (emit := self._engine.trace.emit) is not None:
            emit("signal_generate", KERNEL, "sched", pid=target.pid, comm=target.comm, signal=number)
        if target.signals.send(number):
            self.runner.interrupt_sleep(target)

    # -- ending -------------------------------------------------------------

    def end_all(self) -> None:
        """End all tasks in pid order, to switch the machine off.

        The end of a task may start another one: closing a socket may start a driver's worker.  A program's
        KeyboardInterrupt is raised after all tasks have ended.
        """
        stay = (self.init, self.kthreadd)
        interrupts: list[KeyboardInterrupt] = []
        while ending := [task for task in self if task.alive and task not in stay]:
            for task in ending:
                if task.alive:
                    self.runner.end(task, 0)
                if isinstance(task.failure, KeyboardInterrupt):
                    interrupts.append(task.failure)
        if interrupts:
            raise interrupts[0]

    def _exited(self, task: SchedTask, status: int, failure: BaseException | None, group: bool) -> None:
        """Release the resources of an ended task and notify its parent. If the whole process ends, end its
        other threads (`do_exit()`).

        A process ends with its first thread, or with any thread that ends the whole `group`
        (`do_group_exit()`).
        """
        task.exit_status = status
        task.failure = failure
        task.state = TaskState.ZOMBIE
        task.alive = False
        if failure is not None:
            self.fail(task, failure)
        threads_left = task.release()
        if (emit := self._engine.trace.emit) is not None:
            emit("sched_process_exit", KERNEL, "sched", pid=task.pid, comm=task.comm, status=status)
        self._on_death(task, failure)
        if threads_left and (task.is_leader or group):
            self._end_threads(task, status)
        self._orphan(task)
        self._notify_parent(task)
        if (helper := self._helpers.pop(task, None)) is not None:
            helper.wake_up_all()

    def fail(self, task: SchedTask, failure: BaseException) -> None:
        """Record the exception of a program. `Machine.run()` raises it later.

        A KeyboardInterrupt is raised on its own, before the next event.
        """
        self.failed += 1
        if isinstance(failure, KeyboardInterrupt):
            self._engine.interrupt(failure)
        else:
            self.failures.append((task, failure))

    def _end_threads(self, task: SchedTask, status: int) -> None:
        """End the other threads of a process (`zap_other_threads()`).

        A thread that is in the kernel gets SIGKILL, and ends when its system call ends.
        """
        for thread in [each for each in self if each.tgid == task.tgid]:
            if thread.frame is not None or thread in self.runner.paused:
                thread.signals.exit_status = status
                self.send_signal(thread, uapi_signal.SIGKILL)
            elif thread.alive:
                self.runner.end(thread, status)

    def _orphan(self, task: SchedTask) -> None:
        """Make init the parent of a task's children, and reap the children that have already ended
        (`forget_original_parent()`).
        """
        for child in task.children:
            child.parent = self.init
            self.init.children.append(child)
            if child.state is TaskState.ZOMBIE:
                self.reap(child)
        task.children.clear()

    def _notify_parent(self, task: SchedTask) -> None:
        """Wake the parent of an ended process and send it SIGCHLD (`do_notify_parent()`). If the parent
        ignores SIGCHLD, reap the process instead of sending the signal.

        Threads other than the leader, and children of init and kthreadd, are only reaped.
        """
        parent = task.parent
        if parent is None or not task.is_leader or parent in (self.init, self.kthreadd):
            self.reap(task)
            return
        if parent.signals.disposition(uapi_signal.SIGCHLD) == uapi_signal.SIG_IGN:
            self.reap(task)
        else:
            self.send_signal(parent, uapi_signal.SIGCHLD)
        parent.wait_child.wake_up()

    def reap(self, task: SchedTask) -> None:
        """Remove an ended task, so that its pid is free again (`release_task()`)."""
        task.state = TaskState.DEAD
        self.daemons.discard(task)
        if self._tasks.pop(task.pid, None) is not None:
            self._of_user[task.credentials.uid] -= 1
        if task.parent is not None and task in task.parent.children:
            task.parent.children.remove(task)
