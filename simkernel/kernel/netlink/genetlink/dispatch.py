"""From a message to the operation that it asks for (`genl_rcv_msg()`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final

from simkernel.engine import DRIVER, KERNEL
from simkernel.kernel.netlink import dump, policy
from simkernel.kernel.netlink.genetlink.family import (
    DONT_VALIDATE_DUMP_STRICT,
    DONT_VALIDATE_STRICT,
    Family,
    Operation,
)
from simkernel.kernel.netlink.genetlink.info import Info
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.table import Owner, get_owner, put_owner
from simkernel.uapi.capability import CAP_NET_ADMIN
from simkernel.uapi.errno import EINVAL, ENODEV, ENOENT, EOPNOTSUPP, EPERM, os_error
from simkernel.uapi.genetlink import (
    GENL_ADMIN_PERM,
    GENL_CMD_CAP_DO,
    GENL_CMD_CAP_DUMP,
    GENL_HDRLEN,
    GENL_UNS_ADMIN_PERM,
    GenlMsgHdr,
)
from simkernel.uapi.netlink import (
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_ECHO,
    NLM_F_REQUEST,
    NLMSG_HDRLEN,
    align4,
)

if TYPE_CHECKING:
    from simkernel.kernel.netlink.dump import DumpCallback
    from simkernel.kernel.netlink.policy import Found
    from simkernel.kernel.netlink.writer import MessageWriter

KNOWN_FLAGS: Final = NLM_F_REQUEST | NLM_F_ACK | NLM_F_ECHO

_HEADER = GenlMsgHdr.LAYOUT


Guard = Callable[[Any, str], AbstractContextManager[object]]
"""Goes round each call into a family's own code: an exception in a module ends there (kernel/oops.py)."""


class Dispatcher:
    """Checks messages and hands them to operations."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def handle(self, family: Family, request: Request) -> object:
        """`genl_family_rcv_msg()`.

        ENOENT where the family is not, EINVAL for a header that is too short or breaks the rules,
        EOPNOTSUPP for a command it lacks, EPERM, and whatever the operation says.
        """
        if not family.everywhere and not request.net.initial:
            raise os_error(ENOENT)
        if request.length < NLMSG_HDRLEN + GENL_HDRLEN + family.header_size:
            raise os_error(EINVAL)
        command, _, reserved = _HEADER.unpack_from(request.data, request.start + NLMSG_HDRLEN)
        dumps = request.flags & NLM_F_DUMP == NLM_F_DUMP
        if command >= family.strict_from:
            _check_header(request, reserved, dumps)
        operation = family.operation(command, GENL_CMD_CAP_DUMP if dumps else GENL_CMD_CAP_DO)
        if operation is None:
            raise os_error(EOPNOTSUPP)
        # Both permissions ask for the same here, as all namespaces have one owner.
        if operation.flags & (GENL_ADMIN_PERM | GENL_UNS_ADMIN_PERM) and not request.capable(CAP_NET_ADMIN):
            raise os_error(EPERM)
        if dumps:
            return self._dump(family, request, operation)
        return self._do(family, request, operation)

    def _do(self, family: Family, request: Request, operation: Operation) -> object:
        """`genl_family_rcv_msg_doit()`"""
        info = Info(request, family, operation, _parse(family, request, operation, DONT_VALIDATE_STRICT))
        _trace(request, family, operation, "genl_doit")
        assert operation.do is not None
        where = f"{family.name} {operation.name} doit"
        with self._guard(family.owner, where):
            result = operation.do(info)
        if isinstance(result, Awaitable):
            return self._sleep(result, family.owner, where)
        return None

    async def _sleep(self, pending: Awaitable[object], owner: Owner | None, where: str) -> None:
        """An operation that sleeps.  Its module stays meanwhile (on Linux, whoever unloads it waits)."""
        if not get_owner(owner):
            raise os_error(ENODEV)
        try:
            with self._guard(owner, where):
                await pending
        finally:
            put_owner(owner)

    def _dump(self, family: Family, request: Request, operation: Operation) -> object:
        """`genl_family_rcv_msg_dumpit()`"""
        dumper = operation.dump
        assert dumper is not None
        where = f"{family.name} {operation.name} dumpit"
        info = Info(request, family, operation, {})

        def begin(callback: DumpCallback) -> object:
            """`genl_start()`"""
            info.found = _parse(family, request, operation, DONT_VALIDATE_DUMP_STRICT)
            info.callback = callback
            _trace(request, family, operation, "genl_dumpit")
            if dumper.begin is None:
                return None
            with self._guard(family.owner, where):
                pending = dumper.begin(info)
            return self._sleep(pending, family.owner, where) if isinstance(pending, Awaitable) else None

        def step(writer: MessageWriter, callback: DumpCallback) -> bool:
            """`genl_dumpit()`"""
            with self._guard(family.owner, where):
                return dumper.step(writer, info)

        def done(callback: DumpCallback) -> None:
            """`genl_done()`"""
            if dumper.done is not None:
                with self._guard(family.owner, where):
                    dumper.done(info)

        return dump.start(request, step, begin=begin, done=done, owner=family.owner)


def _check_header(request: Request, reserved: int, dumps: bool) -> None:
    """`genl_header_check()`"""
    if reserved:
        request.extack.message = "genlmsghdr.reserved field is not 0"
        raise os_error(EINVAL)
    flags = request.flags & ~NLM_F_DUMP if dumps else request.flags
    if flags & ~KNOWN_FLAGS:
        request.extack.message = "ambiguous or reserved bits set in nlmsg_flags"
        raise os_error(EINVAL)


def _parse(family: Family, request: Request, operation: Operation, lenient: int) -> Found:
    """The attributes, checked (`genl_family_rcv_msg_attrs_parse()`).

    Without a policy they are not looked at.
    """
    table = operation.policy
    if table is None:
        return {}
    validate = policy.LIBERAL if operation.validate & lenient else policy.STRICT
    start = request.start + NLMSG_HDRLEN + align4(GENL_HDRLEN + family.header_size)
    return policy.parse(request, start, table, table.maxattr, validate)


def _trace(request: Request, family: Family, operation: Operation, name: str) -> None:
    if (emit := request.sock.netlink.engine.trace.emit) is not None:
        owner = family.owner
        layer, track = (KERNEL, "netlink") if owner is None else (DRIVER, owner.name)
        emit(name, layer, track, family=family.name, cmd=operation.name)
