"""What a family is: its commands, groups and rules (`struct genl_family`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import attrs

from simkernel.kernel.netlink.policy import LIBERAL, STRICT, Validator, validator
from simkernel.uapi.errno import EOPNOTSUPP, os_error
from simkernel.uapi.genetlink import GENL_ADMIN_PERM, GENL_HDRLEN, GENL_UNS_ADMIN_PERM
from simkernel.uapi.netlink import NLMSG_HDRLEN, align4
from simkernel.ynl.policy import REJECT_ALL

if TYPE_CHECKING:
    from simkernel.kernel.netlink.genetlink.info import Info
    from simkernel.kernel.netlink.socket import NetlinkSocket
    from simkernel.kernel.netlink.table import Owner
    from simkernel.kernel.netlink.writer import MessageWriter
    from simkernel.ynl.policy import PolicyTable

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
    on_release: Callable[[NetlinkSocket], None] | None = None
    """Told of every generic netlink socket that is closed (`sock_priv_destroy`)."""
    id: int = 0
    first_group: int = 0
    description: bytes = attrs.field(default=b"", repr=False)
    doit: dict[int, Operation] = attrs.field(init=False, repr=False)
    dumpit: dict[int, Operation] = attrs.field(init=False, repr=False)
    """Its operations by command (`genl_get_cmd()`)."""
    shortest: int = attrs.field(init=False, repr=False)
    """Bytes of the headers of a message."""
    attributes_offset: int = attrs.field(init=False, repr=False)
    """Where in a message the attributes begin."""

    def __attrs_post_init__(self) -> None:
        self.doit = {each.number: each.do for each in self.commands if each.do is not None}
        self.dumpit = {each.number: each.dump for each in self.commands if each.dump is not None}
        self.shortest = NLMSG_HDRLEN + GENL_HDRLEN + self.header_size
        self.attributes_offset = align4(self.shortest)

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

    def group_id(self, name: str) -> int:
        """The number by which one joins a group.  KeyError if there is none of that name."""
        for index, group in enumerate(self.groups):
            if group.name == name:
                return self.first_group + index
        raise KeyError(name)
