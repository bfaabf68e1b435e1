"""What one receive takes from a stream, and how it waits for more (`unix_stream_read_generic()`).

With MSG_WAITALL or SO_RCVLOWAT a receive that has got something may still want more: then `recvmsg` raises
`WantsMore`, and whoever called goes on with `receive_rest`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simkernel.kernel.sched.wait import sleep_on
from simkernel.uapi.socket import SO_PASSCRED

if TYPE_CHECKING:
    from simkernel.kernel.net.skb import Creds
    from simkernel.kernel.unix.skb import UnixSkb
    from simkernel.kernel.unix.stream import StreamSocket
    from simkernel.kernel.vfs.file import OpenFile
    from simkernel.kernel.vfs.socket import Received
    from simkernel.kernel.vfs.task import Task


class Taken:
    """Bytes, and whose they are; the files that came with the last of them."""

    def __init__(self, sock: StreamSocket) -> None:
        first = sock.messages[0]
        self._messages = sock.messages
        self._separate = bool(sock.option(SO_PASSCRED))
        self.creds: Creds | None = first.creds
        self.address = first.sender.name or b""
        self.data = bytearray()
        self.files: tuple[OpenFile, ...] = ()

    def _goes_on(self, skb: UnixSkb) -> bool:
        """Whether it may be glued to what is taken already (`unix_skb_scm_eq()`)."""
        return not self._separate or skb.creds == self.creds

    def take(self, size: int) -> bool:
        """Take up to `size` bytes in all; False if there could be more behind them.

        It ends before what another process sent, if credentials are told, and behind files, which it
        takes even if no byte is wanted.
        """
        while self._messages:
            skb = self._messages[0]
            if not self._goes_on(skb):
                return True
            piece = skb.data[skb.offset : skb.offset + size - len(self.data)]
            self.data += piece
            skb.offset += len(piece)
            self.files, skb.files = skb.files, ()
            if skb.length:
                return True
            self._messages.popleft()
            skb.free()
            if self.files or len(self.data) == size:
                return True
        return False

    def look(self, size: int) -> None:
        """Look at up to `size` bytes; files are given too, and stay."""
        for skb in self._messages:
            if (self.data and len(self.data) == size) or not self._goes_on(skb):
                return
            self.data += skb.data[skb.offset : skb.offset + size - len(self.data)]
            if skb.files or len(self.data) == size:
                self.files = tuple(file.get() for file in skb.files)
                return


class WantsMore(Exception):
    """A receive of `size` bytes has `taken` some, and is to wait until it has `target`."""

    def __init__(self, taken: Taken, size: int, target: int, room: int, flags: int) -> None:
        super().__init__(taken, size, target, room, flags)
        self.taken = taken
        self.size = size
        self.target = target
        self.room = room
        self.flags = flags


async def receive_rest(sock: StreamSocket, task: Task, wants: WantsMore, deadline: int | None) -> Received:
    """Wait for the rest.  A signal, the time, the end of the stream, an error: then that is all."""
    taken, ended = wants.taken, False
    while not ended and len(taken.data) < wants.target:
        try:
            woken = await sleep_on(sock.readers, deadline=deadline, exclusive=True)
        except BaseException as ending:
            sock.let_go(taken.files)
            taken.files = ()
            if isinstance(ending, InterruptedError):
                return sock.received(task, taken, 0, wants.flags)
            raise
        ended = taken.take(wants.size) or not woken or sock.ends()
    return sock.received(task, taken, wants.room, wants.flags)
