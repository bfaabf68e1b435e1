"""What one receive takes from a stream (`unix_stream_read_generic()`)."""

from __future__ import annotations

from simkernel.kernel.net.creds import Creds
from simkernel.kernel.unix.skb import UnixSkb
from simkernel.kernel.unix.socket import UnixSocket
from simkernel.kernel.vfs.file import OpenFile
from simkernel.uapi.socket import SO_PASSCRED


class Taken:
    """Bytes of one sender, its credentials and address, and the files that came with the last byte."""

    def __init__(self, sock: UnixSocket) -> None:
        first = sock.messages[0]
        self._messages = sock.messages
        self._separate = bool(sock.option(SO_PASSCRED))
        self.creds: Creds | None = first.creds
        self.address = first.sender.name or b""
        self.data = bytearray()
        self.files: tuple[OpenFile, ...] = ()

    def _continues(self, skb: UnixSkb) -> bool:
        """Whether it may follow the bytes taken so far (`unix_skb_scm_eq()`)."""
        return not self._separate or skb.creds == self.creds

    def take(self, size: int) -> bool:
        """Take up to `size` bytes in all; False if there could be more behind them.

        It ends before what another process sent, if credentials are told, and behind files, which it
        takes even if no byte is wanted.
        """
        while self._messages:
            skb = self._messages[0]
            if not self._continues(skb):
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

    def peek(self, size: int) -> None:
        """Copy up to `size` bytes without taking them; files are duplicated."""
        for skb in self._messages:
            if (self.data and len(self.data) == size) or not self._continues(skb):
                return
            self.data += skb.data[skb.offset : skb.offset + size - len(self.data)]
            if skb.files or len(self.data) == size:
                self.files = tuple(file.get() for file in skb.files)
                return
