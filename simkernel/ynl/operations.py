"""Reader of the operations of a specification: their numbers and the attributes of their messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from simkernel.ynl.document import Node
from simkernel.ynl.errors import choose
from simkernel.ynl.model import AttributeSet, Group, Mode, Operation
from simkernel.ynl.shapes import Level

_MAX_COMMAND = 255
_SILENT = frozenset({"pad", "unused"})


class OperationReader:
    """Reads operations.  Raises SpecError for the first mistake.

    A raw netlink protocol can be described, but not used.  Its messages list members of fixed headers as
    if they were attributes.  So only the form of its operations is checked.
    """

    def __init__(self, sets: Mapping[str, AttributeSet], groups: tuple[Group, ...], level: Level) -> None:
        self._sets = sets
        self._groups = {group.name: group for group in groups}
        self._is_generic = level < Level.NETLINK_RAW

    def read(self, node: Node) -> dict[str, Operation]:
        """Return the operations by name, in the order of the specification."""
        operations: dict[str, Operation] = {}
        directional = node.text("enum-model") == "directional"
        numbered = list((_directional if directional else _unified)(node.entries("list")))
        if self._is_generic:
            _check_numbers(numbered, directional)
        for item, request, reply in numbered:
            name = item.text("name")
            if name in operations:
                raise item.error(f"two operations are called '{name}'")
            operations[name] = self._operation(item, request, reply)
        if self._is_generic:
            _check_notifications(node.entries("list"), operations)
        return {name: _with_set(operation, operations) for name, operation in operations.items()}

    def _operation(self, node: Node, request: int | None, reply: int | None) -> Operation:
        attribute_set = node.reference("attribute-set", "attribute set", self._sets)
        group = node.reference("mcgrp", "multicast group", self._groups)
        event = node.get("event")
        if event is not None and node.get("notify") is not None:
            raise event.error("an operation cannot have both 'event' and 'notify'")
        return Operation(
            node.text("name"),
            node.text("doc"),
            request,
            reply,
            attribute_set.name if attribute_set else "",
            node.texts("flags"),
            node.texts("dont-validate"),
            self._mode(node.get("do"), attribute_set),
            self._mode(node.get("dump"), attribute_set),
            node.text("notify"),
            self._attributes(event, attribute_set),
            group.name if group else "",
            node.text("config-cond"),
        )

    def _mode(self, node: Node | None, attribute_set: AttributeSet | None) -> Mode | None:
        if node is None:
            return None
        return Mode(
            self._attributes(node.get("request"), attribute_set),
            self._attributes(node.get("reply"), attribute_set),
        )

    def _attributes(self, node: Node | None, attribute_set: AttributeSet | None) -> tuple[str, ...] | None:
        """Return the names of the attributes that the specification lists for a message, or None if it does
        not describe the message.
        """
        if node is None:
            return None
        if self._is_generic:
            _check_attributes(node.entries("attributes"), attribute_set)
        return node.texts("attributes")


def _with_set(operation: Operation, operations: Mapping[str, Operation]) -> Operation:
    """Return `operation`. If it is a notification without an attribute set, return a copy with the attribute
    set of the operation that its key `notify` names.
    """
    shared = operations.get(operation.notify)
    if shared is None or operation.attribute_set:
        return operation
    return attrs.evolve(operation, attribute_set=shared.attribute_set)


def _unified(items: list[Node]) -> Iterator[tuple[Node, int | None, int | None]]:
    """Number all messages in one sequence, from 1 (enum-model: unified)."""
    number = 0
    for item in items:
        given = item.number("value")
        number = number + 1 if given is None else given
        asynchronous = item.get("notify") is not None or item.get("event") is not None
        yield item, None if asynchronous else number, number


def _directional(items: list[Node]) -> Iterator[tuple[Node, int | None, int | None]]:
    """Number requests and replies separately (enum-model: directional).

    A reply without content has no number.
    """
    request = reply = 1
    for item in items:
        mode = item.get("do") or item.get("dump")
        if item.get("notify") is not None or item.get("event") is not None:
            given = item.number("value")
            reply = reply if given is None else given
            yield item, None, reply
            reply += 1
        elif mode is None:
            raise item.error("expected 'do', 'dump', 'notify' or 'event'")
        else:
            request = _own_number(mode, "request", request)
            reply = _own_number(mode, "reply", reply)
            answers = mode.get("reply") is not None
            yield item, request, reply if answers else None
            request += 1
            reply += 1 if answers else 0


def _own_number(mode: Node, direction: str, following: int) -> int:
    message = mode.get(direction)
    given = message.number("value") if message is not None else None
    return following if given is None else given


def _check_numbers(numbered: list[tuple[Node, int | None, int | None]], directional: bool) -> None:
    """Check that each command number fits into a byte and is used once.  In the directional model, two
    replies may have the same number.
    """
    requests: dict[int, str] = {}
    replies: dict[int, str] = {}
    for item, request, reply in numbered:
        for number, taken in ((request, requests), (reply, {} if directional else replies)):
            if number is None:
                continue
            if number > _MAX_COMMAND:
                raise item.error(f"a command's value is at most {_MAX_COMMAND}, found {number}")
            if number in taken:
                raise item.error(
                    f"'{item.text('name')}' has the value {number}, and so has '{taken[number]}'"
                )
            taken[number] = item.text("name")


def _check_attributes(items: list[Node], attribute_set: AttributeSet | None) -> None:
    """Check that the attributes of a message are known, listed once, and have a payload."""
    seen: set[str] = set()
    for item in items:
        name = str(item.value)
        if attribute_set is None:
            raise item.error("the operation needs an 'attribute-set', because it lists attributes")
        known = attribute_set.attributes
        if name not in known:
            raise item.error(f"'{attribute_set.name}' has no attribute '{name}'; {choose(name, known)}")
        if known[name].type in _SILENT:
            raise item.error(f"'{name}' is of type {known[name].type} and has no payload")
        if name in seen:
            raise item.error(f"'{name}' is listed twice")
        seen.add(name)


def _check_notifications(items: list[Node], operations: Mapping[str, Operation]) -> None:
    """Check that each notification refers to an operation with a reply."""
    answering = [
        name
        for name, operation in operations.items()
        if any(mode is not None and mode.reply is not None for mode in (operation.do, operation.dump))
    ]
    for item in items:
        reference = item.get("notify")
        if reference is not None and reference.value not in answering:
            known = choose(reference.value, answering)
            raise reference.error(f"no operation with a reply is called '{reference.value}'; {known}")
