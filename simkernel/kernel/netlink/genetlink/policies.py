"""CTRL_CMD_GETPOLICY: a dump of the policies of a family's operations (genetlink.c)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import attrs

from simkernel.kernel.netlink.genetlink.family import Command, Family, Info
from simkernel.kernel.netlink.owner import get_owner, put_owner
from simkernel.kernel.netlink.policy_dump import PolicyDump
from simkernel.kernel.netlink.writer import BufferFull, MessageWriter
from simkernel.uapi import genetlink as genl
from simkernel.uapi.errno import ENODATA, ENOENT, os_error
from simkernel.uapi.netlink import NLM_F_MULTI
from simkernel.uapi.structure import U32
from simkernel.ynl.policy import PolicyTable

_HEADER = genl.GenlMsgHdr.LAYOUT


@attrs.define(eq=False)
class PolicyContext:
    """State of a policy dump (`struct ctrl_dump_policy_ctx`). `commands` contains the commands that the dump
    has not yet sent. After the commands, the dump sends the policy tables in `tables`.

    `single`: the request names one command.
    """

    family: Family
    tables: PolicyDump
    commands: deque[Command]
    single: bool


def begin(info: Info, family: Family) -> None:
    """Collect the policy tables of a family, or of the one command that the request names.

    Raise ENOENT if the family lacks that command, ENODATA if no operation has a policy.
    """
    if not get_owner(family.owner):
        raise os_error(ENOENT)
    try:
        commands = _wanted(info, family)
        single = genl.CTRL_ATTR_OP in info.found
        tables = _collect(family, commands, single)
        if tables is None:
            raise os_error(ENODATA)
    except OSError:
        put_owner(family.owner)
        raise
    info.state = PolicyContext(family, tables, deque(commands), single)


def _wanted(info: Info, family: Family) -> tuple[Command, ...]:
    payload = info.payload(genl.CTRL_ATTR_OP)
    if payload is None:
        return family.commands
    command = family.command(U32.unpack_from(payload)[0])
    if command is None:
        info.fail(ENOENT, attribute=genl.CTRL_ATTR_OP)
    return (command,)


def _collect(family: Family, commands: Iterable[Command], single: bool) -> PolicyDump | None:
    dump: PolicyDump | None = None
    for command in commands:
        for table in _tables(family, command, single):
            if table is not None:
                dump = dump or PolicyDump()
                dump.add(table)
    return dump


def _tables(family: Family, command: Command, single: bool) -> tuple[PolicyTable | None, PolicyTable | None]:
    """Return the policies of a command's do and dump operations, as a CTRL_CMD_GETPOLICY dump shows them.

    A policy that rejects all attributes is included only in a dump of all commands: on Linux,
    `genl_op_iter_next()` adds it, but `genl_get_cmd_both()` does not.
    """
    operations = (command.do, command.dump)
    if single:
        do, dump = (None if each is None else each.policy for each in operations)
    else:
        do, dump = map(family.shown_policy, operations)
    return do, dump


def step(writer: MessageWriter, info: Info) -> bool:
    """Write as many messages as fit (`ctrl_dumppolicy()`). If no message is written, return False, so that
    the dump ends.
    """
    context: PolicyContext = info.state
    try:
        while context.commands:
            _write_command(writer, info, context.commands[0])
            context.commands.popleft()
        while not context.tables.finished:
            _write_table(writer, info)
    except BufferFull:
        pass
    return bool(writer.data)


def done(info: Info) -> None:
    """Drop the reference to the family's module at the end of the dump (`ctrl_dumppolicy_done()`)."""
    context: PolicyContext = info.state
    put_owner(context.family.owner)


@contextmanager
def _message(writer: MessageWriter, info: Info) -> Iterator[None]:
    """Context manager that writes the headers of a policy message on entry. If the contents of the message do
    not fit, the context manager removes the message.

    If only its headers fit, they remain in the buffer, as on Linux (`ctrl_dumppolicy_prep()`).
    """
    context: PolicyContext = info.state
    header = _HEADER.pack(genl.CTRL_CMD_GETPOLICY, info.family.version, 0)
    place = writer.begin(info.family.id, NLM_F_MULTI, info.seq, info.portid, header)
    writer.put_u16(genl.CTRL_ATTR_FAMILY_ID, context.family.id)
    try:
        yield
    except BufferFull:
        writer.cut(place)
        raise
    writer.end(place)


def _write_command(writer: MessageWriter, info: Info, command: Command) -> None:
    """Write the indexes of a command's policies (`ctrl_dumppolicy_put_op()`)."""
    context: PolicyContext = info.state
    do, dump = _tables(context.family, command, context.single)
    if do is None and dump is None:
        return
    with _message(writer, info):
        policies = writer.nest(genl.CTRL_ATTR_OP_POLICY)
        # If a command has only a dump operation, Linux writes 0 instead of the command's number.
        # Conformance case: nlctrl.policy_dump.
        operation = writer.nest(command.number if command.do is not None else 0)
        if do is not None:
            writer.put_u32(genl.CTRL_ATTR_POLICY_DO, context.tables.index(do))
        if dump is not None:
            writer.put_u32(genl.CTRL_ATTR_POLICY_DUMP, context.tables.index(dump))
        writer.end_nest(operation)
        writer.end_nest(policies)


def _write_table(writer: MessageWriter, info: Info) -> None:
    """Write a message with the policy of one attribute."""
    context: PolicyContext = info.state
    with _message(writer, info):
        nest = writer.nest(genl.CTRL_ATTR_POLICY)
        context.tables.write(writer)
        writer.end_nest(nest)
