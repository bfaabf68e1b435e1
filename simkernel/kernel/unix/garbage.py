"""Garbage collection of sockets that only messages refer to (net/unix/garbage.c).

A message in a queue holds references to the sockets that it carries.  A message may be in the queue of a
socket to which only messages refer. No program can receive it.  When a unix socket is closed while sockets
are in flight, the collector finds the cycles of such sockets and empties their queues.  This releases the
sockets.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Protocol

from simkernel.kernel.unix.skb import UnixSkb
from simkernel.kernel.vfs.file import OpenFile
from simkernel.uapi.socket import AF_UNIX


class Carrier(Protocol):
    """A socket that may have messages with files in its queue."""

    @property
    def messages(self) -> deque[UnixSkb]: ...
    @property
    def file(self) -> OpenFile | None: ...
    @property
    def listener(self) -> Carrier | None: ...


class Carriers:
    """The sockets whose queues may contain files, in the order in which each got its first message with
    files.
    """

    def __init__(self) -> None:
        self._sockets: dict[Carrier, None] = {}

    def add(self, sock: Carrier) -> None:
        """Record a socket when a message with files is put into its queue."""
        self._sockets[sock] = None

    def collect(self) -> None:
        """Free all messages in the queues of unreachable cycles of sockets (`unix_gc()`)."""
        while self._sockets and (garbage := self._garbage()):
            for skb in garbage:
                skb.free()

    def _garbage(self) -> list[UnixSkb]:
        """Empty the queues of unreachable cycles and return the messages (`unix_collect_skb()`)."""
        for sock in tuple(self._sockets):
            if not any(skb.files for skb in sock.messages):
                del self._sockets[sock]
        edges = [
            (file, _holder(sock))
            for sock in self._sockets for skb in sock.messages for file in skb.files if is_unix(file)
        ]  # fmt: skip
        travelling = Counter(file for file, _ in edges)
        lost = {file: None for file, held in travelling.items() if file.references == held}
        found = [sock for sock in self._sockets if _holder(sock) not in lost]
        while found:
            for skb in found.pop().messages:
                for file in skb.files:
                    if file in lost:
                        del lost[file]
                        found += [sock for sock in self._sockets if _holder(sock) is file]
        reach: dict[OpenFile | None, set[OpenFile | None]] = {file: _reach(file, edges) for file in lost}
        dead = {file for file in lost if all(file in reach[other] for other in reach[file])}
        queues = [sock.messages for sock in self._sockets if _holder(sock) in dead]
        return [queue.popleft() for queue in queues for _ in range(len(queue))]


def is_unix(file: OpenFile) -> bool:
    """Return True if the file is a unix socket."""
    return file.socket is not None and file.socket.family == AF_UNIX


def _reach(file: OpenFile, edges: list[tuple[OpenFile, OpenFile | None]]) -> set[OpenFile | None]:
    """Return the sockets that have `file` in their queues, the sockets that have those sockets in their
    queues, and so on.
    """
    found: set[OpenFile | None] = set()
    todo: list[OpenFile | None] = [file]
    while todo:
        at = todo.pop()
        more = {holder for travels, holder in edges if travels is at} - found
        found |= more
        todo += more
    return found


def _holder(sock: Carrier) -> OpenFile | None:
    """Return the open file through which programs read the queue of `sock`. Before accept(2), this is the
    file of the listening socket.
    """
    return sock.file if sock.listener is None else sock.listener.file
