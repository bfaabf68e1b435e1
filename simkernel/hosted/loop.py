"""asyncio in a hosted program: its event loops poll the machine's descriptors and use the machine's clock.

The `asyncio` module is shared, so that its tasks and futures work in any loop.  Submodules that make
system calls are reread: the event loop with its sockets and threads, and `asyncio.run()`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from simkernel.hosted.calls import numbered

if TYPE_CHECKING:
    from simkernel.hosted import Hosted

NAMES: Final = {
    "Runner": "runners",
    "run": "runners",
    "run_coroutine_threadsafe": "tasks",
    "wrap_future": "futures",
    **{
        name: name
        for name in ("base_events", "futures", "runners", "selector_events", "tasks", "unix_events")
    },
}
"""Maps the name of an attribute of the `asyncio` module to the submodule of asyncio that defines it. A
submodule is mapped to itself. Each hosted program has its own object for each of these attributes.
"""


def event_loop(host: Hosted) -> asyncio.AbstractEventLoop:
    """Return a new event loop of a hosted program.  Its base class is from the program's own copy of
    asyncio.
    """
    base: Any = host.import_module("asyncio.unix_events")._UnixSelectorEventLoop

    class HostedEventLoop(base):  # type: ignore[misc]
        __module__ = "asyncio.unix_events"

        def __del__(self) -> None:
            """Do nothing. asyncio's `__del__` would close the loop, but the loop's process may have ended."""

        def call_exception_handler(self, context: Any) -> None:
            """Call asyncio's handler while the process runs.  After the end of the process, pending tasks are
            no error.
            """
            if host.process.task.alive:
                super().call_exception_handler(context)

        async def getaddrinfo(self, *_: Any, **__: Any) -> NoReturn:
            """Raise EAFNOSUPPORT, because a machine has no IP sockets."""
            host.socket.socket(host.socket.AF_INET, host.socket.SOCK_STREAM)
            raise NotImplementedError

        def add_signal_handler(self, sig: int, callback: Any, *arguments: Any) -> NoReturn:
            """Raise NotImplementedError.  Hosted programs set handlers with signal.signal()."""
            raise NotImplementedError("a hosted program's loop has no signal handlers: use signal.signal()")

    loop: asyncio.AbstractEventLoop = HostedEventLoop()
    task = numbered(type("Task", (asyncio.Task,), {"__module__": "asyncio"}))
    loop.set_task_factory(lambda loop, made, **options: task(made, loop=loop, **options))
    return loop


class Asyncio(ModuleType):
    """The `asyncio` module of a hosted program. It shares all objects with the host's module, except for the
    names in `NAMES`.
    """

    def __init__(self, find: Callable[[str], ModuleType]) -> None:
        super().__init__("asyncio", asyncio.__doc__)
        vars(self).update({name: value for name, value in vars(asyncio).items() if name not in NAMES})
        self._find = find

    def __getattr__(self, name: str) -> Any:
        if name not in NAMES:
            raise AttributeError(f"module 'asyncio' has no attribute {name!r}")
        module = self._find(f"asyncio.{NAMES[name]}")
        return module if name == NAMES[name] else getattr(module, name)


class HostedPolicy(asyncio.DefaultEventLoopPolicy):
    """The event loop policy of one thread, which makes asyncio create event loops for a hosted program."""

    def __init__(self, make: Callable[[], asyncio.AbstractEventLoop], main: bool) -> None:
        super().__init__()
        self._make = make
        self._local: Any
        self._local._set_called = not main  # get_event_loop() creates a loop in the main thread only

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """Return a new event loop of the hosted program."""
        return self._make()
