"""A specification read: plain, immutable, all names resolved that can be.

`read.py` makes these; everything else in this package works from them.
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
    """A named number, or a text that only C can read."""

    name: str
    value: int | str
    doc: str = ""


@attrs.frozen
class Entry:
    """One name of an enumeration.  `value` is the number; of flags, the number of the bit."""

    name: str
    value: int
    doc: str = ""


@attrs.frozen(eq=False)
class Enumeration:
    """Names for numbers, or for bits."""

    name: str
    is_flags: bool
    entries: tuple[Entry, ...]
    doc: str = ""

    @property
    def range(self) -> tuple[int, int] | None:
        """The least and the greatest number; None where there are holes between them, or no numbers."""
        values = [entry.value for entry in self.entries]
        if not values or max(values) - min(values) + 1 != len(values):
            return None
        return min(values), max(values)

    @property
    def bits(self) -> dict[str, int]:
        """The entries as masks."""
        return {entry.name: 1 << entry.value for entry in self.entries}

    @property
    def numbers(self) -> dict[str, int]:
        """The entries as numbers."""
        return {entry.name: entry.value for entry in self.entries}


@attrs.frozen(eq=False)
class Structure:
    """A C structure, known by name only."""

    name: str
    members: tuple[str, ...]
    doc: str = ""


Definition: TypeAlias = Constant | Enumeration | Structure


@attrs.frozen
class Checks:
    """What the kernel checks of an attribute beyond its type, all limits as numbers."""

    minimum: int | None = None
    maximum: int | None = None
    flags_mask: Enumeration | None = None
    min_length: int | None = None
    max_length: int | None = None
    exact_length: int | None = None
    unterminated_ok: bool = False


@attrs.frozen(eq=False)
class Attribute:
    """One attribute of a set.  `number` is its type on the wire, `nested` the name of the set inside."""

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
    """A space of attributes, by name, in the order of the specification."""

    name: str
    attributes: Mapping[str, Attribute]
    doc: str = ""
    subset_of: str = ""


@attrs.frozen
class Mode:
    """The attributes that a do or a dump takes and gives; None: no message of that kind is described."""

    request: tuple[str, ...] | None = None
    reply: tuple[str, ...] | None = None


@attrs.frozen(eq=False)
class Operation:
    """A command, or a message that the kernel sends by itself (`notify` or `event`).

    The numbers are those of the generic netlink header, in either direction; None: never sent so.
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
        """Whether the kernel sends it unasked."""
        return bool(self.notify) or self.event is not None


@attrs.frozen
class Group:
    """A multicast group."""

    name: str
    flags: tuple[str, ...] = ()


@attrs.frozen(eq=False)
class Spec:
    """A family's specification."""

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
    """The keys of NAME.simkernel.yaml, which are not part of YNL."""
    derived: dict[str, Any] = attrs.field(factory=dict, init=False, repr=False)
    """What has been made of the specification so far: policies and codecs are made once per process."""

    def operation(self, name: str) -> Operation:
        """The operation of that name.  Raises ValueError with the nearest names."""
        try:
            return self.operations[name]
        except KeyError:
            raise ValueError(
                f"{self.name} has no operation '{name}'; {choose(name, self.operations)}"
            ) from None

    def message(self, operation: Operation, mode: ModeName, direction: Direction) -> tuple[str, ...] | None:
        """The attributes that a message of `operation` lists; None if it has no such message.

        An event or a notification is the reply of mode `event`.
        """
        if mode == "event":
            if direction == "request" or not operation.is_asynchronous:
                return None
            return operation.event if operation.event is not None else self._shared_reply(operation)
        described = operation.do if mode == "do" else operation.dump
        if described is None:
            return None
        # A request without attributes, or an answer that is an acknowledgement, need not be described.
        return (described.request if direction == "request" else described.reply) or ()

    def _shared_reply(self, notification: Operation) -> tuple[str, ...]:
        operation = self.operations.get(notification.notify)
        modes = (operation.do, operation.dump) if operation is not None else ()
        return next((mode.reply for mode in modes if mode and mode.reply is not None), ())

    def require_support(self) -> None:
        """Raise SpecError if the specification uses what simkernel lacks: it can be described, not used."""
        if self.unsupported:
            first = self.unsupported[0]
            more = len(self.unsupported) - 1
            raise SpecError(
                self.filename,
                first.line,
                first.key,
                f"simkernel does not support {first.feature}" + (f" (nor {more} more)" if more else ""),
            )
