"""Measurements of questions and frames, and the machine that all measurements use."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import attrs

from simkernel import App, InternalError, micros
from simkernel.scenario.figures import distribution
from simkernel.uapi.errno import error_name
from simkernel.uapi.fcntl import O_RDWR
from simkernel.uapi.ipc_demo import IPC_DEMO_START, IpcDemoStart

from .driver import EVENTS
from .transport import Function, Session, Transport, Truncated, invert

BURST: Final = 100_000
"""Mean time in ns for which a background program computes without a pause."""
BURNERS: Final = 2
"""Number of background programs per processor."""
TICK: Final = 20_000
"""Interval between interrupts under load, in ns."""
THINK: Final = 20_000
"""Mean pause between two questions under load, in ns."""
WARMUP: Final = 2
"""Number of exchanges before the measured exchanges. They are not measured, because they allocate buffers and
wake the server.
"""

ARRIVALS: Final = {"question": 2, "frame": 1}
"""Number of messages that arrive in one exchange: two for a question (the question and its answer), one for a
frame.
"""

Row = dict[str, Any]
"""The measured figures of one transport, by name. Times are in ns."""


@attrs.frozen
class Bench:
    """The machine and the parameters of the scenario."""

    machine: Any
    settings: Any

    def session(self, app: App) -> Session:
        """Return a session with the scenario's parameters."""
        return Session(app, micros(self.settings["poll"]), self.settings["rcvbuf"])

    def since(self, before: tuple[int, ...] = (0, 0, 0, 0)) -> tuple[int, ...]:
        """Return four counters of the machine minus their values in `before`: time in ns, number of system
        calls, copied bytes, and busy time of all CPUs in ns. Without `before`, return the counters
        themselves.
        """
        counters = self.machine.statistics
        busy = sum(cpu["busy_ns"] for cpu in counters["cpus"])
        now = self.machine.now, counters["system_calls"], counters["copies"]["bytes"], busy
        return tuple(value - start for value, start in zip(now, before, strict=True))

    def run(self, program: Function, name: str, *, loaded: bool = False, ticks: bool = False) -> Any:
        """Run a program to its end and return its result.

        If `loaded`, other programs run beside it; with `ticks`, a timer also interrupts.
        """
        results: list[Any] = []

        async def measured(app: App) -> None:
            results.append(await program(app))

        if loaded and self.settings["load"]:
            self._load(results, ticks)
        self.machine.spawn(measured, name=name)
        self.machine.run()
        return results[0]

    def _load(self, done: list[Any], ticks: bool) -> None:
        """Start background programs that use a share of the CPUs. They end when `done` has an item."""
        share = self.settings["load"] / BURNERS
        idle = BURST * (1 - share) / share

        async def burn(app: App) -> None:
            draw = app.random.expovariate
            while not done:
                await app.sleep(draw(1 / idle) / 1e9)
                await app.compute(round(draw(1 / BURST)))

        async def tick(app: App) -> None:
            fd = await app.open(EVENTS, O_RDWR)
            await app.ioctl(fd, IPC_DEMO_START, IpcDemoStart(TICK, 0xFFFFFFFF).pack())
            while not done:
                await app.sleep(BURST / 1e9)
            await app.ioctl(fd, IPC_DEMO_START, IpcDemoStart(1, 1).pack())

        for number in range(BURNERS * self.settings["cpus"]):
            self.machine.spawn(burn, name=f"burner{number}")
        if ticks:
            self.machine.spawn(tick, name="ticks")


def exchange(
    bench: Bench, transport: Transport, job: str, size: int, count: int, *, loaded: bool = False
) -> Any:
    """Ask a question or read a frame of `size` bytes, `count` times. If `loaded` is True, pause before
    each measured exchange.

    Return the durations and the total costs (`Bench.since`), or a string with the reason of a failure.
    """
    question = (bytes(range(256)) * (size // 256 + 1))[:size] if job == "question" else size

    async def asker(app: App) -> Any:
        session, times = bench.session(app), []
        end = await transport.open(session)
        do = partial(getattr(transport, job), end, question)
        try:
            for _ in range(WARMUP):
                arrived = await do()
                expected = invert(question) if isinstance(question, bytes) else bytes(arrived[:1]) * size
                if arrived != expected:
                    raise InternalError(f"{transport.name}: a {job} of {size} bytes arrives changed")
            before = bench.since()
            for _ in range(count):
                if loaded:
                    await app.sleep(app.random.expovariate(1 / THINK) / 1e9)
                begun = app.monotonic_ns()
                await do()
                times.append(app.monotonic_ns() - begun)
            return times, bench.since(before)
        except Truncated as cut:
            return f"≤{cut.args[0]} B"
        except OSError as error:
            return error_name(error.errno or 0)
        finally:
            await session.close()

    return transport.lacks(job) or bench.run(asker, "asker", loaded=loaded, ticks=loaded)


def measure_exchanges(bench: Bench, transport: Transport, job: str, size: int, count: int) -> Row:
    """Measure questions or frames: the costs on an idle machine, and under load the median (`p50`) and the
    99th percentile (`p99`) of the times of `count` exchanges.

    `copies` is the number of bytes copied per byte that arrives.  `why` is the reason if a transport has
    no figures.
    """
    figures = ("p50", "p99", "rate", "cpu", "calls", "copies")
    row: Row = {"job": job, "transport": transport.name, "size": size, **dict.fromkeys(figures), "why": None}
    quiet = max(WARMUP, count // 10)
    result = exchange(bench, transport, job, size, quiet)
    if isinstance(result, str):
        return row | {"why": result}
    time, calls, copied, busy = result[1]
    spread = distribution(exchange(bench, transport, job, size, count, loaded=True)[0])
    return row | {
        "p50": spread["p50"], "p99": spread["p99"], "rate": round(quiet * 1e9 / time, 1),
        "cpu": round(busy / quiet, 1), "calls": round(calls / quiet, 2),
        "copies": round(copied / quiet / ARRIVALS[job] / size, 3),
    }  # fmt: skip
