"""Capability probes. Each probe tests what a transport can do and returns the outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from simkernel import App, micros
from simkernel.uapi.errno import error_name
from simkernel.uapi.poll import POLLIN
from simkernel.uapi.structure import U64

from .events import Delivery, deliver
from .measure import ARRIVALS, Bench, exchange
from .transport import YES, Function, Listener, Numbers, Transport, Truncated

LOOKUPS: Final = 20
"""Number of times that a polling listener polls before the event is sent."""
WAKEUP: Final = 3
"""If a listener makes more system calls than this for one event, it polls. Without polling it makes three:
sleep, receive, and sleep again.
"""
MANY: Final = {"driver": 1000, "program": 5000}
"""Number of events that the probe `flow` sends, by sender. It is more than any queue holds."""
LARGE, SMALL = 65536, 1024
"""Two message sizes in bytes. Every transport accepts `SMALL`; some truncate messages of `LARGE` bytes."""
BUFSIZE: Final = 4096
INTERVAL: Final = 10_000
"""Interval between two events in ns."""
BUSY: Final = 100_000
"""Time in ns for which a listener uses its CPU, before it checks whether all events have been sent."""


def one_event(bench: Bench, transport: Transport, listeners: int = 1) -> tuple[Delivery, int]:
    """Send one event some time after the listeners have begun to wait.

    Return the delivery and the listeners' calls.
    """
    poll = micros(bench.settings["poll"])
    delivery = deliver(bench, transport, listeners, 1, LOOKUPS * max(poll, 1000))
    return delivery, delivery.calls - delivery.sends


def starts(bench: Bench, transport: Transport) -> str:
    """Test whether a listener that sleeps in a system call receives an event without polling."""
    delivery, calls = one_event(bench, transport)
    listener = delivery.listeners[0]
    return YES if delivery.arrived(listener) and not listener.lookups and calls <= WAKEUP else "no"


def polling(bench: Bench, transport: Transport) -> str:
    """Return how often a listener polls for one event, by system calls or by reads of shared memory."""
    delivery, calls = one_event(bench, transport)
    if calls > WAKEUP:
        return f"yes: {calls} calls"
    lookups = delivery.listeners[0].lookups
    return f"yes: {lookups} looks" if lookups else "no"


def multicast(bench: Bench, transport: Transport) -> str:
    """Send an event to three listeners. Return the number of listeners that receive it, and the number of
    sends.
    """
    delivery, _ = one_event(bench, transport, 3)
    count, arrived = delivery.sends, sum(map(delivery.arrived, delivery.listeners))
    sends = "" if transport.peer == "driver" else f", {count} send{'' if count == 1 else 's'}"
    return f"{'yes' if count <= 1 and arrived == 3 else 'no'}: {arrived} of 3{sends}"


def play(bench: Bench, transport: Transport, count: int, act: Function, *, wait: bool = True) -> Any:
    """Send events while a listener computes, then let the listener run `act(listener)`. A listener that
    computes makes no system call that a signal could interrupt.

    Return the result of `act` and the numbers of the events that were sent.
    """
    results: list[Any] = []
    delivery, listening, sent = Delivery(), False, False

    async def source(app: App) -> None:
        nonlocal sent
        session = bench.session(app)
        send, listen = await transport.event(session, 1)

        async def listener(app: App) -> None:
            nonlocal listening
            end = await listen(app, 0)
            listening = True
            while not sent:
                await app.compute(BUSY)
            results.append(await act(end))

        await session.spawn(listener, name="listener")
        while not listening:
            await app.sleep(0.0001)
        interval = INTERVAL if count < 10 else 1000 if transport.peer == "driver" else 0
        await delivery.send(session, send, count, interval, wait)
        sent = True
        await app.waitpid(session.children[0])

    bench.run(source, "source")
    return results[0], sorted(delivery.sent_at)


def bounds(bench: Bench, transport: Transport) -> str:
    """Test whether message boundaries are kept. Two messages are sent, and the receiver's buffer has space
    for one and a half.
    """

    async def one(listener: Listener) -> int:
        return len(await listener.receive(BUFSIZE))

    size, _ = play(bench, transport, 1, one)

    async def both(listener: Listener) -> Any:
        return listener.parse(await listener.receive(size * 3 // 2))

    (numbers, rest), sent = play(bench, transport, 2, both)
    if rest:
        return "no: cut amid"
    outcomes = {"yes": sent[:1], "no: added up": sent, "no: overwritten": sent[1:]}
    return next((outcome for outcome, each in outcomes.items() if each == numbers), "no: merged")


def flow(bench: Bench, transport: Transport) -> str:
    """Send many events before a listener receives. Return the outcome: the sender gets EAGAIN, events are
    lost, or the transport adds all events up, as an eventfd does.
    """

    async def drain(listener: Listener) -> Any:
        if listener.fd < 0:
            return listener.parse(await listener.receive(listener.bufsize))[0], []
        numbers: Numbers = []
        while await listener.app.poll([(listener.fd, POLLIN)], 0):
            numbers += await listener.wait()
        return numbers, listener.errors

    (numbers, errors), sent = play(bench, transport, MANY[transport.peer], drain, wait=False)
    if len(numbers) == len(sent):
        full = len(sent) < MANY[transport.peer]
        return f"EAGAIN after {len(sent)}" if full else f"added up: {len(numbers)}"
    report = errors[0] if errors else "unreported" if None in numbers else "a gap"
    return f"lost {len(sent) - len(numbers)}, {report}"


def extensible(bench: Bench, transport: Transport) -> str:
    """Test whether a program that knows one field per message can receive messages with two fields."""

    async def read(listener: Listener) -> Any:
        try:
            return [await listener.receive_old() for _ in range(listener.old_reads)]
        except OSError as error:
            return error_name(error.errno or 0)
        except ValueError:
            return "not understood"

    numbers, sent = play(bench, transport, 2, read)
    if isinstance(numbers, str):
        return f"no: {numbers}"
    if not numbers:
        return "no: no field"
    return "yes" if numbers in (sent, sent[1:]) else "no: misread"


def between(bench: Bench, transport: Transport) -> str:
    """Test whether the transport reaches another program."""
    if transport.between is not None:
        outcome = bench.run(transport.between, "attempt")
    elif transport.lacks("question"):
        delivery = deliver(bench, transport, 1, 1, INTERVAL)
        outcome = YES if delivery.arrived(delivery.listeners[0]) else "nothing came"
    else:
        result = exchange(bench, transport, "question", SMALL, 1)
        outcome = result if isinstance(result, str) else YES
    return outcome if outcome == YES else f"no: {outcome}"


def copies(bench: Bench, transport: Transport) -> str:
    """Return how many bytes the kernel copies for each byte that arrives. Transfer a frame if the transport
    can, otherwise a question and its answer, otherwise an event.
    """
    if transport.lacks("question"):
        copied = deliver(bench, transport, 1, 1, INTERVAL).copied
        return f"{copied / U64.size:.2f}" if copied else "no byte goes"

    async def asker(app: App) -> float:
        session = bench.session(app)
        end, job = await transport.open(session), "question" if transport.lacks("frame") else "frame"
        for size in (LARGE, SMALL):
            before = bench.since()
            with suppress(Truncated):
                await getattr(transport, job)(end, bytes(size) if job == "question" else size)
                break
        copied = bench.since(before)[2] / size / ARRIVALS[job]
        await session.close()
        return copied

    return f"{bench.run(asker, 'asker'):.2f}"


def permission(bench: Bench, transport: Transport) -> str:
    """Try to use the transport without permission. Return the check that refuses this, and the errno."""
    return str(bench.run(transport.forbidden, "attempt"))


PROBES: Final[Mapping[str, Mapping[str, Callable[[Bench, Transport], str]]]] = {
    "Polling and multicast": {"peer may start": starts, "needs polling": polling, "multicast": multicast},
    "Messages": {"keeps bounds": bounds, "flow, if unread": flow, "extensible": extensible},
    "Reach, cost, permission": {
        "between programs": between, "copies per byte": copies, "permission": permission,
    },
}  # fmt: skip
"""The probes, by table of the report and by column of the table. In the metrics, the key of a probe's outcome
is the name of the probe's function.
"""


def probe(bench: Bench, transport: Transport) -> dict[str, str]:
    """Run all probes on a transport and return their outcomes by name."""
    found = [function for columns in PROBES.values() for function in columns.values()]
    return {function.__name__: function(bench, transport) for function in found}
