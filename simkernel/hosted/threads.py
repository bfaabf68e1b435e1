"""The `_thread` module of a hosted program: threads and locks.  The program's `threading` module is based on
it.

A thread is a plain function that runs as a thread of the simulated process.  It is not preempted: other
threads run only while it is in a system call.  A lock that is held blocks in futex(2), as on Linux; a free
lock makes no system call.  Names, arguments and results are those of Modules/_threadmodule.c.
"""

from __future__ import annotations

import _thread as real
import signal
from collections.abc import Callable
from contextlib import nullcontext, suppress
from contextvars import Context
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, NoReturn

from simkernel.application.arguments import timeout as nanoseconds
from simkernel.engine import SimulationError
from simkernel.hosted.calls import ProcessCalls, module, numbered
from simkernel.hosted.importing import Importer
from simkernel.hosted.thread_state import installed
from simkernel.uapi.futex import FUTEX_WAIT_PRIVATE, FUTEX_WAKE_PRIVATE, FutexWord

if TYPE_CHECKING:
    from simkernel.blocking.process import Blocking
    from simkernel.hosted import Hosted

FROM_PYTHON: Final = ("_ExceptHookArgs",)


class Lock(FutexWord):
    """The class `_thread.lock` of hosted programs. `ThreadFunctions` makes a subclass for each process."""

    _call: ProcessCalls
    _waiting = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Acquire the lock.  If it is held, wait until it is free, but at most `timeout` seconds.  Return
        False if the timeout expires.

        If `blocking` is false, return False immediately if the lock is held.
        """
        if not blocking and timeout != -1:
            raise ValueError("can't specify a timeout for a non-blocking call")
        if timeout < 0 and timeout != -1:
            raise ValueError("timeout value must be a non-negative number")
        if timeout > real.TIMEOUT_MAX:
            raise OverflowError("timeout value is too large")
        clock = self._call.process.monotonic_ns
        left = (nanoseconds(timeout) or 0) if blocking and timeout != -1 else None
        end = 0 if left is None else clock() + left
        while self.value:
            if not blocking or (left is not None and left <= 0):
                return False
            self._waiting += 1
            try:
                with suppress(BlockingIOError, InterruptedError, TimeoutError):
                    self._call("futex", self, FUTEX_WAIT_PRIVATE, 1, *(() if left is None else (left,)))
            finally:
                self._waiting -= 1
            if left is not None:
                left = end - clock()
        self.value = 1
        return True

    acquire_lock = __enter__ = acquire

    def release(self, *_: object) -> None:
        """Release the lock and wake a waiting thread.  Raise RuntimeError if the lock is free."""
        if not self.value:
            raise RuntimeError("release unlocked lock")
        self.value = 0
        if self._waiting:
            self._call("futex", self, FUTEX_WAKE_PRIVATE, 1)

    release_lock = __exit__ = release

    def locked(self) -> bool:
        """Return True while the lock is held."""
        return bool(self.value)

    locked_lock = locked

    def _at_fork_reinit(self) -> None:
        self.value = 0


class CurrentThread:
    """The object that represents a thread for the module `_threading_local`.  It holds the thread-local
    attributes until the thread ends.
    """


class Handle:
    """A `_thread._ThreadHandle`, with which a thread can be joined."""

    _threads: ThreadFunctions

    def __init__(self, ident: int | None = None) -> None:
        self.ident = ident
        self._running: Lock = self._threads.lock()

    def is_done(self) -> bool:
        """Return True if the thread has ended."""
        return self.ident is not None and not self._running.locked()

    def join(self, timeout: float | None = None) -> None:
        """Wait for the thread to end.  Raise RuntimeError if it has not started or is the caller."""
        if self.ident is None:
            raise RuntimeError("thread not started")
        if self.ident == self._threads.get_ident() and self._running.locked():
            raise RuntimeError("Cannot join current thread")
        if self._running.acquire(timeout=-1 if timeout is None or timeout < 0 else timeout):
            self._running.release()

    def _set_done(self) -> None:
        self._running.value = 0


class ThreadFunctions:
    """The functions of the `_thread` module of one process."""

    def __init__(self, host: Hosted, call: ProcessCalls) -> None:
        self._host = host
        self._call = call
        self._main = call.process.task.pid
        self._ends: dict[int, list[Lock]] = {}
        """Locks that are released when a thread ends, by thread id."""
        self._states: dict[int, CurrentThread] = {}
        self._joined: list[Handle] = []
        self.lock = self.LockType = type("lock", (Lock,), {"__module__": "_thread", "_call": call})
        numbered(self.lock)
        self._handle = type("_ThreadHandle", (Handle,), {"__module__": "_thread", "_threads": self})

    # -- starting -------------------------------------------------------------------

    def start_new_thread(self, function: Callable[..., object], args: Any, kwargs: Any = None, /) -> int:
        """Run `function` in a new thread, and return the thread id."""
        return self._start(function, args, kwargs or {}, [])

    start_new = start_new_thread

    def start_joinable_thread(
        self, function: Callable[[], object], handle: Handle | None = None, daemon: bool = True
    ) -> Handle:
        """Run `function` in a new thread, and return its handle."""
        handle = self._handle() if handle is None else handle
        handle._running.acquire()
        handle.ident = self._start(function, (), {}, [handle._running])
        if not daemon:
            self._joined.append(handle)
        return handle

    def _start(self, function: Any, args: Any, kwargs: Any, ends: list[Lock]) -> int:
        try:
            import greenlet  # noqa: F401 - threads are plain functions, which need greenlet
        except ImportError:
            raise SimulationError(
                "a thread of a hosted package needs greenlet, which is not installed: "
                "pip install 'simkernel[testing]'"
            ) from None
        name = self._call.process.task.comm
        return self._call.process.thread(self._run, function, args, kwargs, ends, name=name)

    def _run(self, app: Blocking, function: Any, args: Any, kwargs: Any, ends: list[Lock]) -> None:
        """Run `function` in the new thread, in an empty context (contextvars), as Python does in a new
        thread.
        """
        self._ends[app.task.pid] = ends
        with installed(self._host.thread_state(app), app.runner):
            try:
                with suppress(SystemExit):
                    Context().run(function, *args, **kwargs)
            finally:
                self._states.pop(app.task.pid, None)
                for lock in self._ends.pop(app.task.pid):
                    lock.release()

    # -- the running thread ---------------------------------------------------------

    def get_ident(self) -> int:
        """Return the id of the running thread."""
        return self._call.process.task.pid

    get_native_id = get_ident

    def _set_sentinel(self) -> Lock:
        """Return a lock that is released when the running thread ends."""
        lock: Lock = self.lock()
        self._ends.setdefault(self.get_ident(), []).append(lock)
        return lock

    def exit(self) -> NoReturn:
        """End the running thread by raising SystemExit."""
        raise SystemExit

    exit_thread = exit

    def interrupt_main(self, signum: int = signal.SIGINT, /) -> None:
        """Send a signal, by default SIGINT, to the hosted process."""
        self._call("kill", self._main, int(signum))

    def stack_size(self, size: int = 0, /) -> int:
        """Return 0, the default, because the stack size cannot be set."""
        return 0

    def daemon_threads_allowed(self) -> bool:
        """Return True, as in Python's main interpreter."""
        return True

    def inner(self) -> dict[str, Any]:
        """Return the private functions of `_thread` that the module `threading` calls."""
        return {
            "_ThreadHandle": self._handle,
            "_count": lambda: len(self._ends),
            "_excepthook": _excepthook,
            "_get_main_thread_ident": lambda: self._main,
            "_is_main_interpreter": lambda: True,
            "_local": self._local(),
            "_make_thread_handle": self._handle,
            "_set_sentinel": self._set_sentinel,
            "_shutdown": self._shutdown,
        }

    def _local(self) -> Any:
        """Return the class `_threading_local.local`.  It needs no lock, because hosted threads are not
        preempted.
        """
        state = SimpleNamespace(current_thread=self._state, RLock=nullcontext)
        importer = Importer((), {"threading": state})  # type: ignore[dict-item]
        return importer.import_module("_threading_local").local

    def _state(self) -> CurrentThread:
        return self._states.setdefault(self.get_ident(), CurrentThread())

    def _shutdown(self) -> None:
        while self._joined:
            self._joined.pop().join()


def _excepthook(args: Any, /) -> None:
    """Print an exception of a thread.  Ignore GeneratorExit, which the simulation raises to end a thread."""
    if not issubclass(args.exc_type, GeneratorExit):
        real._excepthook(args)


def thread_module(host: Hosted) -> ModuleType:
    """Return the `_thread` module of one process."""
    threads = ThreadFunctions(host, ProcessCalls(host.process))
    locks = dict.fromkeys(("allocate", "allocate_lock"), threads.lock)
    made = module(real, threads, FROM_PYTHON, **locks, **threads.inner())
    del made.RLock  # if `_thread` has no RLock, threading uses its own one, written in Python
    return made
