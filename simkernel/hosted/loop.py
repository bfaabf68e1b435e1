"""asyncio inside a hosted program: its loops wait for the machine's descriptors, on the machine's time.

asyncio itself is everybody's module, and makes sockets by itself where it is given none.  Here they are the
machine's; what would reach for the host's descriptors, threads or processes is refused.
"""

from __future__ import annotations

import asyncio
import selectors
import stat
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

from simkernel.machine import Machine


class HostedEventLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop over a selector of the machine's descriptors.

    It has no pipe to itself: nothing but its own thread wakes it.
    """

    _ssock: Any
    _csock: Any

    def __init__(
        self, machine: Machine, selector: selectors.BaseSelector, sockets: ModuleType, os: ModuleType
    ) -> None:
        self._machine = machine
        self._sockets = sockets
        self._os = os
        super().__init__(selector)

    def time(self) -> float:
        """Simulated seconds."""
        return self._machine.now / 1e9

    def _make_self_pipe(self) -> None:
        self._ssock = self._csock = None

    def _close_self_pipe(self) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

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
        raise NotImplementedError("a hosted program's loop has no pipes and no processes")

    connect_read_pipe = connect_write_pipe = subprocess_exec = subprocess_shell = _refuse

    def add_signal_handler(  # type: ignore[override]
        self, sig: int, callback: Any, *arguments: Any
    ) -> NoReturn:
        """signal.signal() does it."""
        raise NotImplementedError("a hosted program's loop takes no signals: signal.signal() does")


class HostedPolicy(asyncio.DefaultEventLoopPolicy):
    """Lets `asyncio.run()` and `asyncio.new_event_loop()` make such loops."""

    def __init__(self, make: Callable[[], asyncio.AbstractEventLoop]) -> None:
        super().__init__()
        self._make = make

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """A loop of the hosted program's."""
        return self._make()
