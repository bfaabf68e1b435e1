"""asyncio inside a hosted program: its loops wait for the machine's descriptors, on the machine's time.

asyncio itself is everybody's module, and makes sockets and threads by itself.  Here they are the machine's;
what would reach for the host's pipes or processes is refused.
"""

from __future__ import annotations

import asyncio
import stat
import sys
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from simkernel.hosted.calls import numbered

if TYPE_CHECKING:
    from simkernel.hosted import Hosted

OWN: Final = {
    **{name: name for name in ("futures", "runners", "tasks")},
    "Runner": "runners",
    "run": "runners",
    "run_coroutine_threadsafe": "tasks",
    "wrap_future": "futures",
}
"""Names of asyncio that a hosted program has for itself, with the submodules that define them."""


class HostedEventLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop over the machine's descriptors."""

    _add_reader: Any
    _default_executor: Any
    _do_shutdown: Any
    _internal_fds: int
    _read_from_self: Any

    def __init__(self, host: Hosted) -> None:
        self._host = host
        self._find = find = host.import_module
        self._sockets = find("socket")
        self._os = find("os")
        super().__init__(find("selectors").DefaultSelector())
        task = numbered(type("Task", (asyncio.Task,), {"__module__": "asyncio"}))
        self.set_task_factory(lambda loop, made, **options: task(made, loop=loop, **options))

    def __del__(self) -> None:
        """Close nothing: Python collects it at any moment, perhaps when its process has ended."""

    def time(self) -> float:
        """Simulated seconds."""
        return self._host.machine.now / 1e9

    def call_exception_handler(self, context: Any) -> None:
        """As asyncio's, unless the process has ended: what it leaves behind is no mistake."""
        if self._host.process.task.alive:
            super().call_exception_handler(context)

    def _make_self_pipe(self) -> None:
        self._ssock, self._csock = self._sockets.socketpair()  # another thread wakes the loop by it
        self._ssock.setblocking(False)
        self._csock.setblocking(False)
        self._internal_fds += 1
        self._add_reader(self._ssock.fileno(), self._read_from_self)

    # -- threads ------------------------------------------------------------------

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *arguments: Any
    ) -> Any:
        """As asyncio's, with threads of the simulated process."""
        self._check_closed()  # type: ignore[attr-defined]
        if executor is None:
            self._check_default_executor()  # type: ignore[attr-defined]
            if self._default_executor is None:
                pool = self._find("concurrent.futures").ThreadPoolExecutor
                self._default_executor = pool(thread_name_prefix="asyncio")
            executor = self._default_executor
        return self._find("asyncio.futures").wrap_future(executor.submit(func, *arguments), loop=self)

    def set_default_executor(self, executor: Any) -> None:
        """As asyncio's; the program has a ThreadPoolExecutor of its own."""
        self._default_executor = executor

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """As asyncio's, without a timeout."""
        self._executor_shutdown_called = True
        if self._default_executor is not None:
            done = self.create_future()
            thread = self._find("threading").Thread(target=self._do_shutdown, args=(done,))
            thread.start()
            await done
            thread.join()

    # -- sockets ------------------------------------------------------------------

    async def create_unix_server(  # type: ignore[override]
        self, protocol_factory: Any, path: Any = None, *, sock: Any = None, **options: Any
    ) -> asyncio.AbstractServer:
        """As asyncio's: a socket that was left at the path makes room for the new one."""
        if sock is None and path is not None:
            name = self._os.fspath(path)
            if name[:1] not in ("\0", b"\0"):
                try:
                    if stat.S_ISSOCK(self._os.stat(name).st_mode):
                        self._os.remove(name)
                except FileNotFoundError:
                    pass
            sock = self._sockets.socket(self._sockets.AF_UNIX, self._sockets.SOCK_STREAM)
            sock.bind(name)
        if sys.version_info >= (3, 13):
            options["cleanup_socket"] = False
        return await super().create_unix_server(protocol_factory, sock=sock, **options)

    async def create_unix_connection(
        self, protocol_factory: Any, path: Any = None, *, sock: Any = None, **options: Any
    ) -> Any:
        """As asyncio's."""
        if sock is None and path is not None:
            sock = self._sockets.socket(self._sockets.AF_UNIX, self._sockets.SOCK_STREAM)
            sock.setblocking(False)
            try:
                await self.sock_connect(sock, self._os.fspath(path))
            except OSError:
                sock.close()
                raise
        return await super().create_unix_connection(protocol_factory, sock=sock, **options)

    async def create_connection(self, *arguments: Any, **options: Any) -> Any:
        """The internet, which no machine has."""
        self._internet(options)
        return await super().create_connection(*arguments, **options)

    async def create_server(self, *arguments: Any, **options: Any) -> Any:
        """The same."""
        self._internet(options)
        return await super().create_server(*arguments, **options)

    async def create_datagram_endpoint(self, *arguments: Any, **options: Any) -> Any:
        """The same."""
        self._internet(options)
        return await super().create_datagram_endpoint(*arguments, **options)

    async def getaddrinfo(self, *arguments: Any, **options: Any) -> NoReturn:
        """The same: there is nobody to ask."""
        self._internet({})
        raise NotImplementedError

    def _internet(self, options: dict[str, Any]) -> None:
        """EAFNOSUPPORT, unless there is a socket already."""
        if options.get("sock") is None:
            self._sockets.socket(self._sockets.AF_INET, self._sockets.SOCK_STREAM).close()

    # -- what is not there ----------------------------------------------------------

    async def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError("a hosted program's loop has no pipes, no processes and no sendfile")

    connect_read_pipe = connect_write_pipe = subprocess_exec = subprocess_shell = _refuse
    sendfile = sock_sendfile = _refuse

    def add_signal_handler(  # type: ignore[override]
        self, sig: int, callback: Any, *arguments: Any
    ) -> NoReturn:
        """signal.signal() does it."""
        raise NotImplementedError("a hosted program's loop takes no signals: signal.signal() does")


class Asyncio(ModuleType):
    """`asyncio` of a hosted program: everybody's, but for what uses threads, locks or signals by itself."""

    def __init__(self, find: Callable[[str], ModuleType]) -> None:
        super().__init__("asyncio", asyncio.__doc__)
        vars(self).update({name: value for name, value in vars(asyncio).items() if name not in OWN})
        self._find = find

    def __getattr__(self, name: str) -> Any:
        if name not in OWN:
            raise AttributeError(f"module 'asyncio' has no attribute {name!r}")
        module = self._find(f"asyncio.{OWN[name]}")
        return module if name == OWN[name] else getattr(module, name)


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
