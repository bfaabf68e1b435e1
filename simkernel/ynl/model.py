"""The model of a specification: plain, immutable objects with resolved names.

`parse.py` makes them; all other modules of this package use them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import attrs

from simkernel.ynl.document import Plain
from simkernel.ynl.errors import SpecError, choose
from simkernel.ynl.shapes import Unsupported

ModeName: TypeAlias = Literal["do", "dump", "event"]
Direction: TypeAlias = Literal["request", "reply"]


@attrs.frozen(eq=False)
class Constant:
    """A named number, or an expression that only a C compiler can evaluate."""

    name: str
    value: int | str
    doc: str = ""


@attrs.frozen
class Entry:
    """A named value of an enumeration.  For flags, `value` is the number of the bit."""

    name: str
    value: int
    doc: str = ""


@attrs.frozen(eq=False)
class Enumeration:
    """An enum, which names numbers, or a set of flags, which names bits."""

    name: str
    is_flags: bool
    entries: tuple[Entry, ...]
    doc: str = ""

    @property
    def range(self) -> tuple[int, int] | None:
        """The smallest and the largest number, or None if the numbers have gaps or no number is defined."""
        values = [entry.value for entry in self.entries]
        if not values or max(values) - min(values) + 1 != len(values):
            return None
        return min(values), max(values)

    @property
    def bits(self) -> dict[str, int]:
        """Maps the name of each entry to its mask, 1 << `value`."""
        return {entry.name: 1 << entry.value for entry in self.entries}

    @property
    def numbers(self) -> dict[str, int]:
        """Maps the name of each entry to its number."""
        return {entry.name: entry.value for entry in self.entries}


@attrs.frozen(eq=False)
class Structure:
    """A C structure; only its name and the names of its members are known."""

    name: str
    members: tuple[str, ...]
    doc: str = ""


Definition: TypeAlias = Constant | Enumeration | Structure


@attrs.frozen
class Checks:
    """The kernel's checks of an attribute's value, in addition to the check of its type."""

    minimum: int | None = None
    maximum: int | None = None
    flags_mask: Enumeration | None = None
    min_length: int | None = None
    max_length: int | None = None
    exact_length: int | None = None
    unterminated_ok: bool = False


@attrs.frozen(eq=False)
class Attribute:
    """The declaration of one attribute: its name, attribute type (`number`), value type, checks and so on.

    `nested` is the name of the attribute set inside the attribute.
    """

    name: str
    type: str
    number: int
    doc: str = ""
    big_endian: bool = False
    multi: bool = False
    sub_type: str = ""
    nested: str = ""
    type_values: tuple[str, ...] = ()
    enum: Enumeration | None = None
    as_flags: bool = False
    checks: Checks = Checks()
    display_hint: str = ""


@attrs.frozen(eq=False)
class AttributeSet:
    """A set of attributes: a mapping of names to attributes, in the order of the specification."""

    name: str
    attributes: Mapping[str, Attribute]
    doc: str = ""
    subset_of: str = ""


@attrs.frozen
class Mode:
    """The attributes of an operation's request and reply, in one of its modes `do` and `dump`.

    None means that the specification does not describe the message.
    """

    request: tuple[str, ...] | None = None
    reply: tuple[str, ...] | None = None


@attrs.frozen(eq=False)
class Operation:
    """A command, or a message that the kernel sends without a request (`notify` or `event`).

    `request_number` and `reply_number` are the commands in the generic netlink header, or None if there is
    no such message.
    """

    name: str
    doc: str
    request_number: int | None
    reply_number: int | None
    attribute_set: str
    flags: tuple[str, ...] = ()
    dont_validate: tuple[str, ...] = ()
    do: Mode | None = None
    dump: Mode | None = None
    notify: str = ""
    event: tuple[str, ...] | None = None
    group: str = ""
    config_condition: str = ""

    @property
    def is_asynchronous(self) -> bool:
        """True if the kernel sends the message without a request."""
        return bool(self.notify) or self.event is not None


@attrs.frozen
class Group:
    """A multicast group of a family: its name, and flags such as admin-perm."""

    name: str
    flags: tuple[str, ...] = ()


@attrs.frozen(eq=False)
class Spec:
    """The specification of a netlink family."""

    name: str
    doc: str
    filename: str
    source: str = attrs.field(repr=False)
    protocol: str = "genetlink"
    version: int = 1
    uapi_header: str = ""
    kernel_policy: str = "split"
    definitions: Mapping[str, Definition] = attrs.field(factory=dict, repr=False)
    attribute_sets: Mapping[str, AttributeSet] = attrs.field(factory=dict, repr=False)
    operations: Mapping[str, Operation] = attrs.field(factory=dict, repr=False)
    groups: tuple[Group, ...] = ()
    unsupported: tuple[Unsupported, ...] = attrs.field(default=(), repr=False)
    extras: Mapping[str, Plain] = attrs.field(factory=dict, repr=False)
    """Values from the file NAME.simkernel.yaml, with keys that are not part of YNL."""
    derived: dict[str, Any] = attrs.field(factory=dict, init=False, repr=False)
    """Cache of objects that are made from the specification, such as codecs and policies."""

    def operation(self, name: str) -> Operation:
        """Return the operation called `name`.  If it is unknown, raise ValueError with similar names."""
        try:
            return self.operations[name]
        except KeyError:
            raise ValueError(
                f"{self.name} has no operation '{name}'; {choose(name, self.operations)}"
            ) from None

    def message(self, operation: Operation, mode: ModeName, direction: Direction) -> tuple[str, ...] | None:
        """Return the names of the attributes that the specification lists for a message of `operation`, or
        None if the operation has no such message.

        An event or a notification is the reply of mode `event`.
        """
        if mode == "event":
            if direction == "request" or not operation.is_asynchronous:
                return None
            return operation.event if operation.event is not None else self._shared_reply(operation)
        described = operation.do if mode == "do" else operation.dump
        if described is None:
            return None
        # A specification may omit a request without attributes, and a reply that is only an acknowledgement.
        return (described.request if direction == "request" else described.reply) or ()

    def _shared_reply(self, notification: Operation) -> tuple[str, ...]:
        operation = self.operations.get(notification.notify)
        modes = (operation.do, operation.dump) if operation is not None else ()
        return next((mode.reply for mode in modes if mode and mode.reply is not None), ())

    def require_support(self) -> None:
        """Raise SpecError if the specification uses a feature that simkernel does not support.

        It can be described, but not used.
        """
        if self.unsupported:
            first = self.unsupported[0]
            more = len(self.unsupported) - 1
            raise SpecError(
                self.filename,
                first.line,
                first.key,
                f"simkernel does not support {first.feature}" + (f" (nor {more} more)" if more else ""),
            )
