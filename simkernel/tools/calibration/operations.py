"""The operations by their names, as files of measurements have them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import attrs

from simkernel.application.app import App
from simkernel.kernel.lib.costs import CostModel
from simkernel.machine import Machine
from simkernel.tools.calibration import programs
from simkernel.tools.calibration.programs import Prepare, Trial

WARM_UP: Final = 2
"""Turns that are not timed: then caches of the kernel's (spare pages of pipes) are as they stay."""
TURNS: Final = 4


@attrs.frozen
class Kind:
    """A kind of operation: its name with {} for a count, the name in `measure.c`, its program."""

    name: str
    key: str
    prepare: Prepare
    size: int = 0
    """Bytes, where its name is asked for without one."""

    def match(self, name: str) -> int | None:
        """The count in `name`, 0 where none belongs there; None if that is not its name."""
        pattern = re.escape(self.name).replace(r"\{\}", "([0-9]+)").replace("members", "members?")
        found = re.fullmatch(pattern.replace("sockets", "sockets?"), name)
        if found is None:
            return None
        return int(found[1]) if found.groups() else 0


KINDS: Final = (
    Kind("getppid", "getppid", programs.getppid),
    Kind("sched_yield", "sched_yield", programs.sched_yield),
    Kind("ioctl(FIONREAD) on a pipe", "fionread", programs.fionread),
    Kind("eventfd write + read", "eventfd", programs.eventfd, 8),
    Kind("poll, one ready", "poll", programs.poll),
    Kind("epoll_wait, one ready", "epoll", programs.epoll),
    Kind("netlink socket + bind + close", "socket", programs.socket),
    Kind("pread of a procfs file (comm)", "comm", programs.comm),
    Kind("pread of a procfs file (loadavg)", "loadavg", programs.loadavg),
    Kind("pread of a sysfs attribute", "attribute", programs.attribute),
    Kind("pipe write + read", "pipe", programs.pipe, 64),
    Kind("unix datagram send + recv", "unix", programs.unix, 64),
    Kind("usersock unicast send + recv", "usersock", programs.usersock, 64),
    Kind("usersock sendto, no such port", "refused", programs.refused, 16),
    Kind("nlctrl GETFAMILY send + recv", "getfamily", programs.getfamily, 32),
    Kind("genl NOOP with NLM_F_ACK send + recv", "noop", programs.noop, 16),
    Kind("usersock multicast send, {} members", "members", programs.members, 64),
    Kind("usersock multicast send, 1 member, {} sockets in another group", "others", programs.others, 64),
    Kind("usersock recv of a queued message", "recv", programs.recv, 64),
    Kind(
        "usersock ping-pong, 2 processes on 1 cpu (block, wake, switch twice)",
        "usersock-echo",
        programs.usersock_echo,
        64,
    ),
    Kind("pipe ping-pong, 2 processes on 1 cpu", "pipe-echo", programs.pipe_echo, 64),
)


@attrs.frozen
class Operation:
    """One operation with a count (of members, of sockets) and a size in bytes."""

    kind: Kind
    count: int
    size: int

    @property
    def name(self) -> str:
        """As files of measurements have it."""
        name = self.kind.name.format(self.count)
        return name.replace("members", "member") if self.count == 1 else name

    @property
    def key(self) -> str:
        """As `measure.c` takes it."""
        return f"{self.kind.key}:{self.count}:{self.size}"

    def simulated(self, costs: CostModel) -> float:
        """Nanoseconds that it takes on a machine with one CPU and these prices.

        OSError where the kernel refuses it: a message too large, say.
        """
        timing = Timing(self)
        with Machine(cpus=1, costs=costs, udev=False) as machine:
            process = machine.spawn(timing.run, name="calibrate")
            machine.run()
            if process.alive:
                raise TimeoutError(f"{self.name} of {self.size} bytes waits for ever")
        if timing.refused is not None:
            raise timing.refused
        return sum(timing.taken) / TURNS


class Timing:
    """One operation, timed by a program: the nanoseconds of each turn, or the error that it ended with."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self.taken: list[int] = []
        self.refused: OSError | None = None

    async def run(self, app: App) -> None:
        """The program."""
        try:
            await self._time(app)
        except OSError as error:
            self.refused = error

    async def _time(self, app: App) -> None:
        operation = self._operation
        trial: Trial = await operation.kind.prepare(app, operation.count, operation.size)
        for turn in range(WARM_UP + TURNS):
            if trial.before is not None:
                await trial.before()
            begun = app.monotonic_ns()
            await trial.turn()
            if turn >= WARM_UP:
                self.taken.append(app.monotonic_ns() - begun)


def find(name: str, size: int) -> Operation:
    """The operation of that name, with that size.  LookupError if there is none."""
    for kind in KINDS:
        count = kind.match(name)
        if count is not None:
            return Operation(kind, count, size)
    raise LookupError(f"there is no operation {name!r}")


def names() -> Iterator[str]:
    """Every name, with N where a count belongs."""
    for kind in KINDS:
        yield kind.name.format("N")
