"""Two applications exchange messages over netlink, without a driver.

Covers: NETLINK_USERSOCK; port ids, unicast, multicast; permissions; the errors for a port that does not
    exist and for a receiver that does not read.
Scenario: Bob echoes Alice's messages. Alice also sends to a port that no socket has, and to Dora, which does
    not read for a while. Then Alice sends to a multicast group, which root's programs can join and others
    cannot.
When useful: to learn what netlink itself does, before any family or driver: it keeps message boundaries,
    unicast blocks until a slow reader reads, and a message to a group costs one call.
"""

from __future__ import annotations

from typing import Any

import attrs

from simkernel import App
from simkernel.scenario import Run, ScenarioParameter, scenario
from simkernel.scenario.figures import distribution
from simkernel.uapi.errno import error_name
from simkernel.uapi.netlink import NETLINK_ADD_MEMBERSHIP, NETLINK_USERSOCK
from simkernel.uapi.socket import AF_NETLINK, MSG_DONTWAIT, SOCK_DGRAM, SOL_NETLINK

BOB, DORA, NOBODY = 4001, 4002, 4003
"""Netlink port ids. Bob and Dora bind their sockets to the first two, and no socket has the third. A program
can bind any free port id; the default is its process id.
"""

GROUP = 7
ALICE_UID, BOB_UID = 1000, 1001
BUFSIZE = 65536


@attrs.define
class Seen:
    """Data that the programs record during the run, for the report."""

    round_trips: list[int] = attrs.field(factory=list)
    echoed: int = 0
    altered: int = 0
    errors: dict[str, OSError] = attrs.field(factory=dict)
    accepted_by_dora: int = 0
    waited_for_dora: int = 0
    heard: dict[str, int] = attrs.field(factory=dict)
    multicast_ns: int = 0


async def bob(app: App) -> None:
    """Send each received message back to its sender."""
    sock = await app.socket(AF_NETLINK, SOCK_DGRAM, NETLINK_USERSOCK)
    await sock.bind((BOB, 0))
    while True:
        data, sender = await sock.recvfrom(BUFSIZE)
        await sock.sendto(data, sender)


async def dora(app: App, pause: float) -> None:
    """Bind a socket, sleep for `pause` seconds, then receive messages until the machine stops."""
    sock = await app.socket(AF_NETLINK, SOCK_DGRAM, NETLINK_USERSOCK)
    await sock.bind((DORA, 0))
    await app.sleep(pause)
    while True:
        await sock.recv(BUFSIZE)


async def listener(app: App, name: str, seen: Seen) -> None:
    """Join a multicast group and count the messages that arrive."""
    sock = await app.socket(AF_NETLINK, SOCK_DGRAM, NETLINK_USERSOCK)
    await sock.bind((0, 0))
    try:
        await sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, GROUP)
    except OSError as error:
        seen.errors[f"{name} joins the group"] = error
        return
    seen.heard[name] = 0
    while True:
        await sock.recv(BUFSIZE)
        seen.heard[name] += 1


async def alice(app: App, messages: int, size: int, seen: Seen) -> None:
    """Send messages to Bob, to a port id without a socket, to Dora and to a multicast group."""
    sock = await app.socket(AF_NETLINK, SOCK_DGRAM, NETLINK_USERSOCK)
    for number in range(messages):
        text = number.to_bytes(4, "little") * (size // 4)
        begun = app.monotonic_ns()
        await sock.sendto(text, (BOB, 0))
        answer, (port, _) = await sock.recvfrom(BUFSIZE)
        seen.round_trips.append(app.monotonic_ns() - begun)
        seen.echoed += port == BOB
        seen.altered += answer != text
    try:
        await sock.sendto(b"is anybody there?", (NOBODY, 0))
    except OSError as error:
        seen.errors["Alice writes to a port that nobody has"] = error
    await overwhelm(app, sock, size, seen)
    begun = app.monotonic_ns()
    for _ in range(messages):
        try:
            await sock.sendto(bytes(size), (0, 1 << (GROUP - 1)))
        except OSError as error:
            seen.errors["Alice writes to the group, and by the same call to the kernel"] = error
    seen.multicast_ns = (app.monotonic_ns() - begun) // messages


async def overwhelm(app: App, sock: Any, size: int, seen: Seen) -> None:
    """Send to Dora until her buffer is full, then send once more and block."""
    try:
        while True:
            await sock.sendto(bytes(size), MSG_DONTWAIT, (DORA, 0))
            seen.accepted_by_dora += 1
    except OSError as error:
        seen.errors["Alice writes to Dora, who does not read"] = error
    begun = app.monotonic_ns()
    await sock.sendto(bytes(size), (DORA, 0))
    seen.waited_for_dora = app.monotonic_ns() - begun


@scenario(
    ScenarioParameter(
        "messages", int, 10, minimum=1, maximum=1000, help="number of messages to Bob, and to the group"
    ),
    ScenarioParameter("size", int, 64, minimum=4, maximum=32768, unit="bytes", help="size of a message"),
    ScenarioParameter("listeners", int, 3, minimum=1, maximum=100, help="root's programs in the group"),
    ScenarioParameter(
        "pause",
        float,
        0.25,
        minimum=0.001,
        maximum=60.0,
        unit="s",
        help="time during which Dora does not read",
    ),
)
def talk(run: Run) -> None:
    machine = run.machine(udev=False)
    seen = Seen()
    machine.spawn(bob, uid=BOB_UID)
    machine.spawn(dora, run["pause"], uid=BOB_UID)
    for number in range(run["listeners"]):
        machine.spawn(listener, f"listener {number}", seen)
    machine.spawn(listener, "an ordinary user", seen, uid=BOB_UID)
    machine.run(until=1_000_000)
    machine.spawn(alice, run["messages"], run["size"], seen, uid=ALICE_UID)
    machine.run()
    report(run, seen)


def report(run: Run, seen: Seen) -> None:
    """Report the round trips, the errors, the blocked send and the multicast."""
    round_trip = distribution(seen.round_trips)
    median = round_trip["p50"] or 0
    run.text(
        f"Messages of {run['size']} bytes that Bob has echoed: {seen.echoed}; changed on the way: "
        f"{seen.altered}. A round trip took {median / 1000:.1f} µs: two system calls of Alice and two of "
        "Bob."
    )
    errors = dict(sorted(seen.errors.items()))
    names = [(what, error_name(error.errno or 0)) for what, error in errors.items()]
    run.table("Calls that fail", ("call", "error"), names)
    run.text(
        f"Messages that Dora's socket accepted until its buffer was full: {seen.accepted_by_dora}. Alice's "
        f"next send, without MSG_DONTWAIT, blocked for {seen.waited_for_dora / 1e6:.1f} ms until Dora read: "
        "unicast between programs loses no message."
    )
    run.table("The group", ("program", "messages received"), sorted(seen.heard.items()), detail=True)
    run.text(
        f"One call to the whole group took Alice {seen.multicast_ns / 1000:.1f} µs (number of listeners: "
        f"{len(seen.heard)}). A message to a group also goes to a port, here to 0, which is the kernel's. "
        "The kernel does not serve this protocol, so the call returns an error after it has reached the "
        "group."
    )
    run.metric("messages_sent", run["messages"])
    run.metric("messages_echoed", seen.echoed)
    run.metric("messages_altered", seen.altered)
    run.metric("round_trip_ns", round_trip)
    run.metric("errors", {what: str(error) for what, error in errors.items()})
    run.metric("accepted_before_full", seen.accepted_by_dora)
    run.metric("waited_for_reader_ns", seen.waited_for_dora)
    run.metric("multicast_heard", sum(seen.heard.values()))
    run.metric("multicast_send_ns", seen.multicast_ns)
