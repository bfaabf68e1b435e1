"""asyncio inside a hosted program: its loops wait for the machine's descriptors, on the machine's time.

asyncio is everybody's module, whose loops any code can run.  Its parts that act by themselves are reread: the
loop, with its sockets and threads, and `asyncio.run()`.
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
"""Names of asyncio that a hosted program has for itself, with the submodules that define them."""


def event_loop(host: Hosted) -> asyncio.AbstractEventLoop:
    """A new event loop of a hosted program: asyncio's own, reread."""
    base: Any = host.import_module("asyncio.unix_events")._UnixSelectorEventLoop

    class HostedEventLoop(base):  # type: ignore[misc]
        def __del__(self) -> None:
            """Close nothing: Python collects it at any moment, perhaps when its process has ended."""

        def call_exception_handler(self, context: Any) -> None:
            """As asyncio's, unless the process has ended: what it leaves behind is no mistake."""
            if host.process.task.alive:
                super().call_exception_handler(context)

        async def getaddrinfo(self, *_: Any, **__: Any) -> NoReturn:
            """EAFNOSUPPORT: no machine has the internet."""
            host.socket.socket(host.socket.AF_INET, host.socket.SOCK_STREAM)
            raise NotImplementedError

        def add_signal_handler(self, sig: int, callback: Any, *arguments: Any) -> NoReturn:
            """signal.signal() does it."""
            raise NotImplementedError("a hosted program's loop takes no signals: signal.signal() does")

    loop: asyncio.AbstractEventLoop = HostedEventLoop()
    task = numbered(type("Task", (asyncio.Task,), {"__module__": "asyncio"}))
    loop.set_task_factory(lambda loop, made, **options: task(made, loop=loop, **options))
    return loop


class Asyncio(ModuleType):
    """`asyncio` of a hosted program: everybody's, but for `NAMES`."""

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
    """One thread's policy: lets `asyncio.run()` and `asyncio.new_event_loop()` make such loops."""

    def __init__(self, make: Callable[[], asyncio.AbstractEventLoop], main: bool) -> None:
        super().__init__()
        self._make = make
        self._local: Any
        self._local._set_called = not main  # only the main thread has a loop without making one

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """A loop of the hosted program's."""
        return self._make()
