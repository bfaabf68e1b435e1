"""Source code of a conformance case that reproduces a difference between simkernel and the host, for a bug
report or for `cases/`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from simkernel.uapi.socket import MSG_DONTWAIT
from tests.conformance.live.actor import Outcome
from tests.conformance.live.coverage import call_name
from tests.conformance.live.example import Difference
from tests.conformance.live.steps import PID, Pid, Port, Program, Step, roles

MARKS: Final = {
    "raw_call": "raw_sockaddr",
    "attach_filter": "filter",
    "dup": "dup",
    "become": "credentials",
    "namespaces": "namespaces",
    "read_file": "files",
    "ioctl": "ioctl",
}
"""Calls that a case must declare. The key is the name of the call. The value is the string for the argument
`marks` of the decorator @case.
"""
BEFORE, AFTER = 120, 120
"""Number of characters of a long result to show before and after the first difference."""


def case_of(program: Program, difference: Difference, origin: str) -> str:
    """Return the source code of a case, with both kernels' results of the last call as comments."""
    marks = tuple(dict.fromkeys(MARKS[step.call] for step in program if step.call in MARKS))
    given = f"privileged=True, marks={marks!r}" if marks else "privileged=True"
    lines = [
        f"@case({given})",
        "def found(world: World, log: Log) -> None:",
        f'    """{origin}"""',
        *(f"    {line}" for line in _body(program)),
        *_contrast(_shown(difference.real), _shown(difference.simulated)),
    ]
    return "\n".join(lines)


def _shown(outcome: Outcome) -> str:
    kind, value = outcome
    return kind if value is None else f"{kind} {_plain_bytes(value)}"


def _plain_bytes(value: Any) -> str:
    """Return a value with bytes in hexadecimal, so that positions can be counted."""
    if isinstance(value, bytes):
        return "hex:" + value.hex(" ", -4)
    if isinstance(value, tuple | list):
        return "(" + ", ".join(map(_plain_bytes, value)) + ")"
    return repr(value)


def _contrast(real: str, simulated: str) -> Iterator[str]:
    """Yield both kernels' results, near the first position where they differ."""
    pairs = enumerate(zip(real, simulated, strict=False))
    at = next((index for index, (ours, theirs) in pairs if ours != theirs), 0)
    start = max(0, at - BEFORE)
    cut = "... " if start else ""
    yield f"    # Linux:     {cut}{real[start : at + AFTER]}"
    yield f"    # simkernel: {cut}{simulated[start : at + AFTER]}"


def _body(program: Program) -> Iterator[str]:
    if any(role == PID for step in program for role in roles(step.arguments)):
        yield "pid = netlink(world, wire.USERSOCK, bind=(0, 0)).getsockname()[0]"
    for step in program:
        yield from _WRITERS.get(step.call, _plain)(step, call_name(step))


def _value(value: Any) -> str:
    if isinstance(value, Port):
        return f"s{value.slot}.getsockname()[0]"
    if isinstance(value, Pid):
        return "pid"
    if isinstance(value, tuple):
        inner = ", ".join(_value(part) for part in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, bytes) and len(value) > 16 and len(set(value)) == 1:
        return f"{value[:1]!r} * {len(value)}"
    return repr(value)


def _arguments(step: Step) -> str:
    return "".join(f", {_value(argument)}" for argument in step.arguments)


def _plain(step: Step, name: str) -> Iterator[str]:
    yield f'log.call("{name}", s{step.slot}.{step.call}{_arguments(step)})'


def _socket(step: Step, name: str) -> Iterator[str]:
    arguments = ", ".join(map(_value, step.arguments))
    yield f"s{step.slot} = world.socket({arguments})"


def _dup(step: Step, name: str) -> Iterator[str]:
    yield f"s{step.arguments[0]} = world.dup(s{step.slot})"


def _become(step: Step, name: str) -> Iterator[str]:
    yield f"world.become(privileged={step.arguments[0]})"


def _name(step: Step, name: str) -> Iterator[str]:
    yield f"log.auto(s{step.slot})"
    yield f'log.name("name", s{step.slot})'


def _peer(step: Step, name: str) -> Iterator[str]:
    yield f'log.peer("peer", s{step.slot})'


def _receive(step: Step, name: str) -> Iterator[str]:
    yield f'log.{step.call}("{name}", s{step.slot}{_arguments(step)})'


def _poll(step: Step, name: str) -> Iterator[str]:
    yield f'log("poll", world.poll(s{step.slot}{_arguments(step)}))'


def _world_call(step: Step, name: str) -> Iterator[str]:
    yield f'log.call("{name}", world.{step.call}, s{step.slot}{_arguments(step)})'


def _sendmsg(step: Step, name: str) -> Iterator[str]:
    """Yield a source line that calls sendmsg(). If the data of a control message is a tuple (pid, uid, gid),
    the source line packs the tuple into a struct ucred.
    """
    buffers, control, flags, address = step.arguments
    shown = ", ".join(
        f"({level}, {type}, {data!r})"
        if isinstance(data, bytes)
        else f'({level}, {type}, struct.pack("<iII", *{_value(data)}))'
        for level, type, data in control
    )
    yield (
        f'log.call("{name}", s{step.slot}.sendmsg, {_value(buffers)}, [{shown}], {flags}, {_value(address)})'
    )


def _flood(step: Step, name: str) -> Iterator[str]:
    count, *rest = step.arguments
    yield f"for _ in range({count}):"
    yield "    " + next(_plain(Step("sendto", step.slot, tuple(rest)), name))


def _drain(step: Step, name: str) -> Iterator[str]:
    yield "for _ in range(100):"
    yield "    " + next(_receive(Step("recvmsg", step.slot, step.arguments), name))


def _namespaces(step: Step, name: str) -> Iterator[str]:
    """Yield source lines that create a second namespace. The first argument of the step is the nsid that the
    first namespace assigns to the second namespace. The second argument is the nsid that the second namespace
    assigns to the first. If an argument is negative, no nsid is assigned.
    """
    yield "worlds = [world, world.namespace()]"
    for number, (here, other) in zip(step.arguments, ((0, 1), (1, 0)), strict=True):
        if number >= 0:
            yield f"worlds[{here}].set_nsid(worlds[{other}], {number})"


def _socket_in(step: Step, name: str) -> Iterator[str]:
    namespace, *kind = step.arguments
    yield f"s{step.slot} = worlds[{namespace}].socket({', '.join(map(str, kind))})"


def _ioctl(step: Step, name: str) -> Iterator[str]:
    yield f'log.call("{name}", world.ioctl, s{step.slot}{_arguments(step)})'


def _read_file(step: Step, name: str) -> Iterator[str]:
    namespace, path = step.arguments
    yield f'log("{path}", worlds[{namespace}].read_file("{path}"))'


def _read_events(step: Step, name: str) -> Iterator[str]:
    yield from _drain(Step("recvmsg", step.slot, (*step.arguments, MSG_DONTWAIT)), "notified")


_WRITERS: Final[dict[str, Callable[[Step, str], Iterator[str]]]] = {
    "socket": _socket,
    "dup": _dup,
    "become": _become,
    "getsockname": _name,
    "getpeername": _peer,
    "recv": _receive,
    "recvfrom": _receive,
    "recvmsg": _receive,
    "poll": _poll,
    "raw_call": _world_call,
    "attach_filter": _world_call,
    "sendmsg": _sendmsg,
    "flood": _flood,
    "drain": _drain,
    "namespaces": _namespaces,
    "socket_in": _socket_in,
    "ioctl": _ioctl,
    "read_file": _read_file,
    "read_events": _read_events,
}
