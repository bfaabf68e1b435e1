"""The object `sim` of a test: stimuli, waiting for quiescence, and conditions that hold during a run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import attrs

from simkernel.application.plain import perform
from simkernel.application.program import unwrapped
from simkernel.engine import Deadlock, SimulationError, TimeLimit, seconds
from simkernel.explore.run import Trial
from simkernel.explore.schedule import Schedule
from simkernel.hardware import Camera, Mouse
from simkernel.hardware.bus import Device
from simkernel.kernel.lib.report import KIT
from simkernel.kernel.sched.sleepers import explained
from simkernel.kernel.vfs.eventfd import EventFd
from simkernel.machine import Machine, Process
from simkernel.uapi.structure import U64
from simkernel.ynl.errors import choose

CHECKED: Final[Mapping[str, Any]] = {"check_leaks": True, "checks": KIT}
"""Default keywords of the machines of a test."""
LIMIT: Final = seconds(60)
"""Simulated nanoseconds after which a machine that is still active raises TimeLimit."""
DEVICES: Final[Mapping[str, Callable[[], Device]]] = {"camera": Camera, "mouse": Mouse}
ONE: Final = U64.pack(1)
GIVEN: Final[Mapping[str, None]] = {"app": None, "sim": None}
"""Parameters of a test's body for which each run supplies the argument."""


@attrs.define(eq=False)
class Condition:
    """A named condition of a run. If `once` is false, the condition must be true at every step. If `once` is
    true, it must be true at one step at least. If `until` is also set, that step must not be later than
    `until` ns.

    When `met` is True, the condition is no longer checked.
    """

    name: str
    check: Callable[[], object]
    once: bool = False
    until: int | None = None
    met: bool = False


class Sim:
    """One run of a test: its machine, its stimuli and its conditions.

    The body of a test receives it as the argument `sim`.  Programs that the body spawns can use it, too.
    """

    def __init__(self, machine: Machine, schedule: Schedule) -> None:
        self.machine = machine
        self._schedule = schedule
        self._quiet: list[EventFd] = []
        self._conditions: list[Condition] = []
        self._step = 0
        self.app: Any = None
        """The `App` of the test's body: the object through which the body makes system calls."""

    def __repr__(self) -> str:
        return f"<Sim of {self.machine!r}>"

    # -- stimuli --------------------------------------------------------------

    def any_step(self, function: Callable[..., object], *arguments: Any) -> None:
        """Call a plain function, not an `async def`, at a later step of the run.  The plan chooses the step.

        In the default run, it is called immediately.  If a run does not reach the step, it is called when
        the machine is quiet.
        """
        if not callable(function) or inspect.iscoroutinefunction(function):
            raise SimulationError(f"sim.any_step({function!r}): pass an ordinary function and its arguments")
        shown = [each if isinstance(each, str) else type(each).__name__.lower() for each in arguments]
        name = "-".join([getattr(function, "__name__", "stimulus"), *shown])
        self._schedule.announce(name, lambda: function(*arguments))

    def plug(self, device: Device | str) -> None:
        """Plug a device in. Pass a new device, or the name of a device that was unplugged."""
        found = self.device(device)
        if found.slot is None:
            self.machine.plug(found)

    def unplug(self, device: Device | str) -> None:
        """Unplug a device immediately. No effect if the device is not plugged in."""
        found = self.device(device)
        if found.slot is not None:
            self.machine.unplug(found)

    def device(self, device: Device | str) -> Device:
        """Return a device by its name, such as "mouse0". If the name is unknown, raise LookupError with
        similar names.
        """
        if isinstance(device, Device):
            return device
        known = {each.name: each for each in self.machine.bus.all_devices()}
        if device not in known:
            raise LookupError(f"unknown device {device!r}: {choose(device, known)}")
        return known[device]

    # -- conditions -----------------------------------------------------------

    def always(self, name: str, check: Callable[[], object]) -> None:
        """Require that `check()` returns true at every step from now on.

        `check` must not make system calls.
        """
        self._watch(Condition(name, check))

    def eventually(self, name: str, check: Callable[[], object], within: int | None = None) -> None:
        """Require that `check()` returns true at some step before the end of the run. If `within` is given,
        this must happen within that number of ns.
        """
        until = None if within is None else self.machine.now + within
        self._watch(Condition(name, check, True, until))

    def _watch(self, condition: Condition) -> None:
        if not callable(condition.check):
            raise SimulationError(f"{condition.name!r}: {condition.check!r} is not a function: pass a lambda")
        if not self._conditions:
            self.machine.engine.watches.append(self._check_step)  # type: ignore[attr-defined]
        self._conditions.append(condition)
        self._step = self.machine.now
        self._check_step()

    def _check_step(self) -> None:
        """Check the conditions between two steps, and end the run if one is violated."""
        if (error := self._broken()) is not None:
            self.machine.engine.interrupt(error)
        self._step = self.machine.now

    def _broken(self) -> AssertionError | None:
        """Return the error for the first violated condition, or None. The error text contains the time of the
        last step.
        """
        for condition in self._conditions:
            if condition.met:
                continue
            late = condition.until is not None and self._step > condition.until
            condition.met = late or bool(condition.check()) is condition.once
            if late or (condition.met and not condition.once):
                kind = "eventually" if condition.once else "always"
                return AssertionError(f"sim.{kind}({condition.name!r}) does not hold at {self._step} ns")
        return None

    def check_conditions(self) -> None:
        """Raise AssertionError if a condition is violated after the last step, or if a condition of
        `eventually` has not been met at any step.
        """
        if (error := self._broken()) is not None:
            raise error
        missed = [each.name for each in self._conditions if each.once and not each.met]
        if missed:
            raise AssertionError(f"sim.eventually({missed[0]!r}) does not hold at any step")

    # -- the state of the kernel ----------------------------------------------

    def truth(self, kind: str) -> dict[str, dict[str, str]]:
        """Return the devices of a class, a bus or a driver. The keys are device names; each value is a
        dictionary of the properties in the device's uevents.

        Raise LookupError for an unknown name, with the known classes, buses and drivers.
        """
        core = self.machine.kernel.devices
        groups: dict[str, list[Any]] = {}
        for bus in core.buses.values():
            groups[bus.name] = list(bus.devices)
            for driver in bus.drivers:
                groups[driver.name] = [each for each in bus.devices if each.driver is driver]
        groups |= {name: list(each.devices) for name, each in core.classes.items()}
        if kind not in groups:
            raise LookupError(f"unknown class, bus or driver {kind!r}: {choose(kind, groups)}")
        return {device.name: device.uevent_environment() for device in groups[kind]}

    # -- quiescence -----------------------------------------------------------

    def quiet(self) -> Any:
        """Wait until no event is left, so that every task sleeps and no timer is pending.

        An async program awaits it; in a plain function it blocks.  If several programs wait, they continue
        one by one, each when the machine is quiet again.  Raise TimeLimit after 60 simulated seconds.
        """
        task = self.machine.kernel.current()
        if task is None:
            raise SimulationError("only a program, such as the body of a test, can call sim.quiet()")
        return perform(task, self._wait(task.application))

    async def _wait(self, app: Any) -> None:
        fd = await app.eventfd(0)
        counter = app.owner.files.get(fd).object
        self._quiet.append(counter)
        try:
            await app.read(fd, U64.size)
        finally:
            self._quiet.remove(counter)
            await app.close(fd)

    def settle(self) -> None:
        """Run the machine until no event is left and no program waits in `Sim.quiet`.

        Each time the machine is quiet, trigger a late stimulus.  If none is left, wake a program that
        waits in `quiet`. Raise the exceptions of programs, and TimeLimit.
        """
        while True:
            run_idle(self.machine)
            if self._schedule.late_stimuli():
                continue
            if not self._quiet:
                return
            self.machine.engine.call_later(0, self._quiet[0].write, None, None, ONE, 0)

    # -- a whole test ---------------------------------------------------------

    def run_body(self, body: Callable[..., object], arguments: Mapping[str, object], **options: Any) -> None:
        """Run the body of a test as a program, and run the machine until no event is left.

        `arguments` are its keyword arguments; `app` and `sim` are replaced if they are None.  Raise the
        body's exception, or Deadlock if the body never ends.
        """

        def program(app: Any) -> Any:
            self.app = app
            given = {"app": app, "sim": self}
            return body(
                **{name: given.get(name) if each is None else each for name, each in arguments.items()}
            )

        async def async_program(app: Any) -> Any:
            return await program(app)

        name = getattr(body, "__name__", "body")
        is_async = inspect.iscoroutinefunction(unwrapped(body))
        process: Process = self.machine.spawn(async_program if is_async else program, name=name, **options)
        self.settle()
        if process.alive:
            tasks = [task for task in self.machine.kernel.processes if not task.kthread]
            raise explained(Deadlock, f"{name} sleeps for ever", tasks, ())
        self.check_conditions()


def plugged(devices: Iterable[str | Callable[[], Device]]) -> list[Device]:
    """Make devices.  Each item is a name such as "mouse", or a function that makes a device.

    Raise SimulationError for any other item.
    """
    made = []
    for each in devices:
        if isinstance(each, str) and each not in DEVICES:
            raise SimulationError(f"unknown device {each!r}: {choose(each, DEVICES)}")
        device = DEVICES[each]() if isinstance(each, str) else each()
        if not isinstance(device, Device):
            raise SimulationError(
                f"{each!r} returns {device!r}, which is not a device: pass a class, as in [Camera]"
            )
        made.append(device)
    return made


@attrs.frozen(eq=False)
class Body:
    """The body of a test and the settings of its runs. It can run many times
    (`simkernel.explore.run.Target`).

    arguments  its keyword arguments; `app` and `sim` are replaced if they are None
    devices    devices that are plugged in and bound before the body begins
    modules    modules that are loaded before the body begins
    options    keywords of Machine
    uid        the user id of the body's process
    """

    function: Callable[..., object]
    arguments: Mapping[str, object] = GIVEN
    devices: tuple[str | Callable[[], Device], ...] = ()
    modules: tuple[str, ...] = ()
    options: Mapping[str, Any] = {}
    uid: int = 0

    def run(self, trial: Trial) -> None:
        """Run the body once on a new machine, and check that machine."""
        machine = trial.machine(**{**CHECKED, **self.options})
        boot(machine, self.devices, self.modules)
        trial.began()
        Sim(machine, trial.schedule).run_body(self.function, self.arguments, uid=self.uid)
        check_kernel(machine)
        machine.close()


def boot(
    machine: Machine, devices: Iterable[str | Callable[[], Device]] = (), modules: Iterable[str] = ()
) -> None:
    """Plug devices in, load modules, and run the machine until it is quiet."""
    for device in plugged(devices):
        machine.plug(device)
    if loaded := tuple(modules):
        machine.spawn(load, loaded)
    run_idle(machine)


def run_idle(machine: Machine) -> None:
    """Run the machine until no event is left, so that every task sleeps and no timer is pending.

    Raise the exceptions of programs, and TimeLimit after 60 simulated seconds.
    """
    machine.engine.settle(machine.now + LIMIT)
    raise_failures(machine)
    if machine.engine.next_time() is not None:
        text = "the machine is not quiet after 60 simulated seconds: a task or a timer never ends"
        raise explained(TimeLimit, text, machine.kernel.processes, ())


def raise_failures(machine: Machine) -> None:
    """Raise the exceptions of failed programs: a single one directly, several as a group."""
    try:
        machine.raise_failures()
    except BaseExceptionGroup as group:
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from None
        raise


async def load(app: Any, modules: Iterable[str]) -> None:
    """Load modules.  Each item is a name with optional parameters, such as "adder sound=0"."""
    for each in modules:
        name, _, parameters = each.partition(" ")
        await app.modprobe(name, **dict(word.split("=", 1) for word in parameters.split()))


def check_kernel(machine: Machine) -> None:
    """Raise AssertionError if the kernel has reported an oops or a bug."""
    if machine.kernel.oopses.reports:
        oops = machine.kernel.oopses.reports[0]
        raise AssertionError(f"the kernel reported an oops in {oops.where}: {oops.error!r}") from oops.error
    if machine.kernel.preempt.bugs:
        raise AssertionError(next(line for line in machine.log.lines() if "BUG:" in line))
