"""Sessions that make random calls with random arguments and raise random exceptions, in programs or in
ordinary code (code outside the simulation).
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, Final

from simkernel import SimulationError
from simkernel.hardware import Camera, Device
from simkernel.kernel.netlink.sock import NetlinkSock
from simkernel.machine import Machine, Process
from simkernel.uapi.signal import SIGKILL
from simkernel.uapi.socket import AF_UNIX, SOCK_STREAM
from tests.fuzz import chaos
from tests.fuzz.caller import Caller
from tests.fuzz.calls import CallPlan, FacadeCaller
from tests.fuzz.requests import Families
from tests.fuzz.session import SETTLING, Outcome, Session
from tests.fuzz.watch import Broken, check_over, no_unawaited_coroutine, watched

MODULE_PATH: Final = Path(__file__).parent / "modules"
PATIENCE: Final = 300
"""Wall-clock seconds after which a session counts as hung."""


SLOW: Final = ("/dev/urandom", "/dev/random")
"""Files that are too slow for a read of two gigabytes."""
ENDLESS: Final = ("/dev/zero", "/dev/full")
"""Files without an end. `read_file` would read them forever."""


@contextmanager
def wall_clock_limit() -> Iterator[None]:
    """Raise Broken if the body of the `with` statement takes longer than PATIENCE."""

    late: list[Broken] = []

    def expired(*_: object) -> None:
        late.append(Broken(f"a session took {PATIENCE} s"))
        raise late[0]

    old = signal.signal(signal.SIGALRM, expired)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)
    if late:  # A program or a listener may have caught the exception that `expired` raised.
        raise late[0]


def run_checked(function: Callable[..., object], *arguments: object) -> None:
    """Call a function that runs the machine. Raise Broken if a program raises an unexpected exception."""
    try:
        function(*arguments)
    except BaseExceptionGroup as group:
        chaos.judge(group)


class CallSession(Session):
    """A session whose programs are of the class `FacadeCaller`. It loads the module `unruly`, which raises
    exceptions on purpose.
    """

    def __init__(self, random: Random, calls: int) -> None:
        super().__init__(random, calls, FacadeCaller, (MODULE_PATH,))
        self._plan = CallPlan(self._plan.left, self._plan.families)
        self._processes: list[Process] = []

    def run(self) -> Outcome:
        """Run the session. Raise Broken or an InternalError if an invariant is violated."""
        self.machine.spawn(remove, *SLOW)
        with wall_clock_limit():
            outcome = super().run()
            run_checked(self.machine.raise_failures)
        return outcome

    def _begin(self, caller: Caller) -> None:
        assert isinstance(caller, FacadeCaller)
        program = self._random.choice((caller.run, caller.run, caller.generator, caller.plain))
        uid = self._random.choice((0, 0, 1000))
        self._processes.append(self.machine.spawn(program, uid=uid, name="caller"))

    def _pass(self, ns: int) -> None:
        """Run the machine for `ns` nanoseconds of simulated time. Raise Broken if a program raises an
        unexpected exception.
        """
        until = self.machine.now + ns
        while self.machine.now < until:
            run_checked(self.machine.run, until)

    def _unload_everything(self, machine: Machine) -> None:
        machine.spawn(unload_what_can_be)

    def _check(self, machine: Machine, seen: set[NetlinkSock]) -> None:
        """Raise Broken if a resource is not released. Resources that an oops in the module `unruly` leaks are
        allowed.
        """
        if running := [process for process in self._processes if process.exit_status is None]:
            raise Broken(f"processes without an exit status: {running}")
        if self._plan.callers:
            raise Broken(f"{len(self._plan.callers)} programs have not ended")
        for oops in machine.kernel.oopses.reports:
            if oops.module != "unruly":
                raise Broken(f"unexpected oops in module {oops.module}") from oops.error
        check_over(machine, seen, oopses=True)
        machine.close()


async def unload_what_can_be(app: Any) -> None:
    """Unload all modules, except those that stay in use because an oops (a fatal error in the kernel) has
    leaked a reference.
    """
    await (await app.socket(AF_UNIX, SOCK_STREAM)).close()
    for _ in range(5):
        for module in await app.lsmod():
            with contextlib.suppress(OSError):
                await app.rmmod(module["name"])


class FacadeSession:
    """A session of ordinary code (code outside the simulation). It calls methods of the machine and of its
    blocking interface with random arguments.
    """

    def __init__(self, random: Random, calls: int) -> None:
        self._calls = calls
        self.machine = Machine(random.randrange(2**32), udev=False, module_path=[MODULE_PATH])
        self._caller = FacadeCaller(CallPlan(calls, Families([], int)), random)

    def run(self) -> Outcome:
        """Run the session. Raise Broken or an InternalError if an invariant is violated."""
        plan, machine, random = self._caller.plan, self.machine, self._caller.random
        # The machine has no mouse, because the events of a mouse make long waits slow.
        devices: list[Device] = [Camera(), Camera()]
        with wall_clock_limit(), watched() as seen, no_unawaited_coroutine():
            process = machine.blocking()
            process.run(remove(process.app, *SLOW, *ENDLESS))
            for _ in range(self._calls):
                if not process.task.alive:
                    process, self._caller.kept = machine.blocking(random.choice((0, 1000))), []
                try:
                    if random.random() < 0.03:
                        self._caller.machine(machine, devices)
                    else:
                        self._caller.keep(self._caller.act(process))
                except chaos.ALLOWED as error:
                    self._caller.plan.results[type(error).__name__] += 1
                except BaseException as error:  # noqa: BLE001 - it is run_checked
                    chaos.judge(error)
            process.exit()
            self._end(devices)
            check_over(machine, seen, oopses=True)
            machine.close()
        return Outcome(self._calls, plan.results)

    def _end(self, devices: list[Device]) -> None:
        machine = self.machine
        for device in devices:
            with contextlib.suppress(SimulationError):
                machine.unplug(device)
        for task in tuple(machine.kernel.processes):
            machine.kernel.processes.send_signal(task, SIGKILL)
        machine.spawn(unload_what_can_be)
        run_checked(machine.run, machine.now + SETTLING)


async def remove(app: Any, *paths: str) -> None:
    """Remove files that would make a session slow."""
    for path in paths:
        await app.unlink(path)
