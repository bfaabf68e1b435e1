"""asyncio inside a hosted program: its loops poll the machine's descriptors and run on the machine's clock.

`asyncio` is shared, so that its tasks and futures work in any loop.  The submodules that make system calls
are reread: the loop, with its sockets and threads, and `asyncio.run()`.
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
"""Names of asyncio that a hosted program does not share, with the submodules that define them."""


def event_loop(host: Hosted) -> asyncio.AbstractEventLoop:
    """Return a new event loop of a hosted program: asyncio's own, reread."""
    base: Any = host.import_module("asyncio.unix_events")._UnixSelectorEventLoop

    class HostedEventLoop(base):  # type: ignore[misc]
        __module__ = "asyncio.unix_events"

        def __del__(self) -> None:
            """Close nothing: Python may collect the loop after its process has ended."""

        def call_exception_handler(self, context: Any) -> None:
            """Call asyncio's handler unless the process has ended: its pending tasks are then no error."""
            if host.process.task.alive:
                super().call_exception_handler(context)

        async def getaddrinfo(self, *_: Any, **__: Any) -> NoReturn:
            """Raise EAFNOSUPPORT: a machine has no IP sockets."""
            host.socket.socket(host.socket.AF_INET, host.socket.SOCK_STREAM)
            raise NotImplementedError

        def add_signal_handler(self, sig: int, callback: Any, *arguments: Any) -> NoReturn:
            """Raise NotImplementedError: a handler is set by signal.signal()."""
            raise NotImplementedError("a hosted program's loop has no signal handlers: use signal.signal()")

    loop: asyncio.AbstractEventLoop = HostedEventLoop()
    task = numbered(type("Task", (asyncio.Task,), {"__module__": "asyncio"}))
    loop.set_task_factory(lambda loop, made, **options: task(made, loop=loop, **options))
    return loop


class Asyncio(ModuleType):
    """`asyncio` of a hosted program: the shared module, except for `NAMES`."""

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
    """The event loop policy of one thread, with which asyncio makes a hosted program's loops."""

    def __init__(self, make: Callable[[], asyncio.AbstractEventLoop], main: bool) -> None:
        super().__init__()
        self._make = make
        self._local: Any
        self._local._set_called = not main  # get_event_loop() makes a loop in the main thread only

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """A loop of the hosted program's."""
        return self._make()
