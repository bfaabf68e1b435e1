"""Hosted programs: unmodified Python packages that make simulated system calls.

    with hosted(machine, "linuxpy") as host:
        from linuxpy.video.device import Device

        with Device.from_id(0) as camera:
            frame = next(iter(camera))

`hosted` imports the named packages anew, even if they are already imported.  Their `open`, `os`, `fcntl`,
`mmap`, `select`, `selectors`, `socket`, `signal`, `time` and `pathlib` act on the machine, wherever and
whenever they import them.  New event loops of asyncio use the machine's clock.  Ordinary code, such as the
test itself, keeps the host's modules.  `host.os`, `host.open` and so on are those of the hosted program.
At the end, packages that were imported before are restored.

In a plain function, `hosted(app, "pyroute2")` hosts packages in that program.  Several such programs can
run at the same time.  Threads of the packages are threads of the simulated process (threads.py).

Hosted programs require a Linux host, because Python's constants are those of its operating system.  The
pointers in their ioctl structures are addresses in this Python process.

This is not a sandbox.  Python's standard library acts on the machine or raises NotModelled (the guide has
the table).  C code, and packages that are not named, act on the host.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from simkernel.application.app import App
from simkernel.blocking.process import Blocking, BlockingProcess
from simkernel.engine import SimulationError
from simkernel.hosted.thread_state import HostedRunner, ThreadState, installed
from simkernel.machine import Machine


class Hosted:
    """A simulated process in which hosted packages run.

    Its attributes are the modules that the hosted program sees: `host.os`, `host.time`, `host.selectors`,
    ...
    """

    def __init__(self, machine: Machine, thread: Blocking, packages: Iterable[str]) -> None:
        from simkernel.hosted.calls import ProcessCalls
        from simkernel.hosted.ending import Ending
        from simkernel.hosted.fork import fork_function
        from simkernel.hosted.importing import Importer
        from simkernel.hosted.loop import Asyncio
        from simkernel.hosted.modules import replacements
        from simkernel.hosted.threads import thread_module

        app = App(machine, thread.task)
        self.machine = machine
        self.runner = HostedRunner(app, thread.runner)
        self.process = Blocking(app, self.runner)
        self.ending = Ending()
        call = ProcessCalls(self.process)
        self.importer = Importer(packages, replacements(machine, call, self.ending))
        posix: Any = self.importer.modules["posix"]
        posix.fork = fork_function(self, call, posix.register_at_fork.__self__.fork_hooks)
        self.importer.modules.update(_thread=thread_module(self), asyncio=Asyncio(self.import_module))
        self.open: Callable[..., Any] = self.importer.builtins["open"]
        """The builtin `open` of the hosted program."""

    def import_module(self, name: str) -> ModuleType:
        """Import a module as the hosted program does, and return it."""
        return self.importer.import_module(name)

    def __getattr__(self, name: str) -> ModuleType:
        try:
            return self.importer.import_module(name)
        except ImportError:
            raise AttributeError(f"a hosted program has no module {name!r}") from None

    def thread_state(self, thread: Blocking, main: bool = False) -> ThreadState:
        """Return a new interpreter state, with an asyncio policy, for `thread`, a thread of the hosted
        process.
        """
        from simkernel.hosted.loop import HostedPolicy

        return ThreadState(self.importer, HostedPolicy(self.event_loop, main), self.runner, thread.runner)

    def join_threads(self) -> None:
        """Join the threads that are not daemons, as Python does when a program ends."""
        if "threading" in self.importer.modules:
            self.importer.modules["threading"]._shutdown()

    def event_loop(self) -> asyncio.AbstractEventLoop:
        """Return a new event loop that polls the program's descriptors and uses the machine's clock."""
        from simkernel.hosted.loop import event_loop

        return event_loop(self)


@contextmanager
def hosted(
    where: Machine | Blocking,
    *packages: str,
    uid: int = 0,
    gid: int | None = None,
    capabilities: Iterable[int] | None = None,
) -> Iterator[Hosted]:
    """Import `packages` anew in a simulated process; yield the Hosted object.

    If `where` is a machine, the process is a new one of user `uid`.  If `where` is the app of a plain
    function, it is the process of that function.  Raise SimulationError for a name that is not an
    installed package, and on a host that is not Linux.
    """
    if sys.platform != "linux":
        raise SimulationError(
            f"hosted programs need the constants of Python on Linux, and this host is {sys.platform}"
        )
    if not isinstance(where, Machine | Blocking):
        raise SimulationError(f"hosted({where!r}): pass a Machine, or the app of a program that is not async")
    if not packages:
        raise SimulationError(
            'hosted() needs the name of a package to import, as in hosted(machine, "linuxpy")'
        )
    from simkernel.hosted.memory import HostMemory

    machine: Any = where
    if isinstance(where, Machine):
        thread: Blocking = where.blocking(uid, gid, capabilities)
    elif (uid, gid, capabilities) != (0, None, None):
        raise SimulationError(
            "hosted(app, ..., uid=...): a running program keeps its user id; pass uid to spawn()"
        )
    else:
        thread, machine = where, where.app._system
    host = Hosted(machine, thread, packages)
    host.importer.check()
    task = thread.task
    memory, before = HostMemory(machine.kernel.mappings), task.mm
    task.mm = memory
    try:
        with installed(host.thread_state(thread, main=True), thread.runner), host.ending.at_end():
            yield host
            host.join_threads()
    finally:
        task.mm = before
        if isinstance(thread, BlockingProcess):
            thread.exit()
        memory.clear()
        memory.close()


__all__ = ["Hosted", "hosted"]
