"""Sockets that travel through one another, and that nobody can take out any more (net/unix/garbage.c).

A socket that lies in a queue is held by the message it travels in.  If that queue is its own, or one that
only such messages hold, nobody will ever read it.  Whenever a unix socket is closed while others travel,
the collector finds the reachable ones and releases all others.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Protocol

from simkernel.kernel.unix.skb import UnixSkb, release_files
from simkernel.kernel.vfs.file import OpenFile
from simkernel.uapi.socket import AF_UNIX


class Carrier(Protocol):
    """A socket in whose queue files may travel."""

    @property
    def messages(self) -> deque[UnixSkb]: ...
    @property
    def file(self) -> OpenFile | None: ...
    @property
    def listener(self) -> Carrier | None: ...


class Carriers:
    """The sockets of a machine in whose queues files may travel, in the order in which they came to."""

    def __init__(self) -> None:
        self._sockets: dict[Carrier, None] = {}

    def add(self, sock: Carrier) -> None:
        """A message with files is put into its queue."""
        self._sockets[sock] = None

    def collect(self) -> None:
        """Release unreachable files (`unix_gc()`)."""
        for sock in tuple(self._sockets):
            if not any(skb.files for skb in sock.messages):
                del self._sockets[sock]
        if self._sockets:
            garbage = self._garbage()
            files = [file for skb in garbage for file in skb.files]
            for skb in garbage:
                skb.files = ()
            release_files(files)

    def _garbage(self) -> list[UnixSkb]:
        """The messages in queues that cannot be reached, nor what holds them."""
        travelling = Counter(
            file for sock in self._sockets for skb in sock.messages for file in skb.files if is_unix(file)
        )
        lost = {file: None for file, held in travelling.items() if file.references == held}
        found = [sock for sock in self._sockets if _holder(sock) not in lost]
        while found:
            for skb in found.pop().messages:
                for file in skb.files:
                    if file in lost:
                        del lost[file]
                        found += [sock for sock in self._sockets if _holder(sock) is file]
        return [skb for sock in self._sockets if _holder(sock) in lost for skb in sock.messages if skb.files]


def is_unix(file: OpenFile) -> bool:
    """Whether it is a unix socket's."""
    return file.socket is not None and file.socket.family == AF_UNIX


def _holder(sock: Carrier) -> OpenFile | None:
    """The open file by which its queue is reached: the listener's, while it waits to be accepted."""
    return sock.file if sock.listener is None else sock.listener.file
