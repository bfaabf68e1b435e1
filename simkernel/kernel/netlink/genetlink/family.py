"""A generic netlink family, its operations, and the requests they handle (include/net/genetlink.h)."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Any, Final, NoReturn

import attrs

from simkernel.kernel.net.truesize import GOOD_TRUESIZES, GOODSIZE, truesize
from simkernel.kernel.netlink.dump import DumpCallback
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.owner import Owner
from simkernel.kernel.netlink.policy import LIBERAL, STRICT, Found, Validator, validator
from simkernel.kernel.netlink.sock import NetlinkSock
from simkernel.kernel.netlink.writer import MessageWriter
from simkernel.kernel.sched.credentials import Credentials
from simkernel.uapi.errno import EOPNOTSUPP, os_error
from simkernel.uapi.genetlink import GENL_ADMIN_PERM, GENL_HDRLEN, GENL_UNS_ADMIN_PERM, GenlMsgHdr
from simkernel.uapi.netlink import NLMSG_HDRLEN, NlMsgHdr, align4
from simkernel.ynl.policy import REJECT_ALL, PolicyTable

DONT_VALIDATE_STRICT: Final = 1
"""A request may have unknown and overlong attributes."""
DONT_VALIDATE_DUMP: Final = 2
"""A dump's attributes are not looked at; it has no policy."""
DONT_VALIDATE_DUMP_STRICT: Final = 4
"""DONT_VALIDATE_STRICT for dumps (GENL_DONT_VALIDATE_*)."""

DoIt = Callable[["Info"], Any]
"""Answers a request: OSError is its error.  What it returns is awaited if it is awaitable, and
otherwise of no interest."""


@attrs.frozen(eq=False)
class Dumper:
    """How a dump is made: `begin` may refuse it and may sleep, `step` writes messages (see dump.Dump),
    `done` ends it.
    """

    step: Callable[[MessageWriter, Info], bool]
    begin: Callable[[Info], object] | None = None
    done: Callable[[Info], None] | None = None


def unable(info: Info) -> None:
    """What a dump does when it is asked as a request, which it never is."""
    raise os_error(EOPNOTSUPP)


@attrs.frozen(eq=False)
class Operation:
    """One way to ask for a command: as a request, or as a dump (`struct genl_split_ops`).

    `flags` are GENL_ADMIN_PERM and such, and GENL_CMD_CAP_DO or GENL_CMD_CAP_DUMP.  `validator` is
    what checks the attributes; without a policy they are not looked at.
    """

    command: int
    name: str
    flags: int
    policy: PolicyTable | None
    do: DoIt = unable
    dump: Dumper | None = None
    validate: int = 0
    sleeps: bool = attrs.field(init=False, repr=False)
    privileged: bool = attrs.field(init=False, repr=False)
    validator: Validator | None = attrs.field(init=False, repr=False)

    @sleeps.default
    def _says_that_it_sleeps(self) -> bool:
        """Whether `do` says so itself, by an attribute `sleeps`: then it makes a coroutine."""
        return bool(getattr(self.do, "sleeps", False))

    @privileged.default
    def _is_privileged(self) -> bool:
        """Both permissions ask for CAP_NET_ADMIN here, as all namespaces have one owner."""
        return bool(self.flags & (GENL_ADMIN_PERM | GENL_UNS_ADMIN_PERM))

    @validator.default
    def _make_validator(self) -> Validator | None:
        """`genl_family_rcv_msg_attrs_parse()`"""
        if self.policy is None:
            return None
        lenient = DONT_VALIDATE_STRICT if self.dump is None else DONT_VALIDATE_DUMP_STRICT
        return validator(self.policy, LIBERAL if self.validate & lenient else STRICT)


@attrs.frozen(eq=False)
class Command:
    """A command with its one or two operations."""

    number: int
    do: Operation | None = None
    dump: Operation | None = None
    operations: tuple[Operation, ...] = attrs.field(init=False, repr=False)
    """The operations that there are: do before dump."""
    flags: int = attrs.field(init=False, repr=False)
    """The flags of both."""

    @operations.default
    def _both(self) -> tuple[Operation, ...]:
        return tuple(each for each in (self.do, self.dump) if each is not None)

    @flags.default
    def _flags_of_both(self) -> int:
        return (self.do.flags if self.do else 0) | (self.dump.flags if self.dump else 0)


@attrs.frozen
class Group:
    """A multicast group.  Only who has one of `capabilities` may join it, anybody if there are none."""

    name: str
    capabilities: tuple[int, ...] = ()


@attrs.define(eq=False)
class Family:
    """A generic netlink family.

    `id` and `first_group` are given at registration, and `description` is what nlctrl tells of it.
    Commands from `strict_from` on have the header of their requests checked too (`resv_start_op`).
    `everywhere` says whether it is there in all namespaces or only in the initial one (`netnsok`);
    `parallel`, whether it does without the lock that lets one request of all families be handled at
    a time (`parallel_ops`); `split`, whether do and dump are declared apart (`split_ops`).
    """

    name: str
    commands: tuple[Command, ...] = ()
    groups: tuple[Group, ...] = ()
    version: int = 1
    header_size: int = 0
    maxattr: int = 0
    strict_from: int = 0
    everywhere: bool = True
    parallel: bool = False
    split: bool = True
    owner: Owner | None = None
    on_join: Callable[[int], None] | None = None
    """Told which of its groups somebody joins (`genl_family.bind`)."""
    on_leave: Callable[[int], None] | None = None
    on_release: Callable[[NetlinkSock], None] | None = None
    """Told of every generic netlink socket that is closed (`sock_priv_destroy`)."""
    id: int = 0
    first_group: int = 0
    description: bytes = attrs.field(default=b"", repr=False)
    doit: dict[int, Operation] = attrs.field(init=False, repr=False)
    dumpit: dict[int, Operation] = attrs.field(init=False, repr=False)
    """Its operations by command (`genl_get_cmd()`)."""
    min_length: int = attrs.field(init=False, repr=False)
    """Bytes of the headers of a message."""
    attributes_offset: int = attrs.field(init=False, repr=False)
    """Where in a message the attributes begin."""

    def __attrs_post_init__(self) -> None:
        self.doit = {each.number: each.do for each in self.commands if each.do is not None}
        self.dumpit = {each.number: each.dump for each in self.commands if each.dump is not None}
        self.min_length = NLMSG_HDRLEN + GENL_HDRLEN + self.header_size
        self.attributes_offset = align4(self.min_length)

    def shown_policy(self, operation: Operation | None) -> PolicyTable | None:
        """What programs are told that an operation accepts.

        One of a split family without a policy is said to accept nothing, though it ignores whatever
        comes (`genl_op_fill_in_reject_policy_split()` is for the listing only).
        """
        if operation is None:
            return None
        return operation.policy or (REJECT_ALL if self.split else None)

    def command(self, number: int) -> Command | None:
        """The command of that number."""
        return next((command for command in self.commands if command.number == number), None)


MIN_LENGTH: Final = NLMSG_HDRLEN + GENL_HDRLEN
"""Bytes of the headers of a message."""

_pack = Struct(NlMsgHdr.LAYOUT.format + GenlMsgHdr.LAYOUT.format.lstrip("<")).pack


class Info(Request):
    """A request to a family.  `found` says where its attributes are, the last of each type.

    A dump has besides `callback`, which is how netlink sees it, and `state`, where it keeps how far
    it has come.
    """

    __slots__ = ("callback", "family", "found", "operation", "state")

    family: Family
    operation: Operation
    found: Found
    callback: DumpCallback
    state: Any

    @property
    def credentials(self) -> Credentials:
        """What who asks may do."""
        return self.task.credentials

    @property
    def attributes_start(self) -> int:
        """Where in `data` the attributes begin."""
        return self.start + self.family.attributes_offset

    def payload(self, type: int) -> bytes | None:
        """The payload of an attribute; None if it is not there."""
        place = self.found.get(type)
        return None if place is None else self.data[place[0] : place[1]]

    def fail(
        self, error: int, text: str | None = None, *, attribute: int | None = None, missing: int | None = None
    ) -> NoReturn:
        """Refuse the request with an errno, and say why: a text, the type of the attribute that is at
        fault, or of the one that should have been there.
        """
        extack = self.extack
        if text is not None:
            extack.message = text
        if attribute is not None and (place := self.found.get(attribute)) is not None:
            extack.attribute(place[0] - 4 - self.start)
        if missing is not None:
            extack.missing_type = missing
        raise os_error(error)

    def message(self, command: int, attributes: bytes, flags: int = 0) -> bytes:
        """A message that answers the request, its attributes padded (`genlmsg_put()`)."""
        family = self.family
        portid, length = self.inbound.sender.portid, MIN_LENGTH + len(attributes)
        headers = _pack(length, family.id, flags, self.seq, portid, command, family.version, 0)
        return headers + attributes

    def reply(self, command: int, attributes: bytes, flags: int = 0) -> None:
        """Send one message back (`genlmsg_reply()`).  EAGAIN if its queue has no room."""
        sock, family = self.sock, self.family
        netlink = sock.netlink
        netlink.engine.charged += netlink.message_costs.genl_reply
        # INLINE: simkernel.kernel.netlink.genetlink.family.Info.message, 50 ns
        portid, length = self.inbound.sender.portid, MIN_LENGTH + len(attributes)
        headers = _pack(length, family.id, flags, self.seq, portid, command, family.version, 0)
        try:
            size = GOOD_TRUESIZES[length]
        except IndexError:
            size = truesize(GOODSIZE, length)
        sock.send_in(headers + attributes, portid, size)
