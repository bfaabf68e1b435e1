"""The operations of the calibration, by their names in files of measurements."""

from __future__ import annotations

import re
from functools import partial
from typing import Final

import attrs

from simkernel.application.app import App
from simkernel.engine.jitter import HOLD
from simkernel.kernel.lib.costs import CostModel
from simkernel.machine import Machine
from simkernel.tools.calibration import programs
from simkernel.tools.calibration.programs import Prepare
from simkernel.uapi.socket import SOCK_DGRAM, SOCK_STREAM

WARM_UP: Final = 2
"""Number of repetitions before the measured ones, to fill the kernel's caches, such as spare pages of pipes.
Their times are discarded.
"""
TURNS: Final = 4


@attrs.frozen
class OperationKind:
    """A kind of operation, such as "pipe write + read". It is measured with each of its sizes and counts.

    name     its name, with {} for a count
    key      the name in `measure.c`
    prepare  the function that prepares its calls
    sizes    sizes in bytes that `--host` measures, or 0 if it has no size
    counts   numbers of sockets that `--host` measures, or 0 if it has no count
    cpus     CPUs of the simulated machine; None (unlimited) if a wake-up must preempt its waker
    """

    name: str
    key: str
    prepare: Prepare
    sizes: tuple[int, ...] = (0,)
    counts: tuple[int, ...] = (0,)
    cpus: int | None = 1

    def match(self, name: str) -> int | None:
        """Return the count that `name`, the name of an operation, contains. Return 0 if it contains no count.

        Return None if `name` belongs to an operation of another kind.
        """
        pattern = re.escape(self.name).replace(r"\{\}", "([0-9]+)").replace("members", "members?")
        found = re.fullmatch(pattern.replace("sockets", "sockets?"), name)
        if found is None:
            return None
        return int(found[1]) if found.groups() else 0


ATTRIBUTE: Final = "/sys/kernel/uevent_seqnum"
MESSAGES: Final = (16, 64, 1024, 4096, 16384, 32768, 60000)
"""Message sizes in bytes at which copying is measured."""

KINDS: Final = (
    OperationKind("getppid", "getppid", programs.getppid),
    OperationKind("sched_yield", "sched_yield", programs.sched_yield),
    OperationKind("ioctl(FIONREAD) on a pipe", "fionread", programs.fionread),
    OperationKind("eventfd write + read", "eventfd", programs.eventfd, (8,)),
    OperationKind("poll, one ready", "poll", programs.poll),
    OperationKind("poll, {} ready", "poll", programs.poll, counts=(10, 100)),
    OperationKind(
        "poll that may wait, the last of {} ready",
        "poll-wait", programs.poll_wait, counts=(1, 10, 100),
    ),
    OperationKind("epoll_wait, one ready", "epoll", programs.epoll),
    OperationKind("epoll_wait, {} ready", "epoll", programs.epoll, counts=(10, 100)),
    OperationKind("netlink socket + bind + close", "socket", programs.socket),
    OperationKind("pread of a procfs file (comm)", "comm", partial(programs.pread, "/proc/self/comm")),
    OperationKind("pread of a procfs file (loadavg)", "loadavg", partial(programs.pread, "/proc/loadavg")),
    OperationKind(
        "pread of a procfs file (self/stat)",
        "self-stat", partial(programs.pread, "/proc/self/stat"),
    ),
    OperationKind("pread of a sysfs attribute", "attribute", partial(programs.pread, ATTRIBUTE)),
    OperationKind("stat of a procfs file", "stat", programs.stat),
    OperationKind("open + close of a procfs file", "open", partial(programs.open_close, programs.LOADAVG)),
    OperationKind("open + close of a sysfs attribute", "open-deep", partial(programs.open_close, ATTRIBUTE)),
    OperationKind("open + pread + close of a procfs file", "open-read", programs.open_read_close),
    OperationKind("pipe write + read", "pipe", programs.pipe, MESSAGES),
    OperationKind("unix datagram send + recv", "unix", partial(programs.unix, SOCK_DGRAM), MESSAGES),
    OperationKind("unix stream send + recv", "stream", partial(programs.unix, SOCK_STREAM), MESSAGES),
    OperationKind("usersock unicast send + recv", "usersock", programs.usersock, MESSAGES),
    OperationKind("usersock sendto, no such port", "refused", programs.refused, (16,)),
    OperationKind("nlctrl GETFAMILY send + recv", "getfamily", programs.getfamily, (32,)),
    OperationKind("genl NOOP with NLM_F_ACK send + recv", "noop", programs.noop, (16,)),
    OperationKind(
        "usersock multicast send, {} members",
        "members", programs.members, (64,), (1, 10, 100, 300, 1000),
    ),
    OperationKind(
        "usersock multicast send, 1 member, {} sockets in another group",
        "others", programs.others, (64,), (10, 100, 300, 1000),
    ),
    OperationKind("usersock recv of a queued message", "recv", programs.recv, (64,)),
    OperationKind(
        "usersock ping-pong, 2 processes on 1 cpu (block, wake, switch twice)",
        "usersock-echo", programs.usersock_echo, (64,),
    ),
    OperationKind("pipe ping-pong, 2 processes on 1 cpu", "pipe-echo", programs.pipe_echo, (64,)),
    OperationKind(
        "usersock multicast to a program in poll, until its recv returns",
        "event", programs.event, (200,), cpus=None,
    ),
    OperationKind("spawn + exit + wait", "spawn", programs.spawn),
    OperationKind("thread create + join", "thread", programs.thread),
)  # fmt: skip


@attrs.frozen
class Operation:
    """An operation with a count (of members or sockets) and a size in bytes."""

    kind: OperationKind
    count: int
    size: int

    @property
    def name(self) -> str:
        """Name of the operation in files of measurements."""
        name = self.kind.name.format(self.count)
        return name.replace("members", "member") if self.count == 1 else name

    @property
    def key(self) -> str:
        """Name of the operation as an argument of `measure.c`."""
        return f"{self.kind.key}:{self.count}:{self.size}"

    def simulated(self, costs: CostModel) -> float:
        """Return the operation's time in ns on a machine with these costs.

        Raise OSError if the operation fails in the kernel, for example because a message is too large.
        """
        return sum(self.times(costs, TURNS)) / TURNS

    def times(self, costs: CostModel, turns: int, *, jitter: bool = False) -> list[int]:
        """Repeat the operation `turns` times, and return the time in ns of each repetition. `jitter` has the
        same meaning as in `Machine`.
        """
        taken: list[int] = []
        refused: list[OSError] = []

        async def program(app: App) -> None:
            try:
                trial = await self.kind.prepare(app, self.count, self.size)
                for _ in range(WARM_UP + turns):
                    if jitter:
                        # let simulated time pass, so that a new jitter factor is drawn
                        await app.compute(HOLD)
                    if trial.before is not None:
                        await trial.before()
                    begun = app.monotonic_ns()
                    for call in trial.calls:
                        await call()
                    taken.append(app.monotonic_ns() - (trial.begun() if trial.begun else begun))
            except OSError as error:
                refused.append(error)

        with Machine(cpus=self.kind.cpus, costs=costs, udev=False, jitter=jitter) as machine:
            process = machine.spawn(program, name="calibrate")
            machine.run()
            if process.alive:
                raise TimeoutError(f"{self.name} of {self.size} bytes never ends")
        if refused:
            raise refused[0]
        return taken[WARM_UP:]


OPERATIONS: Final = tuple(
    Operation(kind, count, size) for kind in KINDS for count in kind.counts for size in kind.sizes
)
"""The operations that `--host` measures."""


def find(name: str, size: int) -> Operation:
    """Return the operation with this name and size.  Raise LookupError for an unknown name."""
    for kind in KINDS:
        count = kind.match(name)
        if count is not None:
            return Operation(kind, count, size)
    raise LookupError(f"unknown operation {name!r}")
