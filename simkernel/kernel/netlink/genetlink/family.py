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
"""Flag of an operation: accept unknown and overlong attributes in a do request."""
DONT_VALIDATE_DUMP: Final = 2
"""Flag of an operation: dump requests have no policy, so their attributes are not validated."""
DONT_VALIDATE_DUMP_STRICT: Final = 4
"""Flag of an operation: accept unknown and overlong attributes in a dump request
(GENL_DONT_VALIDATE_DUMP_STRICT).
"""

DoIt = Callable[["Info"], Any]
"""Function that handles a request and raises OSError on failure. If the result is awaitable, it is awaited.
Other results are ignored.
"""


@attrs.frozen(eq=False)
class Dumper:
    """Functions of a dump: `begin` prepares the dump, and can sleep or refuse the request. `step` writes
    messages (see dump.Dump). `done` ends the dump.
    """

    step: Callable[[MessageWriter, Info], bool]
    begin: Callable[[Info], object] | None = None
    done: Callable[[Info], None] | None = None


def dump_only(info: Info) -> None:
    """Placeholder for the do handler of a dump operation. The kernel does not call this function."""
    raise os_error(EOPNOTSUPP)


@attrs.frozen(eq=False)
class Operation:
    """The do or the dump operation of a command (`struct genl_split_ops`).

    `flags` are GENL_ADMIN_PERM and similar flags, and GENL_CMD_CAP_DO or GENL_CMD_CAP_DUMP. `validator`
    checks the attributes; without a policy it is None, and attributes are ignored.
    """

    command: int
    name: str
    flags: int
    policy: PolicyTable | None
    do: DoIt = dump_only
    dump: Dumper | None = None
    validate: int = 0
    sleeps: bool = attrs.field(init=False, repr=False)
    privileged: bool = attrs.field(init=False, repr=False)
    validator: Validator | None = attrs.field(init=False, repr=False)

    @sleeps.default
    def _says_that_it_sleeps(self) -> bool:
        """Return the value of the do handler's attribute `sleeps`, or False if the handler lacks it. The
        attribute is True if a driver's handler is a coroutine function (driverapi/genl_handlers.py).
        """
        return bool(getattr(self.do, "sleeps", False))

    @privileged.default
    def _is_privileged(self) -> bool:
        """Return True if the operation needs CAP_NET_ADMIN. GENL_ADMIN_PERM and GENL_UNS_ADMIN_PERM have the
        same effect here, because all namespaces have the same owner.
        """
        return bool(self.flags & (GENL_ADMIN_PERM | GENL_UNS_ADMIN_PERM))

    @validator.default
    def _make_validator(self) -> Validator | None:
        """Return the validator of the operation's policy. The operation's flags select strict or liberal
        validation (`genl_family_rcv_msg_attrs_parse()`).
        """
        if self.policy is None:
            return None
        lenient = DONT_VALIDATE_STRICT if self.dump is None else DONT_VALIDATE_DUMP_STRICT
        return validator(self.policy, LIBERAL if self.validate & lenient else STRICT)


@attrs.frozen(eq=False)
class Command:
    """A command with its do operation, its dump operation, or both."""

    number: int
    do: Operation | None = None
    dump: Operation | None = None
    operations: tuple[Operation, ...] = attrs.field(init=False, repr=False)
    """Operations of the command. The do operation precedes the dump operation."""
    flags: int = attrs.field(init=False, repr=False)
    """Union of the flags of the do operation and the dump operation."""

    @operations.default
    def _both(self) -> tuple[Operation, ...]:
        return tuple(each for each in (self.do, self.dump) if each is not None)

    @flags.default
    def _flags_of_both(self) -> int:
        return (self.do.flags if self.do else 0) | (self.dump.flags if self.dump else 0)


@attrs.frozen
class Group:
    """A multicast group. To join it, a task needs all capabilities in `capabilities`."""

    name: str
    capabilities: tuple[int, ...] = ()


@attrs.define(eq=False)
class Family:
    """A generic netlink family with its commands and multicast groups (`struct genl_family`).

    Registration sets `id`, `first_group` and `description` (nlctrl's answer about the family). The request
    headers of commands from `resv_start_op` on are validated too. `netnsok`: the family exists in all
    namespaces, not only in the initial one. `parallel`: its operations run without the lock that
    serializes requests (`parallel_ops`). `split`: do and dump are declared separately (`split_ops`).
    """

    name: str
    commands: tuple[Command, ...] = ()
    groups: tuple[Group, ...] = ()
    version: int = 1
    header_size: int = 0
    maxattr: int = 0
    resv_start_op: int = 0
    netnsok: bool = True
    parallel: bool = False
    split: bool = True
    owner: Owner | None = None
    on_join: Callable[[int], None] | None = None
    """Function that is called before a socket joins a group of the family. Its argument is the index of the
    group in `groups` (`genl_family.bind`).
    """
    on_leave: Callable[[int], None] | None = None
    on_release: Callable[[NetlinkSock], None] | None = None
    """Function that is called when a generic netlink socket is closed, even if the socket never used this
    family (`sock_priv_destroy`).
    """
    id: int = 0
    first_group: int = 0
    description: bytes = attrs.field(default=b"", repr=False)
    doit: dict[int, Operation] = attrs.field(init=False, repr=False)
    dumpit: dict[int, Operation] = attrs.field(init=False, repr=False)
    """Dump operations by command number (`genl_get_cmd()`)."""
    min_length: int = attrs.field(init=False, repr=False)
    """Size of a message's headers in bytes, which is the minimum length of a message."""
    attributes_offset: int = attrs.field(init=False, repr=False)
    """Offset of the attributes in a message of the family, in bytes."""

    def __attrs_post_init__(self) -> None:
        self.doit = {each.number: each.do for each in self.commands if each.do is not None}
        self.dumpit = {each.number: each.dump for each in self.commands if each.dump is not None}
        self.min_length = NLMSG_HDRLEN + GENL_HDRLEN + self.header_size
        self.attributes_offset = align4(self.min_length)

    def shown_policy(self, operation: Operation | None) -> PolicyTable | None:
        """Return the policy of an operation as nlctrl shows it to programs.

        An operation of a split family without a policy is shown as rejecting all attributes, although it
        ignores them: `genl_op_fill_in_reject_policy_split()` affects only the listing.
        """
        if operation is None:
            return None
        return operation.policy or (REJECT_ALL if self.split else None)

    def command(self, number: int) -> Command | None:
        """Return the family's command with the number `number`, or None."""
        return next((command for command in self.commands if command.number == number), None)


MIN_LENGTH: Final = NLMSG_HDRLEN + GENL_HDRLEN
"""Size of a message's netlink and generic netlink headers, in bytes."""

_pack = Struct(NlMsgHdr.LAYOUT.format + GenlMsgHdr.LAYOUT.format.lstrip("<")).pack


class Info(Request):
    """A request to a family (`struct genl_info`). `found` maps each attribute type in the request to the
    start and end offset of the attribute's payload.

    A dump also has `callback`, netlink's state of the dump, and `state`, where the family keeps its
    position.
    """

    __slots__ = ("callback", "family", "found", "operation", "state")

    family: Family
    operation: Operation
    found: Found
    callback: DumpCallback
    state: Any

    @property
    def credentials(self) -> Credentials:
        """Credentials of the task that sends the request."""
        return self.task.credentials

    @property
    def attributes_start(self) -> int:
        """Offset in `data` where the attributes begin."""
        return self.start + self.family.attributes_offset

    def payload(self, type: int) -> bytes | None:
        """Return the payload of an attribute, or None if the request lacks it."""
        place = self.found.get(type)
        return None if place is None else self.data[place[0] : place[1]]

    def fail(
        self, error: int, text: str | None = None, *, attribute: int | None = None, missing: int | None = None
    ) -> NoReturn:
        """Raise OSError with the errno `error`, and report the reason in the extended ACK of the request.

        The reason is an error text, the type of the attribute at fault, or the type of a missing
        attribute.
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
        """Return a message that answers the request (`genlmsg_put()`). The caller has padded `attributes` to
        a multiple of 4 bytes.
        """
        family = self.family
        portid, length = self.inbound.sender.portid, MIN_LENGTH + len(attributes)
        headers = _pack(length, family.id, flags, self.seq, portid, command, family.version, 0)
        return headers + attributes

    def reply(self, command: int, attributes: bytes, flags: int = 0) -> None:
        """Send one message to the requester (`genlmsg_reply()`). Raise EAGAIN if the requester's receive
        queue is full.
        """
        sock, family = self.sock, self.family
        netlink = sock.netlink
        netlink.engine.charged += netlink.message_costs.genl_reply
        # INLINE: simkernel.kernel.netlink.genetlink.family.Info.message, saves 50 ns
        portid, length = self.inbound.sender.portid, MIN_LENGTH + len(attributes)
        headers = _pack(length, family.id, flags, self.seq, portid, command, family.version, 0)
        try:
            size = GOOD_TRUESIZES[length]
        except IndexError:
            size = truesize(GOODSIZE, length)
        sock.send_in(headers + attributes, portid, size)
