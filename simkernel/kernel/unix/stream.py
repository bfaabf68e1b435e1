"""Stream sockets of AF_UNIX (`unix_stream_ops`)."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from typing import ClassVar

from simkernel.kernel.net.creds import KERNEL_CREDS, Creds
from simkernel.kernel.net.scm import ControlBuffer
from simkernel.kernel.sched.wait import WouldBlock, sleep_on
from simkernel.kernel.unix import scm
from simkernel.kernel.unix.connection import ConnectionSocket
from simkernel.kernel.unix.skb import (
    MAX_STREAM_FRAGS,
    SKB_MAX_HEAD,
    UnixSkb,
    end_of_file,
    release_files,
    stream_pages,
    truesize,
)
from simkernel.kernel.unix.socket import (
    RCV_SHUTDOWN,
    SEND_SHUTDOWN,
    SockState,
    UnixSocket,
)
from simkernel.kernel.vfs.broken_pipe import broken_pipe
from simkernel.kernel.vfs.file import OpenFile
from simkernel.kernel.vfs.socket import Control, NeedMoreData, Received
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import errno
from simkernel.uapi import socket as so
from simkernel.uapi.errno import os_error


class TakenBytes:
    """The bytes that one receive takes from one sender, with the sender's credentials and address.

    `files` are those of the last message that was taken.
    """

    def __init__(self, sock: UnixSocket) -> None:
        first = sock.messages[0]
        self._sock = sock
        self._messages = sock.messages
        self._separate = bool(sock.option(so.SO_PASSCRED))
        self.creds: Creds | None = first.creds
        self.address = first.sender.name or b""
        self.data = bytearray()
        self.files: tuple[OpenFile, ...] = ()

    def _continues(self, skb: UnixSkb) -> bool:
        """Return True if the receive may return this message together with the bytes that it has already
        taken (`unix_skb_scm_eq()`).
        """
        return not self._separate or skb.creds == self.creds

    def take(self, size: int) -> bool:
        """Take bytes from the receive queue until `size` bytes are taken. Return True if the receive is
        complete, False if the queue is empty and more bytes may arrive.

        With SO_PASSCRED, `take` stops before a message with other credentials. It also stops after a
        message with files. Such files are taken even if `size` is 0.
        """
        while self._messages:
            skb = self._messages[0]
            if not self._continues(skb):
                return True
            piece = skb.data[skb.offset : skb.offset + size - len(self.data)]
            self.data += piece
            skb.offset += len(piece)
            self.files, skb.files = skb.files, ()
            self._sock.scm_fds -= len(self.files)
            if skb.length:
                return True
            self._messages.popleft()
            skb.free()
            if self.files or len(self.data) == size:
                return True
        return False

    def peek(self, size: int) -> None:
        """Copy up to `size` bytes and leave them in the queue. If a copied message has files, take another
        reference to each file.

        A peek stops at files or at another sender, but not after `size` bytes
        (`unix_stream_read_generic()`).
        """
        for skb in self._messages:
            if not self._continues(skb):
                return
            self.data += skb.data[skb.offset : skb.offset + size - len(self.data)]
            if skb.files:
                self.files = tuple(file.get() for file in skb.files)
                return


class StreamSocket(ConnectionSocket):
    """A connected or listening stream socket."""

    __slots__ = ()

    exclusive_read: ClassVar[bool] = False

    # -- sending ----------------------------------------------------------------------

    def sendmsg(
        self,
        task: Task,
        data: bytes,
        address: bytes | tuple[int, int] | None = None,
        control: Control = (),
        flags: int = 0,
    ) -> int:
        """Send all of `data` in parts (`unix_stream_sendmsg()`).  Files are sent with the first part.

        Raises WouldBlock with the number of bytes sent if the send buffer is full, ENOTCONN without a
        peer. Raises EPIPE, with SIGPIPE, if the peer has shut down receiving.
        """
        creds, files = self.send_control(task, control)
        try:
            if flags & so.MSG_OOB:
                raise self.unix.unmodelled("MSG_OOB on a unix stream is not modelled", errno.EOPNOTSUPP)
            if address is not None:
                raise os_error(errno.EISCONN if self.state is SockState.ESTABLISHED else errno.EOPNOTSUPP)
            if self.peer is None:
                raise os_error(errno.ENOTCONN)
            if self.shutdown_mask & SEND_SHUTDOWN:
                raise broken_pipe()
        except OSError:
            release_files(files)
            raise
        self.unix.engine.charged += self.unix.costs.send
        return self._send(task, data, creds, files, 0)

    def _send(
        self, task: Task, data: bytes, creds: Creds | None, files: tuple[OpenFile, ...], done: int
    ) -> int:
        costs = self.unix.costs
        other = self.peer
        while done < len(data):
            size = min(len(data) - done, (self.sndbuf >> 1) - 64, SKB_MAX_HEAD + MAX_STREAM_FRAGS)
            pages = stream_pages(size)
            cost = truesize(size, pages)
            try:
                self.allocate(cost, pages, files, partial(self._send, task, data, creds, files, done))
            except WouldBlock as blocked:
                blocked.done = done
                raise
            except OSError:
                release_files(files)
                if done:
                    return done
                raise
            skb = UnixSkb(self, data[done : done + size], cost, None, files, self.unix.trace.flow)
            if other is None or other.dead or other.shutdown_mask & RCV_SHUTDOWN:
                skb.free()
                if done:
                    return done
                raise broken_pipe()
            skb.creds = self.creds_for(task, creds, other)
            files = ()
            if self.unix.faults is not None:
                try:
                    self.check_copy(skb)
                except OSError:
                    if done:
                        return done
                    raise
            self.unix.engine.charged += costs.copy(size) + costs.deliver
            done += size
            other.enqueue(skb)
        # the first message has taken the files; if `data` is empty, no message was queued, so drop the files
        release_files(files)
        return done

    # -- receiving ----------------------------------------------------------------------

    def recvmsg(self, task: Task, size: int, controllen: int = 0, flags: int = 0) -> Received | None:
        """Receive up to `size` bytes (`unix_stream_read_generic()`).

        Returns b"" at the end of the stream, None if the queue is empty. Raises NeedMoreData if
        MSG_WAITALL or SO_RCVLOWAT require more bytes than the queue has.  Raises EINVAL if the socket is
        not connected.
        """
        if self.state is not SockState.ESTABLISHED:
            raise os_error(errno.EINVAL)
        if flags & so.MSG_OOB:
            raise self.unix.unmodelled("MSG_OOB on a unix stream is not modelled", errno.EOPNOTSUPP)
        if not self.messages:
            if self.error:
                raise os_error(self.take_error())
            return self._end(task, controllen, flags) if self.shutdown_mask & RCV_SHUTDOWN else None
        if self.unix.faults is not None:  # bytes that cannot be copied stay in the queue
            self.unix.faults.check_copy(min(size, self.messages[0].length))
        self.unix.engine.charged += self.unix.costs.receive
        self.unix.trace.flow = self.messages[0].flow
        target = size if flags & so.MSG_WAITALL else min(self.option(so.SO_RCVLOWAT) or 1, size)
        taken = TakenBytes(self)
        if flags & so.MSG_PEEK:
            taken.peek(size)
        elif not (
            taken.take(size) or len(taken.data) >= target or self._at_end() or not self.may_block(flags)
        ):
            raise NeedMoreData(partial(self._receive_rest, task, taken, size, target, controllen, flags))
        return self._received(task, taken, controllen, flags)

    async def _receive_rest(
        self,
        task: Task,
        taken: TakenBytes,
        size: int,
        target: int,
        controllen: int,
        flags: int,
        deadline: int | None,
    ) -> Received:
        """Wait for `target` bytes, or until a signal, the deadline, the end of the stream or an error."""
        ended = False
        while not ended and len(taken.data) < target:
            try:
                in_time = await sleep_on(self.readers, deadline=deadline)
            except BaseException as ending:
                release_files(taken.files)
                taken.files = ()
                if isinstance(ending, InterruptedError):
                    return self._received(task, taken, 0, flags)
                raise
            ended = taken.take(size) or not in_time or self._at_end()
        return self._received(task, taken, controllen, flags)

    def _at_end(self) -> bool:
        """Return True at the end of the stream or after an error.

        A pending error is dropped, because the receive has some bytes already.
        """
        return bool(self.take_error()) or bool(self.shutdown_mask & RCV_SHUTDOWN)

    def _received(self, task: Task, taken: TakenBytes, controllen: int, flags: int) -> Received:
        """Charge the CPU time of copying the received bytes, install the received files, and return the
        result of the receive.
        """
        self.unix.engine.charged += self.unix.costs.copy(len(taken.data))
        control = ControlBuffer(controllen)
        scm.receive(self, task, control, taken.creds, taken.files, flags)
        message_flags = flags & so.MSG_CMSG_CLOEXEC | control.flags
        return bytes(taken.data), len(taken.data), control.messages, message_flags, taken.address

    def read(self, task: Task, file: OpenFile, size: int, position: int) -> bytes | Awaitable[bytes] | None:
        """Receive bytes as recv(2) without flags does. The receive may wait for SO_RCVLOWAT bytes."""
        try:
            return super().read(task, file, size, position)
        except NeedMoreData as wants:
            return self._read_rest(wants)

    async def _read_rest(self, wants: NeedMoreData) -> bytes:
        deadline = None if self.rcvtimeo is None else self.unix.engine.time() + self.rcvtimeo
        return (await wants.rest(deadline))[0]

    def _end(self, task: Task, controllen: int, flags: int) -> Received:
        """Return the result of a receive at the end of the stream. With SO_PASSCRED, the result carries the
        credentials of root with pid 0.
        """
        if not self.option(so.SO_PASSCRED):
            return end_of_file(flags)
        control = ControlBuffer(controllen)
        scm.receive(self, task, control, KERNEL_CREDS, (), 0)
        return b"", 0, control.messages, flags & so.MSG_CMSG_CLOEXEC | control.flags, b""
