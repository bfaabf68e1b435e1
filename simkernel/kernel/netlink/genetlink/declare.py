"""A family from its specification: its policies, and operations around handlers that speak in dicts."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from simkernel.kernel.netlink.genetlink.call import Call, Handlers, Values
from simkernel.kernel.netlink.genetlink.family import (
    DONT_VALIDATE_DUMP,
    DONT_VALIDATE_DUMP_STRICT,
    DONT_VALIDATE_STRICT,
    Command,
    Dumper,
    Family,
    Group,
    Operation,
)
from simkernel.kernel.netlink.writer import MessageWriter
from simkernel.uapi import genetlink as genl
from simkernel.uapi.capability import CAP_NET_ADMIN
from simkernel.uapi.ynl import Operation as SpecOperation
from simkernel.uapi.ynl import Spec
from simkernel.uapi.ynl.codec import codec
from simkernel.uapi.ynl.policy import REJECT_ALL, PolicyTable
from simkernel.uapi.ynl.tables import family_policies

if TYPE_CHECKING:
    from simkernel.kernel.netlink.genetlink.info import Info
    from simkernel.kernel.netlink.table import Owner

RESERVED_FROM: Final = "resv-start-op"
"""Under x-simkernel: the first command whose requests have their header checked; all, if not said."""

FLAGS: Final = {"admin-perm": genl.GENL_ADMIN_PERM, "uns-admin-perm": genl.GENL_UNS_ADMIN_PERM}
VALIDATE: Final = {
    "strict": DONT_VALIDATE_STRICT,
    "dump": DONT_VALIDATE_DUMP,
    "dump-strict": DONT_VALIDATE_DUMP_STRICT,
}


def declare(
    spec: Spec,
    handlers: Mapping[str, Handlers],
    *,
    owner: Owner | None = None,
    everywhere: bool = True,
    parallel: bool = False,
) -> Family:
    """The family of a specification, with the operations that `handlers` has, by their names.

    SpecError for a specification that is not for use, ValueError for handlers that do not fit it.
    """
    policies = family_policies(spec)
    split = spec.kernel_policy == "split"
    strict_from = spec.extras.get(RESERVED_FROM, 0)
    if not isinstance(strict_from, int):
        raise ValueError(f"{spec.filename}: {RESERVED_FROM} is a command's number, not {strict_from!r}")
    commands = []
    for name, each in handlers.items():
        operation = spec.operation(name)
        tables = policies.operations.get(name)
        if tables is None or operation.request_number is None:
            raise ValueError(f"{spec.name}: '{name}' is sent by the kernel, nobody asks for it")
        fallback = None if split or operation.request_number < strict_from else REJECT_ALL
        commands.append(
            Command(
                operation.request_number,
                _do(spec, operation, each, tables.do or fallback),
                _dump(spec, operation, each, tables.dump or fallback),
            )
        )
    return Family(
        spec.name,
        tuple(sorted(commands, key=lambda command: command.number)),
        tuple(
            Group(group.name, (CAP_NET_ADMIN,) if "admin-perm" in group.flags else ())
            for group in spec.groups
        ),
        version=spec.version,
        maxattr=policies.maxattr,
        strict_from=strict_from,
        everywhere=everywhere,
        parallel=parallel,
        split=split,
        owner=owner,
    )


def _capabilities(flags: Iterable[str]) -> tuple[int, ...]:
    """What the members of a group need (GENL_MCAST_CAP_NET_ADMIN)."""
    return (CAP_NET_ADMIN,) if "admin-perm" in flags else ()


def _flags(operation: SpecOperation, kind: int) -> int:
    return kind | sum(FLAGS[flag] for flag in operation.flags)


def _validate(operation: SpecOperation) -> int:
    return sum(VALIDATE[each] for each in operation.dont_validate)


def _do(
    spec: Spec, operation: SpecOperation, handlers: Handlers, policy: PolicyTable | None
) -> Operation | None:
    handler = handlers.do
    if handler is None:
        return None
    assert operation.request_number is not None

    def do(info: Info) -> Awaitable[None] | None:
        call = Call(info, spec, operation, "do")
        result = handler(call)
        if isinstance(result, Awaitable):
            return _reply_later(call, result)
        if result is not None:
            call.reply(result)
        return None

    return Operation(
        operation.request_number,
        operation.name,
        _flags(operation, genl.GENL_CMD_CAP_DO),
        policy,
        do=do,
        validate=_validate(operation),
    )


async def _reply_later(call: Call, pending: Awaitable[Values | None]) -> None:
    values = await pending
    if values is not None:
        call.reply(values)


class _Progress:
    """How far a dump has come: what is still to be read, and the message that did not fit."""

    __slots__ = ("left", "messages")

    def __init__(self) -> None:
        self.messages: Iterator[Values] = iter(())
        self.left: bytes | None = None


def _dump(
    spec: Spec, operation: SpecOperation, handlers: Handlers, policy: PolicyTable | None
) -> Operation | None:
    handler = handlers.dump
    if handler is None:
        return None
    number, reply = operation.request_number, operation.reply_number
    assert number is not None and reply is not None

    def begin(info: Info) -> object:
        info.state = _Progress()
        result = handler(Call(info, spec, operation, "dump"))
        if isinstance(result, Awaitable):
            return _begin_later(info.state, result)
        info.state.messages = iter(result)
        return None

    def step(writer: MessageWriter, info: Info) -> bool:
        progress: _Progress = info.state
        callback = info.callback
        assert callback is not None
        encode = codec(spec, operation.name, "dump", "reply").encode
        if handlers.generation is not None:
            callback.generation = handlers.generation()
        while True:
            data = progress.left
            if data is None:
                values = next(progress.messages, None)
                if values is None:
                    return False
                data = info.message(reply, encode(values), flags=handlers.dump_flags)
            progress.left = data
            place = len(writer.data)
            writer.append(data)
            progress.left = None
            callback.check_consistent(writer, place)

    def done(info: Info) -> None:
        close = getattr(info.state.messages, "close", None)
        if close is not None:
            close()

    return Operation(
        number,
        operation.name,
        _flags(operation, genl.GENL_CMD_CAP_DUMP),
        policy,
        dump=Dumper(step, begin, done),
        validate=_validate(operation),
    )


async def _begin_later(progress: _Progress, pending: Awaitable[Iterable[Values]]) -> None:
    progress.messages = iter(await pending)
