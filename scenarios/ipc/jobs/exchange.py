"""Two of the jobs: to ask a question, and to move a frame.

Each is done twice.  On a machine that does nothing else it is done again and again, and counted: that gives
what one costs, and how many there can be in a second.  Then other programs want the processors, too, and
each is timed: that gives how long one takes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs

from simkernel.scenario.figures import distribution
from simkernel.uapi.errno import error_name

from ..ways.way import Cut, Exchange, Settings, Way
from .contention import Contention
from .meter import Reading, read

THINK: Final = 20_000
"""How long the asking program sleeps between two questions, in ns, on average."""
TRIED: Final = 2
"""What is done before anything counts: buffers are there then, and who answers is awake."""


@attrs.frozen
class Row:
    """A line of the figures: one job of `size` bytes over one way; or `why` it cannot be done so."""

    job: str
    way: str
    size: int
    p50: int | None = None
    p99: int | None = None
    rate: float | None = None
    cpu: float | None = None
    calls: float | None = None
    copies: float | None = None
    """Bytes copied for a byte that arrives."""
    why: str | None = None


class Wrong(Exception):
    """An answer is not what it should be."""


def questions(size: int) -> Callable[[Exchange], Awaitable[None]]:
    """To ask a question of so many bytes, and to look at the answer."""
    question = bytes(range(256)) * (size // 256) + bytes(range(size % 256))
    answer = bytes(byte ^ 0xFF for byte in question)

    async def do(exchange: Exchange) -> None:
        if await exchange.ask(question) != answer:
            raise Wrong("an answer is wrong")

    return do


def frames(size: int) -> Callable[[Exchange], Awaitable[None]]:
    """To get a frame of so many bytes, and to look at it."""

    async def do(exchange: Exchange) -> None:
        frame = await exchange.take(size)
        if len(frame) != size or frame != bytes((frame[0],)) * size:
            raise Wrong("a frame is wrong")

    return do


JOBS: Final = {"question": (questions, 2), "frame": (frames, 1)}
"""How each is done, and how often its size arrives: a question at the driver, the answer at the program."""


def measure(
    machine: Any, way: type[Way], settings: Settings, job: str, size: int, count: int, cpus: int, load: float
) -> Row:
    """Do a job of `size` bytes over a way, `count` times under load."""
    if job in way.lacks:
        return Row(job, way.name, size, why=way.lacks[job])
    make, arrivals = JOBS[job]
    do = make(size)
    quiet = max(TRIED, count // 10)
    costs: list[Reading] = []
    times: list[int] = []
    failed: list[str] = []

    async def asker(app: Any, loaded: bool) -> None:
        exchange = await way(settings).opened(app)
        try:
            for _ in range(TRIED):
                await do(exchange)
            before = read(machine)
            for _ in range(count if loaded else quiet):
                if loaded:
                    await app.sleep(app.random.expovariate(1 / THINK) / 1e9)
                begun = app.monotonic_ns()
                await do(exchange)
                times.append(app.monotonic_ns() - begun)
            costs.append(read(machine) - before)
        except Cut as cut:
            failed.append(f"≤{cut.size} B")
        except OSError as error:
            failed.append(error_name(error.errno or 0))
        await exchange.close()

    machine.spawn(asker, False, name="asker")
    machine.run()
    if failed:
        return Row(job, way.name, size, why=failed[0])
    cost = costs[0]
    times.clear()
    contention = Contention(machine, cpus, load, ticks=True)

    async def under_load(app: Any) -> None:
        await asker(app, True)
        contention.stop()

    machine.spawn(under_load, name="asker")
    machine.run()
    spread = distribution(times)
    return Row(
        job,
        way.name,
        size,
        spread["p50"],
        spread["p99"],
        round(quiet * 1e9 / cost.time, 1),
        round(cost.busy / quiet, 1),
        round(cost.calls / quiet, 2),
        round(cost.copied / quiet / arrivals / size, 3),
    )
