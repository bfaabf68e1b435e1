"""Adapters from a driver's handlers to the kernel's operations. Only genetlink.py uses them, drivers do
not.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator

import attrs

from simkernel.driverapi.context import kernel_of, module_of
from simkernel.driverapi.genl_info import MIN_MESSAGE_SIZE, GenlInfo, Reply
from simkernel.kernel.module.module import ThisModule
from simkernel.kernel.netlink.genetlink.family import Dumper, Info
from simkernel.kernel.netlink.writer import BufferFull, MessageWriter
from simkernel.uapi.errno import EMSGSIZE, os_error
from simkernel.uapi.netlink import NLM_F_MULTI
from simkernel.ynl import Spec

DoIt = Callable[[GenlInfo], Reply | Awaitable[Reply | None] | None]
DumpIt = Callable[[GenlInfo], Iterable[Reply]]


def contained(
    this: ThisModule, where: str, function: Callable[[Hashable], None]
) -> Callable[[Hashable], None]:
    """Wrap `function`, which the kernel calls when a socket is closed. If `function` raises an exception, the
    kernel logs an oops and close(2) still succeeds.
    """

    def call(sender: Hashable) -> None:
        with kernel_of(this).oopses.contain(module_of(this), where):
            function(sender)

    return call


@attrs.frozen
class Do:
    """Adapter that the kernel calls for a `do` operation. It calls the driver's handler, and sends the
    handler's result as the reply unless it is None.
    """

    spec: Spec
    handler: DoIt

    @property
    def sleeps(self) -> bool:
        """True if the handler is a coroutine function."""
        return inspect.iscoroutinefunction(self.handler)

    def __call__(self, info: Info) -> Awaitable[None] | None:
        own_info = GenlInfo(self.spec, "do", info)
        result = self.handler(own_info)
        if isinstance(result, Awaitable):
            return self._sleep(own_info, result)
        if result is not None:
            own_info.reply(result)
        return None

    async def _sleep(self, own_info: GenlInfo, pending: Awaitable[Reply | None]) -> None:
        result = await pending
        if result is not None:
            own_info.reply(result)


@attrs.define
class _Progress:
    """State of a dump: the remaining replies, and an encoded message that did not fit into the last
    datagram.
    """

    info: GenlInfo
    replies: Iterator[Reply]
    waiting: bytes | None = None

    def next_message(self, space: int) -> bytes | None:
        """Return the dump's next message in encoded form, or None at the end of the dump. `space` is the free
        space of the current datagram in bytes.
        """
        if self.waiting is None:
            self.info.datagram_space = space
            values = next(self.replies, None)
            if values is None:
                return None
            self.waiting = self.info.message(self.info.encode(values), NLM_F_MULTI)
        return self.waiting


@attrs.frozen
class Dump:
    """Adapter from a driver's dump handler to the kernel's dump operation, which fills one datagram in each
    step.
    """

    _spec: Spec
    _dump: DumpIt

    @property
    def dumper(self) -> Dumper:
        """The functions that begin, continue and end the dump."""
        return Dumper(self._step, self._begin, self._done)

    def _begin(self, info: Info) -> None:
        own_info = GenlInfo(self._spec, "dump", info)
        info.state = _Progress(own_info, iter(self._dump(own_info)))

    def _step(self, writer: MessageWriter, info: Info) -> bool:
        progress: _Progress = info.state
        callback = info.callback
        while writer.tailroom >= MIN_MESSAGE_SIZE:
            message = progress.next_message(writer.tailroom)
            callback.generation = progress.info.generation
            if message is None:
                return False
            place = len(writer.data)
            try:
                writer.append(message)
            except BufferFull:
                if not writer.data:
                    raise os_error(EMSGSIZE) from None
                return True
            progress.waiting = None
            callback.check_consistent(writer, place)
        return True

    def _done(self, info: Info) -> None:
        close = getattr(info.state.replies, "close", None)
        if close is not None:
            close()
