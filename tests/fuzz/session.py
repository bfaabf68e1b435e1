"""A session: a machine with random programs, modules that are loaded and unloaded, and devices that are
unplugged.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import attrs

from simkernel import micros, millis
from simkernel.hardware import Camera, Device, Mouse, Walk
from simkernel.kernel.netlink.sock import NetlinkSock
from simkernel.machine import Machine
from simkernel.uapi.genetlink import GENL_MAX_ID
from simkernel.uapi.signal import SIGKILL
from simkernel.uapi.socket import AF_UNIX, SOCK_STREAM
from tests.fuzz.caller import MODULES, Caller, Plan
from tests.fuzz.requests import Families
from tests.fuzz.watch import Broken, check_accounts, check_over, no_unawaited_coroutine, watched

MAX_DURATION: Final = millis(2000)
"""Simulated time after which a caller that is still blocked is a failure (Broken)."""
SETTLING: Final = millis(500)
"""Simulated time that a session waits for pending activity to end."""


@attrs.frozen
class Outcome:
    """Result of a session: the number of netlink messages or calls, and a counter for each result, such as
    "sendto EAGAIN".
    """

    messages: int
    results: Counter[str]


class Session:
    """A run of random programs on one machine. The session ends after `messages` netlink messages or, if its
    programs use files, after as many calls.

    `kind` is the class of its programs: they use netlink, or files of any kind.
    """

    def __init__(
        self,
        random: Random,
        messages: int,
        kind: type[Caller] = Caller,
        module_path: Sequence[Path] = (),
    ) -> None:
        self._random = random
        self._kind = kind
        self._messages = messages
        self.machine = Machine(
            random.randrange(2**32),
            udev=random.random() < 0.5,
            cpus=random.choice((None, None, 1, 2)),
            module_path=module_path,
        )
        specs = [self.machine.specification(name) for name in ("camera", "mouse")]
        self._plan = Plan(messages, Families(specs, self._family))
        self._devices: list[Device] = []
        self._over = False

    def run(self) -> Outcome:
        """Run the session. Raise Broken or the kernel's exception if an invariant is violated."""
        random = self._random
        with watched() as seen, no_unawaited_coroutine(), self.machine as machine:
            if self._kind.devices:
                for device in (Camera(), Mouse(Walk())):
                    self.machine.plug(device)
                    self._devices.append(device)
                    self.machine.spawn(change_modules, "modprobe", device.__class__.__name__.lower())
                self._pass(millis(10))
            for _ in range(random.randrange(1, 6)):
                self._call()
            self._later(self._cause_event)
            while self._plan.left > 0 and machine.now < MAX_DURATION:
                self._pass(millis(2))
                check_accounts(seen)
            if self._plan.left > 0:
                raise Broken(
                    f"{self._plan.left} messages are left after {MAX_DURATION} ns: callers are blocked"
                )
            self._end(machine)
            self._check(machine, seen)
            return Outcome(self._messages - self._plan.left, self._plan.results)

    def _pass(self, ns: int) -> None:
        """Advance the simulated clock by `ns`."""
        self.machine.run(until=self.machine.now + ns)

    def _check(self, machine: Machine, seen: set[NetlinkSock]) -> None:
        """Check the invariants after all programs have ended."""
        check_over(machine, seen)

    def _family(self, name: str) -> int:
        """Return the id of a family, or an unused id if it is not registered."""
        registry = self.machine.kernel.genetlink.registry
        return next((family.id for family in registry if family.name == name), GENL_MAX_ID)

    # -- random events ----------------------------------------------------------

    def _later(self, event: Callable[[], None]) -> None:
        machine = self.machine
        machine.at(machine.now + self._random.randrange(micros(20), micros(1500)), event)

    def _cause_event(self) -> None:
        """Cause a random event, and schedule the next one."""
        if self._over:
            return
        self._random.choice(EVENTS)(self)
        if len(self._plan.callers) < 2:
            self._call()
        self._later(self._cause_event)

    def _call(self) -> None:
        """Start a new program that makes random calls. Its class is the argument `kind` of the session."""
        caller = self._kind(self._plan, Random(self._random.random()))
        self._begin(caller)

    def _begin(self, caller: Caller) -> None:
        """Start a process that runs the random calls of the program `caller`."""
        self.machine.spawn(caller.run, uid=self._random.choice((0, 0, 1000)), name="caller")

    def _plug(self) -> None:
        if len(self._devices) < 4:
            device = Camera() if self._random.random() < 0.5 else Mouse(Walk())
            self.machine.plug(device)
            self._devices.append(device)

    def _unplug(self) -> None:
        if self._devices:
            self.machine.unplug(self._devices.pop(self._random.randrange(len(self._devices))))

    def _load(self) -> None:
        self.machine.spawn(change_modules, "modprobe", self._random.choice(MODULES))

    def _unload(self) -> None:
        self.machine.spawn(change_modules, "rmmod", self._random.choice(MODULES))

    def _kill(self) -> None:
        """Send a random caller a signal, mostly a fatal one."""
        processes = self.machine.kernel.processes
        callers = [task for task in processes if task in self._plan.callers]
        if callers:
            processes.send_signal(self._random.choice(callers), self._random.choice((SIGKILL, 15, 17)))

    # -- end of the session -----------------------------------------------------

    def _end(self, machine: Machine) -> None:
        """Kill every program, unplug every device and unload every module."""
        self._over = True
        processes = machine.kernel.processes
        for task in tuple(processes):
            processes.send_signal(task, SIGKILL)
        self._pass(SETTLING)
        while self._devices:
            self._unplug()
        self._pass(SETTLING)
        self._unload_everything(machine)
        self._pass(SETTLING)

    def _unload_everything(self, machine: Machine) -> None:
        machine.spawn(unload_all)


EVENTS: Final = (
    Session._plug,
    Session._plug,
    Session._unplug,
    Session._load,
    Session._unload,
    Session._kill,
)


async def change_modules(app: Any, command: str, name: str) -> None:
    """Run modprobe or rmmod and ignore errors."""
    with contextlib.suppress(OSError, LookupError):
        await getattr(app, command)(name)


async def unload_all(app: Any) -> None:
    """Unload all modules. A module is unloaded after the modules that use it."""
    await (
        await app.socket(AF_UNIX, SOCK_STREAM)
    ).close()  # Closing a unix socket starts the garbage collection of files in flight.
    while modules := await app.lsmod():
        for module in modules:
            if not module["users"]:
                await app.rmmod(module["name"])
