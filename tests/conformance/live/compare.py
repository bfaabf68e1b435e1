"""Comparison of the results of two kernels. They must be equal, except for values that a kernel may choose
freely.

A kernel can choose port ids, the process id, cookies, the SEQNUM of a uevent (all namespaces of a machine
share it) and two times in messages about `lo`. Port ids are compared by role: if one kernel uses X, the
other must use Y consistently. If a call reports more bytes than its buffer has, Python shows uninitialised
memory, which is ignored.

`expected` returns the real kernel's result with the simulated kernel's numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import attrs

from simkernel.uapi.netlink import (
    NETLINK_KOBJECT_UEVENT,
    NETLINK_LIST_MEMBERSHIPS,
    NETLINK_ROUTE,
    NETLINK_USERSOCK,
    NLMSG_HDRLEN,
    align4,
)
from simkernel.uapi.socket import (
    SCM_CREDENTIALS,
    SO_COOKIE,
    SO_NETNS_COOKIE,
    SO_PEERNAME,
    SOL_NETLINK,
    SOL_SOCKET,
)
from simkernel.uapi.structure import U32
from tests.conformance.live.actor import Outcome
from tests.conformance.live.links.free import in_order_of, with_free_places
from tests.conformance.live.links.macs import Macs
from tests.conformance.live.steps import Step

LEAST_CHOSEN: Final = 2**31
LARGEST_CHOSEN: Final = 2**32 - 4097
"""Largest port id that a kernel chooses at random, as an unsigned number. As a signed number it is -4097 (see
`netlink_autobind()`).
"""

COOKIES: Final = (SO_COOKIE, SO_NETNS_COOKIE)
PID_OFFSET: Final = 12
PORTID_IN_SOCKADDR: Final = (4, 8)
SEQUENCE: Final = re.compile(rb"(?<=SEQNUM=)\d+")
_FREE: Final = {NETLINK_KOBJECT_UEVENT: SEQUENCE}


@attrs.define
class Names:
    """A map from numbers that the real kernel chose to the numbers that the simulated kernel chose."""

    _simulated: dict[int, int] = attrs.field(factory=dict)
    _taken: set[int] = attrs.field(factory=set)
    macs: Macs = attrs.field(factory=Macs)

    def learn(self, real: int, simulated: int) -> None:
        """Map a real number to a simulated one. Do nothing if one of the two numbers is already in the
        map.
        """
        if real not in self._simulated and simulated not in self._taken:
            self._simulated[real] = simulated
            self._taken.add(simulated)

    def learn_chosen(self, real: int, simulated: int) -> None:
        """Map a real number to a simulated one if both are port ids that a kernel chose."""
        if _chosen(real) and _chosen(simulated):
            self.learn(real, simulated)

    def translate(self, real: int) -> int:
        """Return the simulated kernel's number for a number of the real kernel."""
        return self._simulated.get(real, real)

    def translate_bytes(self, real: bytes) -> bytes:
        """Translate a 32-bit number of the real kernel, given as bytes, to the simulated kernel's number. If
        a receive has truncated the number, `real` has only its first bytes.
        """
        if len(real) == U32.size:
            return U32.pack(self.translate(*U32.unpack(real)))
        for number, translated in self._simulated.items():
            if U32.pack(number)[: len(real)] == real:
                return U32.pack(translated)[: len(real)]
        return real


def expected(step: Step, protocol: int, real: Outcome, simulated: Outcome, names: Names) -> Outcome:
    """Return the outcome that the simulated kernel must have if the real kernel's outcome is `real`."""
    if real == simulated or real[0] != "ok" or simulated[0] != "ok":
        return real
    rule = _RULES.get(step.call)
    value = names.macs.translate(real[1])
    return ("ok", value) if rule is None else ("ok", rule(step, protocol, value, simulated[1], names))


# -- addresses ----------------------------------------------------------------


def _name(step: Step, protocol: int, real: Any, simulated: Any, names: Names) -> Any:
    """If both kernels chose the port id that getsockname() returned, map the real port id to the simulated
    one. Return the real kernel's address with the simulated kernel's port id.
    """
    names.learn_chosen(real[0], simulated[0])
    return _address(real, names)


def _chosen(portid: int) -> bool:
    return LEAST_CHOSEN <= portid <= LARGEST_CHOSEN


def _peer(step: Step, protocol: int, real: Any, simulated: Any, names: Names) -> Any:
    return _address(real, names)


def _address(real: Any, names: Names) -> Any:
    return (names.translate(real[0]), *real[1:]) if isinstance(real, tuple) else real


# -- received messages ----------------------------------------------------------


def _data(protocol: int, real: bytes, simulated: bytes, room: int, names: Names) -> bytes:
    if len(real) > room and len(real) == len(simulated):
        real = real[:room] + simulated[room:]
    if real == simulated or protocol == NETLINK_USERSOCK:
        return real
    translated = _messages(real, names)
    if protocol == NETLINK_ROUTE:
        translated = in_order_of(translated, simulated)
        names.macs.learn(translated, simulated)
        translated = names.macs.translate(translated)
        return with_free_places(translated, simulated)
    free = _FREE.get(protocol)
    if free is not None and (chosen := free.search(simulated)):
        return free.sub(lambda _: chosen[0], translated)
    return translated


def _messages(data: bytes, names: Names) -> bytes:
    """Replace the real kernel's port ids in the message headers of a datagram with the simulated kernel's."""
    translated = bytearray(data)
    offset = 0
    while (start := offset + PID_OFFSET) < len(data):
        portid = slice(start, offset + NLMSG_HDRLEN)
        translated[portid] = names.translate_bytes(data[portid])
        (length,) = U32.unpack_from(data, offset)
        if length < NLMSG_HDRLEN:
            break
        offset += align4(length)
    return bytes(translated)


def _recv(step: Step, protocol: int, real: Any, simulated: Any, names: Names) -> Any:
    return _data(protocol, real, simulated, step.arguments[0], names)


def _recvfrom(step: Step, protocol: int, real: Any, simulated: Any, names: Names) -> Any:
    data = _data(protocol, real[0], simulated[0], step.arguments[0], names)
    return data, _address(real[1], names)


def _recvmsg(step: Step, protocol: int, real: Any, simulated: Any, names: Names) -> Any:
    data, control, flags, sender = real
    return (
        _data(protocol, data, simulated[0], step.arguments[0], names),
        [_control(message, names) for message in control],
        flags,
        _address(sender, names),
    )


def _control(message: tuple[int, int, bytes], names: Names) -> tuple[int, int, bytes]:
    """In a control message that contains credentials, replace the real kernel's process id with the simulated
    kernel's. The process id can be truncated.
    """
    level, type, data = message
    if (level, type) != (SOL_SOCKET, SCM_CREDENTIALS):
        return message
    return level, type, names.translate_bytes(data[: U32.size]) + data[U32.size :]


# -- options --------------------------------------------------------------------


def _option(step: Step, protocol: int, real: Any, simulated: Any, names: Names) -> Any:
    """Return the real kernel's value of a socket option, but with the simulated kernel's cookie or peer port
    id. From NETLINK_LIST_MEMBERSHIPS, bytes that the kernel did not write are also the simulated kernel's.
    """
    level, option, length = step.arguments
    if level == SOL_SOCKET and option in COOKIES:
        same_kind = type(real) is type(simulated) and (isinstance(real, int) or len(real) == len(simulated))
        return simulated if same_kind else real
    if level == SOL_SOCKET and option == SO_PEERNAME and isinstance(real, bytes):
        portid = slice(*PORTID_IN_SOCKADDR)
        return real[: portid.start] + names.translate_bytes(real[portid]) + real[portid.stop :]
    if level == SOL_NETLINK and option == NETLINK_LIST_MEMBERSHIPS and length:
        written = length // 4 * 4
        return real[:written] + simulated[written:] if len(real) == len(simulated) else real
    return real


_RULES: Final[dict[str, Callable[[Step, int, Any, Any, Names], Any]]] = {
    "getsockname": _name,
    "getpeername": _peer,
    "recv": _recv,
    "recvfrom": _recvfrom,
    "recvmsg": _recvmsg,
    "drain": _recvmsg,
    "read_events": _recvmsg,
    "getsockopt": _option,
}
