"""Dispatch of generic netlink messages to operations (`genl_rcv_msg()`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any, Final

from simkernel.kernel.lib.layers import DRIVER, KERNEL
from simkernel.kernel.netlink import dump
from simkernel.kernel.netlink.dump import DumpCallback
from simkernel.kernel.netlink.genetlink.family import Info
from simkernel.kernel.netlink.genetlink.lock import OperationLock
from simkernel.kernel.netlink.genetlink.registry import Registry
from simkernel.kernel.netlink.netlink import Netlink
from simkernel.kernel.netlink.owner import Owner, get_owner, put_owner
from simkernel.kernel.netlink.writer import MessageWriter
from simkernel.kernel.sched.wait import maybe
from simkernel.uapi.capability import CAP_NET_ADMIN
from simkernel.uapi.errno import EINVAL, ENODEV, ENOENT, EOPNOTSUPP, EPERM, os_error
from simkernel.uapi.genetlink import GenlMsgHdr
from simkernel.uapi.netlink import NLM_F_ACK, NLM_F_DUMP, NLM_F_ECHO, NLM_F_REQUEST, NLMSG_HDRLEN

KNOWN_FLAGS: Final = NLM_F_REQUEST | NLM_F_ACK | NLM_F_ECHO

_header = GenlMsgHdr.LAYOUT.unpack_from


Guard = Callable[[Any, str], AbstractContextManager[object]]
"""Function that returns a context manager. The dispatcher runs the handlers of modules inside this context
manager. A bug in a handler, such as a TypeError, becomes an oops. An OSError passes to the caller.
"""


class Dispatcher:
    """Checks each generic netlink message and calls the operation that handles it."""

    def __init__(self, netlink: Netlink, registry: Registry, lock: OperationLock, guard: Guard) -> None:
        self._netlink = netlink
        self._families = registry.by_id
        self._lock = lock
        self._guard = guard
        self._pauses = netlink.engine.perturbed
        self.entry = self.handle_locked if self._pauses else self.handle

    def handle_locked(self, info: Info) -> object:
        """Handle a message like `handle`, but hold genl_mutex even if the operation does not sleep. The
        dispatcher uses this function if the engine can pause a driver between two statements
        (`engine.perturbed`).
        """
        family = self._families.get(info.type)
        if family is None or family.parallel or self._lock.held:
            return self.handle(info)
        info.family = family
        self._netlink.engine.charged += self._netlink.message_costs.genl_dispatch
        return self._lock.run_locked(self._run, info)

    def handle(self, info: Info) -> object:
        """Find the family of a message and run the operation, with genl_mutex held if the family requires it
        (`genl_rcv_msg()`).

        Raise ENOENT for an unknown family, and the errors of `_run`.
        """
        try:
            info.family = family = self._families[info.type]
        except KeyError:
            raise os_error(ENOENT) from None
        netlink = self._netlink
        netlink.engine.charged += netlink.message_costs.genl_dispatch
        if self._lock.held and not family.parallel:
            return self._lock.run_locked(self._run, info)
        result = self._run(info)
        if result is None or family.parallel or not isinstance(result, Awaitable):
            return result
        return self._lock.finish_locked(result)

    def _run(self, info: Info) -> object:
        """Check a request and call its operation (`genl_family_rcv_msg()`).

        Raise ENOENT if the namespace lacks the family, EINVAL for an invalid header, and EOPNOTSUPP for an
        unknown command. Raise EPERM without the required privilege. Errors of the operation propagate.
        """
        family, start, length = info.family, info.start, info.length
        if not family.netnsok and not info.net.initial:
            raise os_error(ENOENT)
        if length < family.min_length:
            raise os_error(EINVAL)
        command = info.data[start + NLMSG_HDRLEN]  # `cmd` is the first byte of `struct genlmsghdr`
        dumps = info.flags & NLM_F_DUMP == NLM_F_DUMP
        if command >= family.resv_start_op:
            _check_header(info, dumps)
        try:
            info.operation = operation = family.dumpit[command] if dumps else family.doit[command]
        except KeyError:
            raise os_error(EOPNOTSUPP) from None
        if operation.privileged and not info.capable(CAP_NET_ADMIN):
            raise os_error(EPERM)
        if dumps:
            return self._dump(info)
        validator = operation.validator
        info.found = (
            {}
            if validator is None
            else validator.parse(info, start + family.attributes_offset, start + length)
        )
        if self._netlink.trace.emit is not None:
            self._trace(info, "genl_doit")
        if family.owner is None:
            result: object = operation.do(info)
            return result
        return self._guarded_do(info)

    def _guarded_do(self, info: Info) -> object:
        """Call a do handler that belongs to a module. If the handler raises an exception other than OSError,
        the exception becomes an oops.
        """
        family, operation = info.family, info.operation
        where = f"{family.name} {operation.name} doit"
        if operation.sleeps:
            return self._sleep(lambda: operation.do(info), family.owner, where)
        if self._pauses:
            return self._hold(lambda: operation.do(info), family.owner, where)
        with self._guard(family.owner, where):
            result = operation.do(info)
        return self._sleep(lambda: result, family.owner, where) if isinstance(result, Awaitable) else None

    async def _sleep(self, begin: Callable[[], Any], owner: Owner | None, where: str) -> None:
        """Run an operation that sleeps. Hold a reference to the operation's module while it runs, so that the
        module cannot be unloaded.

        If the module is being unloaded, raise ENODEV without calling the operation.
        """
        if not get_owner(owner):
            raise os_error(ENODEV)
        try:
            with self._guard(owner, where):
                await begin()
        finally:
            put_owner(owner)

    async def _hold(self, begin: Callable[[], Any], owner: Owner | None, where: str) -> None:
        """Run an operation that does not sleep, on an engine that can pause a driver between two statements
        (`engine.perturbed`). Hold a reference to the operation's module while the operation runs.
        """
        assert owner is not None
        owner.references += 1
        try:
            with self._guard(owner, where):
                await maybe(begin())
        finally:
            owner.references -= 1

    def _dump(self, info: Info) -> object:
        """Begin a dump (`genl_family_rcv_msg_dumpit()`)."""
        family, operation = info.family, info.operation
        dumper = operation.dump
        assert dumper is not None
        where = f"{family.name} {operation.name} dumpit"

        def begin(callback: DumpCallback) -> object:
            """Validate a dump request and call the family's function that begins the dump
            (`genl_start()`).
            """
            validator = operation.validator
            info.found = {} if validator is None else validator.parse(info, info.attributes_start, info.end)
            info.callback = callback
            info.state = None
            self._trace(info, "genl_dumpit")
            if dumper.begin is None:
                return None
            with self._guard(family.owner, where):
                pending = dumper.begin(info)
            sleeps = isinstance(pending, Awaitable)
            return self._sleep(lambda: pending, family.owner, where) if sleeps else None

        def step(writer: MessageWriter, callback: DumpCallback) -> bool:
            """Call the family's function that writes messages of a dump (`genl_dumpit()`)."""
            with self._guard(family.owner, where):
                return dumper.step(writer, info)

        def done(callback: DumpCallback) -> None:
            """Call the family's function that ends a dump (`genl_done()`)."""
            if dumper.done is not None:
                with self._guard(family.owner, where):
                    dumper.done(info)

        return dump.start(info, step, begin=begin, done=done, owner=family.owner)

    def _trace(self, info: Info, name: str) -> None:
        if (emit := self._netlink.trace.emit) is not None:
            owner = info.family.owner
            layer, track = (KERNEL, "netlink") if owner is None else (DRIVER, owner.name)
            emit(name, layer, track, family=info.family.name, cmd=info.operation.name)


def _check_header(info: Info, dumps: bool) -> None:
    """Raise EINVAL if a reserved bit is set in one of the headers of a request (`genl_header_check()`)."""
    _, _, reserved = _header(info.data, info.start + NLMSG_HDRLEN)
    if reserved:
        info.extack.message = "genlmsghdr.reserved field is not 0"
        raise os_error(EINVAL)
    flags = info.flags & ~NLM_F_DUMP if dumps else info.flags
    if flags & ~KNOWN_FLAGS:
        info.extack.message = "ambiguous or reserved bits set in nlmsg_flags"
        raise os_error(EINVAL)
