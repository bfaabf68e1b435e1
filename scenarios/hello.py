"""Programs exchange messages with a module that has no device.

Covers: a netlink protocol that a module defines; modules that the kernel loads when a program opens a socket;
    requests, replies, errors and a multicast group without generic netlink.
Scenario: A guest opens a socket of netlink protocol 17. No module has registered it, so the kernel requests a
    module with the alias net-pf-16-proto-17, and modprobe loads `hello`. Each guest sends its name and gets a
    greeting. The program gossip is in the multicast group and receives the name of each guest. The program
    lout sends invalid messages and gets errors.
When useful: as the first program and the first module to read: drivers/hello.py is the module.
"""

from __future__ import annotations

from typing import Any

import attrs

from simkernel import App, micros, millis
from simkernel.scenario import Run, ScenarioParameter, scenario
from simkernel.scenario.figures import distribution
from simkernel.uapi.errno import error_name
from simkernel.uapi.netlink import NETLINK_ADD_MEMBERSHIP, NLM_F_REQUEST, NLMSG_MIN_TYPE, message, reply
from simkernel.uapi.signal import SIGTERM
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW, SOL_NETLINK

NETLINK_HELLO = 17
HELLO = NLMSG_MIN_TYPE
NONSENSE = HELLO + 1
GREETED_GROUP = 1
BUFSIZE = 4096
NAMES = ("Ada", "Grace", "Linus", "Margaret", "Dennis", "Radia", "Ken", "Barbara")


@attrs.define
class Seen:
    """Data that the programs record during the run, for the report."""

    greetings: list[tuple[str, str, int]] = attrs.field(factory=list)
    """Name, greeting and round-trip time in ns for each guest."""
    gossip: list[str] = attrs.field(factory=list)
    refusals: list[tuple[str, str]] = attrs.field(factory=list)
    loaded: list[str] = attrs.field(factory=list)
    attempts: list[tuple[str, str]] = attrs.field(factory=list)


async def ask(sock: Any, type: int, text: str) -> str:
    """Send one message and return the text of the reply.  Raise OSError if the reply is an error."""
    await sock.sendto(message(type, text.encode(), flags=NLM_F_REQUEST), (0, 0))
    return bytes(reply(await sock.recv(BUFSIZE))).decode()


async def guest(app: App, name: str, seen: Seen) -> None:
    """Send a name and record the greeting."""
    async with await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_HELLO) as sock:
        begun = app.monotonic_ns()
        greeting = await ask(sock, HELLO, name)
        seen.greetings.append((name, greeting, app.monotonic_ns() - begun))


async def gossip(app: App, seen: Seen) -> None:
    """Join the multicast group and record the names of the guests, which the module multicasts."""
    sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_HELLO)
    await sock.bind((0, 0))
    await sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, GREETED_GROUP)
    while True:
        seen.gossip.append(bytes(reply(await sock.recv(BUFSIZE))).decode())


async def lout(app: App, seen: Seen) -> None:
    """Send an empty name, a name that is too long, and a message of an unknown type."""
    sayings = (("no name", HELLO, ""), ("a very long name", HELLO, "x" * 100), ("nonsense", NONSENSE, "Moo"))
    async with await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_HELLO) as sock:
        for what, type, text in sayings:
            try:
                await ask(sock, type, text)
            except OSError as error:
                seen.refusals.append((what, error_name(error.errno or 0)))


async def administrator(app: App, greeting: str, seen: Seen) -> None:
    """If `greeting` is not empty, load the module with this greeting. Then record the loaded modules."""
    if greeting:
        await app.modprobe("hello", greeting=greeting)
    seen.loaded = [module["name"] for module in await app.lsmod()]


async def unload(app: App, when: str, seen: Seen) -> None:
    """Try to unload the module `hello`, and record the result."""
    try:
        await app.rmmod("hello")
    except OSError as error:
        seen.attempts.append((f"rmmod hello, {when}", str(error)))
    else:
        seen.attempts.append((f"rmmod hello, {when}", "done"))


@scenario(
    ScenarioParameter("guests", int, 3, minimum=1, maximum=1000, help="number of programs that are greeted"),
    ScenarioParameter(
        "greeting", str, "", help="the module's parameter: the greeting that precedes the name"
    ),
)
def hello(run: Run) -> None:
    machine = run.machine(udev=False)
    seen = Seen()
    machine.spawn(administrator, run["greeting"], seen)
    machine.run(until=millis(1))
    listening = machine.spawn(gossip, seen, uid=1000)
    machine.run(until=millis(5))
    for number in range(run["guests"]):
        name = NAMES[number % len(NAMES)]
        machine.spawn(guest, name, seen, uid=1000)
        machine.run(until=machine.now + micros(100))
    machine.spawn(lout, seen, uid=1000)
    machine.run()
    machine.spawn(unload, "while the gossip listens", seen)
    machine.run()
    listening.kill(SIGTERM)
    machine.spawn(unload, "when it has gone", seen)
    machine.run()
    report(run, seen, machine.statistics["modules"]["requests"], machine.log.lines())


def report(run: Run, seen: Seen, requests: int, log: list[str]) -> None:
    """Report the greetings, the names that `gossip` has received, and the errors that `lout` has received."""
    if requests:
        loading = f"the kernel requests net-pf-16-proto-{NETLINK_HELLO}, and modprobe loads the module hello"
    else:
        loading = "root has already loaded the module hello"
    run.text(
        f"A program opens a socket of netlink protocol {NETLINK_HELLO}; {loading}. Each guest sends its name "
        "and gets a greeting:"
    )
    run.text(
        f"Modules loaded before the first socket: {', '.join(seen.loaded) or 'none'}. Modules requested by "
        f"the kernel: {requests}.",
        detail=True,
    )
    run.table(
        "The guests",
        ("name", "greeting", "round trip [µs]"),
        [(name, greeting, f"{time / 1000:.3f}") for name, greeting, time in seen.greetings],
    )
    run.text(f"The program gossip, a member of the multicast group, has received: {', '.join(seen.gossip)}.")
    run.table("Invalid messages of the program lout", ("message", "error"), seen.refusals)
    run.table("A socket of the protocol holds its module", ("attempt", "result"), seen.attempts, detail=True)
    run.text("The kernel log:\n" + "\n".join(log), detail=True)
    run.metric("greeted", len(seen.greetings))
    run.metric("greetings", [greeting for _, greeting, _ in seen.greetings])
    run.metric("heard_by_gossip", len(seen.gossip))
    run.metric("refused", dict(seen.refusals))
    run.metric("module_requests", requests)
    run.metric("latency_ns", distribution(time for _, _, time in seen.greetings))
