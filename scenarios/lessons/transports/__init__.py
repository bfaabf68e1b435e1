"""Lesson 4: one question, asked over eight transports.

Covers: netlink, ioctl, read and write, sysfs and mmap between a program and a driver; a pipe, a unix socket
    and shared memory between two programs: their system calls, copied bytes and time.
Scenario: A program asks the driver ipc_demo a question of `size` bytes, `number` times, over each transport,
    and then another program. Each answer has as many bytes as its question. mmap and shared memory need three
    calls before the first question.
When useful: to choose a transport, and to see from which size on mapped memory is worth its setup.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from simkernel import App, Machine, millis
from simkernel.scenario import Run, ScenarioParameter, scenario
from simkernel.uapi import ipc_demo
from simkernel.uapi.fcntl import O_RDWR
from simkernel.uapi.socket import AF_UNIX, SOCK_DGRAM

SIZES: Final = ("16", "64", "256", "1024", "4096", "16384", "65536")
NODE: Final = "/dev/ipc_demo/question"
ATTRIBUTE: Final = "/sys/class/ipc_demo/question/answer"
MAX_ATTRIBUTE: Final = 65531
"""Maximum payload of one netlink attribute, in bytes."""
INVERTED: Final = bytes(byte ^ 0xFF for byte in range(256))

Start = Callable[[], None]
Ask = Callable[[], Awaitable[Any]]
"""A function that asks the question once and returns the answer."""
Transport = Callable[[App, bytes, Start], Awaitable[Ask]]


# -- transports to a driver: each returns an Ask, and can call `start` to begin the measurement before that --


async def netlink(app: App, question: bytes, start: Start) -> Ask:
    family = await app.genetlink("ipc_demo")
    parts = [part for part in (question[:MAX_ATTRIBUTE], question[MAX_ATTRIBUTE:]) if part]

    async def ask() -> bytes:
        answer: dict[str, Any] = await family.do("ask", question=parts) or {}
        return b"".join(answer["answer"])

    return ask


async def ioctl(app: App, question: bytes, start: Start) -> Ask:
    size, fd = len(question), await app.open(NODE, O_RDWR)
    memory = await app.mmap(-1, 2 * size)
    memory[:size] = question
    request = ipc_demo.IpcDemoAsk(memory.address, memory.address + size, size).pack()

    async def ask() -> Any:
        await app.ioctl(fd, ipc_demo.IPC_DEMO_ASK, request)
        return memory[size:]

    return ask


async def read(app: App, question: bytes, start: Start) -> Ask:
    fd = await app.open(NODE, O_RDWR)

    async def ask() -> bytes:
        await app.write(fd, question)
        return await app.read(fd, len(question))

    return ask


async def sysfs(app: App, question: bytes, start: Start) -> Ask:
    """Ask over a sysfs attribute, which returns the answer as hex digits."""
    fd = await app.open(ATTRIBUTE, O_RDWR)

    async def ask() -> bytes:
        await app.pwrite(fd, question, 0)
        return await app.pread(fd, 2 * len(question) + 1, 0)

    return ask


async def mmap(app: App, question: bytes, start: Start) -> Ask:
    size, fd = len(question), await app.open(NODE, O_RDWR)
    start()
    memory = await app.mmap(fd, ipc_demo.QUESTION_MEMORY)

    async def ask() -> Any:
        memory[:size] = question
        await app.ioctl(fd, ipc_demo.IPC_DEMO_RING, size)
        return memory[ipc_demo.ANSWER_OFFSET : ipc_demo.ANSWER_OFFSET + size]

    return ask


# -- transports to another program, which replaces the driver ---------------------------------------------


async def pipe(app: App, question: bytes, start: Start) -> Ask:
    (there, questions), (back, answers) = await app.pipe(), await app.pipe()

    async def exactly(app: App, fd: int) -> bytes:
        data = b""
        while len(data) < len(question):
            data += await app.read(fd, len(question))
        return data

    async def server(app: App) -> None:
        while True:
            await app.write(answers, (await exactly(app, there)).translate(INVERTED))

    async def ask() -> bytes:
        await app.write(questions, question)
        return await exactly(app, back)

    await serve(app, server)
    return ask


async def unix(app: App, question: bytes, start: Start) -> Ask:
    here, there = await app.socketpair(AF_UNIX, SOCK_DGRAM)

    async def server(app: App) -> None:
        sock = await app.socket(fileno=there.fileno())
        while True:
            await sock.send((await sock.recv(len(question))).translate(INVERTED))

    async def ask() -> bytes:
        await here.send(question)
        return await here.recv(len(question))

    await serve(app, server)
    return ask


async def shared_memory(app: App, question: bytes, start: Start) -> Ask:
    size, fd = len(question), await app.memfd_create("question", 0)
    await app.ftruncate(fd, size)
    asked, answered = await app.eventfd(0, 0), await app.eventfd(0, 0)

    async def server(app: App) -> None:
        memory = await app.mmap(fd, size)
        while await app.eventfd_read(asked):
            memory[:size] = memory[:size].translate(INVERTED)
            await app.eventfd_write(answered, 1)

    await serve(app, server)
    start()
    memory = await app.mmap(fd, size)

    async def ask() -> Any:
        memory[:size] = question
        await app.eventfd_write(asked, 1)
        await app.eventfd_read(answered)
        return memory[:size]

    return ask


async def serve(app: App, server: Any) -> None:
    """Start a server and wait until it blocks."""
    await app.spawn(server, name="server")
    await app.sleep(0.001)


DRIVER: Final[dict[str, Transport]] = {
    "netlink": netlink,
    "ioctl": ioctl,
    "read": read,
    "sysfs": sysfs,
    "mmap": mmap,
}
PROGRAM: Final[dict[str, Transport]] = {"pipe": pipe, "unix socket": unix, "shared memory": shared_memory}
TRANSPORTS: Final = DRIVER | PROGRAM


def measure(machine: Machine, name: str, size: int, number: int) -> list[int]:
    """Ask `number` questions over a transport. Return the time in ns, the number of system calls, and the
    number of copied bytes.

    The list is empty if the transport cannot carry that many bytes.
    """
    question = bytes(range(1, 17)) * (size // 16)
    expected = question.translate(INVERTED)
    counters: list[tuple[int, int, int]] = []
    answers: list[Any] = []

    def count() -> None:
        found = machine.statistics
        counters.append((machine.now, found["system_calls"], found["copies"]["bytes"]))

    async def program(app: App) -> None:
        ask = await TRANSPORTS[name](app, question, count)
        if not counters:
            count()
        for _ in range(number):
            answers.append(await ask())
        count()

    machine.spawn(program, name=name, uid=1000)
    machine.run(until=machine.now + millis(10))
    right = all(answer in (expected, f"{expected.hex()}\n".encode()) for answer in answers)
    return [after - before for before, after in zip(counters[0], counters[-1], strict=True)] if right else []


def fastest(rows: dict[str, list[int]]) -> str:
    """Return the fastest transport to the driver."""
    return min((name for name in DRIVER if rows[name]), key=lambda name: rows[name][0])


@scenario(
    ScenarioParameter(
        "size", str, "16384", choices=SIZES, unit="bytes", help="size of the question and of its answer"
    ),
    ScenarioParameter("number", int, 4, minimum=1, maximum=20, help="number of questions"),
)
def transports(run: Run) -> None:
    machine = run.machine(udev=False, instrumented=True)
    machine.blocking().modprobe("ipc_demo")
    flows: dict[str, int] = {}

    def watch(record: Any) -> None:
        if record.flow and record.fields.get("comm") in TRANSPORTS:
            flows[record.fields["comm"]] = record.flow

    machine.trace.subscribe(watch)
    size, number = run["size"], run["number"]
    before = SIZES[max(SIZES.index(size) - 1, 0)]
    smaller, rows = (
        {name: measure(machine, name, int(each), number) for name in TRANSPORTS} for each in (before, size)
    )
    winner, loser = fastest(rows), fastest(smaller)
    times = "once" if number == 1 else f"{number} times"
    run.text(
        f"A question of {size} bytes is asked {times}. The fastest transport to a driver is {winner}: "
        f"{rows[winner][0]:,} ns. netlink takes {rows['netlink'][0]:,} ns."
    )
    for title, names in (("Between a program and a driver", DRIVER), ("Between two programs", PROGRAM)):
        table = [(name, *(rows[name] or ("too large", "", ""))) for name in names]
        run.table(title, ("transport", "time [ns]", "system calls", "copied bytes"), table, detail=True)
    run.metric("transports", rows)
    run.metric("smaller", smaller)
    for name, flow in flows.items():
        run.follow(f"{name}: a question", flow)
    if winner != "mmap":
        why = f"with {size} bytes {winner} is faster than mmap"
    elif size == before:
        why = f"mmap is the fastest with {size} bytes already: ask less often"
    elif loser == "mmap":
        why = f"mmap is the fastest with {before} bytes, too"
    else:
        why = f"mmap is the fastest from {size} bytes on; with {before} bytes it is {loser}"
    run.goal(winner == "mmap" != loser, why)
