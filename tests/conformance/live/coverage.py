"""Counts of the results of each call. They show which results a search has reached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from simkernel.uapi import netlink as nl
from simkernel.uapi import rtnetlink as rtnl
from simkernel.uapi import socket as so
from simkernel.uapi.structure import U16
from tests.conformance.live.actor import Outcome
from tests.conformance.live.answers import answer_name
from tests.conformance.live.depth import count_messages
from tests.conformance.live.steps import Step

PROTOCOLS: Final = {
    nl.NETLINK_ROUTE: "ROUTE",
    nl.NETLINK_KOBJECT_UEVENT: "KOBJECT_UEVENT",
    nl.NETLINK_GENERIC: "GENERIC",
}
"""Protocols with a kernel socket, and their names."""

MANY: Final = {"flood": "sendto", "drain": "recvmsg", "read_events": "recvmsg", "socket_in": "socket"}
"""For each kind of step whose name is not that of its system call: the name of the system call."""
SENDS: Final = frozenset({"send", "sendto", "sendmsg", "flood"})
MESSAGE_RECEIVES: Final = frozenset({"recvmsg", "drain", "read_events"})
NETLINK_OPTIONS: Final = {
    number: name
    for name, number in vars(nl).items()
    if name
    in (
        "NETLINK_ADD_MEMBERSHIP",
        "NETLINK_DROP_MEMBERSHIP",
        "NETLINK_PKTINFO",
        "NETLINK_BROADCAST_ERROR",
        "NETLINK_NO_ENOBUFS",
        "NETLINK_LISTEN_ALL_NSID",
        "NETLINK_LIST_MEMBERSHIPS",
        "NETLINK_CAP_ACK",
        "NETLINK_EXT_ACK",
        "NETLINK_GET_STRICT_CHK",
    )
}
SOCKET_OPTIONS: Final = {number: name for name, number in vars(so).items() if name.startswith("SO_")}


def call_name(step: Step) -> str:
    """Return the name under which a call is counted."""
    call = MANY.get(step.call, step.call)
    if call in ("setsockopt", "getsockopt"):
        level, option = step.arguments[:2]
        if level == so.SOL_NETLINK:
            return f"{call} {NETLINK_OPTIONS.get(option, 'NETLINK_ other')}"
        if level == so.SOL_SOCKET:
            return f"{call} {SOCKET_OPTIONS.get(option, 'SO_ other')}"
        return f"{call} other level"
    if call == "raw_call":
        return f"{step.arguments[0]} sockaddr"
    return call


POLL_EVENTS: Final = {1: "POLLIN", 4: "POLLOUT", 8: "POLLERR", 0x10: "POLLHUP", 0x20: "POLLNVAL"}
"""Names of the poll events that are counted. Each other event occurs only together with one of these, such as
POLLRDNORM with POLLIN.
"""
KERNEL: Final = 0
"""Port id of the kernel."""


def result_name(step: Step, outcome: Outcome) -> str:
    """Return the name of a result: an errno, or the kind of success."""
    kind, value = outcome
    if kind != "ok":
        return kind
    if step.call == "poll":
        return " ".join(name for bit, name in POLL_EVENTS.items() if value & bit) or "nothing"
    if step.call in MESSAGE_RECEIVES:
        _, control, flags, _ = value
        marks = (("MSG_TRUNC", flags & so.MSG_TRUNC), ("MSG_CTRUNC", flags & so.MSG_CTRUNC))
        more = "".join(f" {name}" for name, present in marks if present)
        return f"ok{more}{' with control' if control else ''}"
    return kind


def _from_kernel(step: Step, value: Any) -> bytes | None:
    """Return the data that a step has received. Return None if a program sent the data, not the kernel."""
    if step.call not in MESSAGE_RECEIVES and step.call != "recvfrom":
        return None
    data, sender = value[0], value[-1]
    # With MSG_TRUNC, the system call returns the full length of the message. Python then returns this number
    # of bytes, even if the buffer is shorter.
    room = step.arguments[0]
    return data[:room] if isinstance(sender, tuple) and sender[0] == KERNEL else None


def _request(step: Step, protocol: int) -> bytes | None:
    """Return the datagram of a step that sends to the kernel. Return None for a step that does not."""
    arguments = step.arguments
    if step.call != "send" and arguments[-1] not in ((0, 0), None):
        return None
    if step.call == "sendmsg":
        return b"".join(arguments[0])
    data: bytes = arguments[1 if step.call == "flood" else 0]
    return data


ROUTE_TYPES: Final = {
    number: name
    for name, number in vars(rtnl).items()
    if name.startswith("RTM_") and not name.startswith(("RTM_BASE", "RTM_MAX", "RTM_F_"))
}
ROUTE_GROUPS: Final = {number: name for name, number in vars(rtnl).items() if name.startswith("RTNLGRP_")}
TYPE: Final = 4
REQUEST_TYPE: Final = 24
"""Offset in an NLMSG_ERROR of the message type of the repeated request."""


def _subject(data: bytes, groups: int) -> str:
    """Return the name of an rtnetlink message. The name of a notification begins with its group. An error
    gets the name of the request that failed.
    """
    type = U16.unpack_from(data, TYPE)[0]
    if type == nl.NLMSG_ERROR and len(data) >= REQUEST_TYPE + U16.size:
        type = U16.unpack_from(data, REQUEST_TYPE)[0]
    group = groups.bit_length()
    prefix = f"{ROUTE_GROUPS.get(group, f'group {group}')} " if group else ""
    return prefix + ROUTE_TYPES.get(type, "other type")


class Reached:
    """Counter of the results of each call."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self.messages = 0
        """Number of messages that were sent to the kernel."""
        self._deep = 0

    def __call__(self, step: Step, protocol: int, outcome: Outcome) -> None:
        """Count the result of one step."""
        kind, value = outcome
        self._counts[call_name(step), result_name(step, outcome)] += 1
        if kind == "ok" and protocol in PROTOCOLS and (data := _from_kernel(step, value)) is not None:
            self._counts[f"{PROTOCOLS[protocol]} says", answer_name(protocol, data)] += 1
            if protocol == nl.NETLINK_ROUTE and len(data) >= nl.NLMSG_HDRLEN:
                self._counts[_subject(data, value[-1][1]), answer_name(protocol, data)] += 1
        if step.call in SENDS and kind == "ok" and (data := _request(step, protocol)):
            messages, deep = count_messages(protocol, data)
            self.messages += messages
            self._deep += deep

    def count(self, call: str, result: str) -> None:
        """Count the result of one call of a program."""
        self._counts[call, result] += 1

    @property
    def share_of_deep_messages(self) -> float:
        """Fraction of the sent messages that have valid headers. The kernel reads the attributes of these
        messages only.
        """
        return self._deep / (self.messages or 1)

    @property
    def kinds(self) -> int:
        """Number of different pairs (call, result) that occurred."""
        return len(self._counts)

    @property
    def calls(self) -> int:
        """Number of different calls that occurred."""
        return len({call for call, _ in self._counts})

    def lines(self) -> Iterator[str]:
        """Yield one line of text per call: the name of the call and its results, the most frequent result
        first.
        """
        by_call: dict[str, list[tuple[int, str]]] = {}
        for (call, result), count in self._counts.items():
            by_call.setdefault(call, []).append((count, result))
        for call in sorted(by_call):
            results = ", ".join(f"{result} {count}" for count, result in sorted(by_call[call], reverse=True))
            yield f"  {call:38} {results}"

    def rare(self, least: int) -> list[tuple[str, str, int]]:
        """Return (call, result, count) for each result that occurred fewer times than the number `least`."""
        return sorted(
            (call, result, count) for (call, result), count in self._counts.items() if count < least
        )
