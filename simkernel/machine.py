"""Machine: one simulated computer, composed of its layers.

    with Machine(seed=7) as machine:
        machine.plug(Camera())
        machine.spawn(viewer, uid=1000)
        machine.run(until=seconds(5))

The hardware does not import the kernel, and the kernel imports no application.  This file connects them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Final

from simkernel.application.app import App
from simkernel.application.arguments import text
from simkernel.application.program import Image, Program
from simkernel.application.udevd import modprobe, udevd
from simkernel.engine import (
    Deadlock,
    Engine,
    KernelBug,
    Leak,
    SimulationError,
    Tracer,
    millis,
    seconds,
    whole_nanoseconds,
)
from simkernel.engine.jitter import engine_class
from simkernel.hardware.bus import Bus, Device, FaultyBus
from simkernel.kernel.holdings import holdings, left
from simkernel.kernel.kernel import Kernel
from simkernel.kernel.lib.costs import CostModel
from simkernel.kernel.lib.fault import Armed, FaultPoints
from simkernel.kernel.lib.log import Log
from simkernel.kernel.lib.report import CHECKERS, Reports
from simkernel.kernel.sched.credentials import Credentials
from simkernel.kernel.sched.sleepers import explained
from simkernel.kernel.sched.task import SchedTask
from simkernel.kernel.spawned import Process
from simkernel.kernel.statistics import events, statistics
from simkernel.kernel.vfs.task import Task
from simkernel.shipped import shipped
from simkernel.uapi.signal import SIG_IGN, SIGKILL, SIGPIPE
from simkernel.ynl import Spec

if TYPE_CHECKING:
    from simkernel.blocking.process import Blocking, BlockingProcess, CallRunner
    from simkernel.engine.planned import Leave, Perturbation

SHIPPED_MODULES = shipped("drivers")

BOOT = millis(1)
"""Duration of the boot in ns.  The clock begins below 0, and the boot ends at time 0."""
WIND_DOWN = seconds(10)
"""Time in ns after `close()` in which the kernel must release all resources, if `check_leaks` is on."""
PYTHON: Final = MappingProxyType({SIGPIPE: SIG_IGN})
"""Signal actions that Python sets at its start.  SIGPIPE is ignored, so that a program gets EPIPE instead."""


class Machine:
    """One simulated computer.

    seed          seed of all random numbers
    cpus          number of CPUs; None for a CPU for every task
    costs         costs of the kernel's operations (kernel/lib/costs.py)
    udev          True to run udevd, which loads drivers for plugged devices
    module_path   folders with modules, searched after the shipped drivers
    unmodelled    what happens if a program uses a feature that is not modelled: "errno" returns an errno
                  and logs a line in the kernel log, "raise" raises NotModelled
    debug         True to report the line of a call that was never awaited (slower)
    instrumented  True to count the kernel's copies: `statistics["copies"]`
    perturbation  the plan of the run (simkernel.explore); its pauses need the extra [testing]
    checks        names of active checkers: "lockdep", "hung", "references", "sockets", "memory", "races".
                  `reports` has the bugs that they find, and `close` raises KernelBug
    check_leaks   True to release all resources in `close`, and to raise Leak if one is still held
    jitter        True to vary each charge at random, with the quantiles in `costs.spread`
    faults        decides which fault points fail, from time 0 on (kernel/lib/fault.py); None: none fails

    The constructor boots the machine in the millisecond before instant 0.  Then user space is running.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        cpus: int | None = None,
        costs: CostModel | None = None,
        udev: bool = True,
        module_path: Iterable[str | Path] = (),
        unmodelled: str = "errno",
        debug: bool = False,
        instrumented: bool = False,
        check_leaks: bool = False,
        checks: Iterable[str] = (),
        perturbation: Perturbation | None = None,
        faults: FaultPoints | None = None,
        jitter: bool = False,
    ) -> None:
        if not _is_int(seed):
            raise SimulationError(f"seed={seed!r}: the seed must be an int")
        if cpus is not None and (not _is_int(cpus) or cpus < 1):
            raise SimulationError(f"cpus={cpus!r}: pass an int of at least 1, or None for a CPU per task")
        if isinstance(module_path, str | Path):
            raise SimulationError(
                f"module_path={module_path!r}: pass a list of folders, as in [{module_path!r}]"
            )
        folders = tuple(map(Path, module_path))
        for folder in folders:
            if not folder.is_dir():
                raise SimulationError(f"module_path: {str(folder)!r} is not a folder")
        if unmodelled not in ("errno", "raise"):
            raise SimulationError(f'unmodelled={unmodelled!r}: use "errno" or "raise"')
        on = _checks(checks)
        watched = None
        if "races" in on:
            from simkernel.kernel.checked.races import Watched

            perturbation = watched = Watched(perturbation)
        costs = costs or CostModel()
        leaves = () if watched is None else (watched.races.leave,)
        self.engine = _engine(perturbation, seed, leaves, costs.spread if jitter else None)
        armed = None if faults is None else Armed(faults, self.engine, lambda: self.kernel.current())
        self.bus = (
            Bus(self.engine, readl_ns=costs.readl, writel_ns=costs.writel)
            if armed is None
            else FaultyBus(self.engine, armed, readl_ns=costs.readl, writel_ns=costs.writel)
        )
        self.debug = debug
        self._facades: list[BlockingProcess] = []
        self._closed = False
        self._check_leaks = check_leaks
        self._winding_down = False
        self._checks = on
        self.kernel = Kernel(
            self.engine,
            self.bus,
            costs=costs,
            instrumented=instrumented,
            instruments=() if perturbation is None else perturbation.instruments,
            checks=on,
            races=None if watched is None else watched.races,
            cpus=cpus,
            module_path=(SHIPPED_MODULES, *folders),
            unmodelled=unmodelled,
            on_death=self._on_death,
            modprobe=self._modprobe,
            faults=armed,
        )
        self._audit: Callable[[], None] | None = None
        if on:
            from simkernel.kernel.checked.parts import Audit

            self._audit = Audit(self.kernel, on)
        if udev:
            self.spawn(udevd, daemon=True)
        self.engine.run(until=0)

    # -- hardware -----------------------------------------------------------

    def plug(self, device: Device, *, slot: int | None = None, line: int | None = None) -> None:
        """Plug in a device. Raise SimulationError if it is plugged in already, or if no slot is free."""
        self._act(partial(self.bus.plug, _device(device), slot=slot, line=line))

    def unplug(self, device: Device) -> None:
        """Unplug a device suddenly (surprise removal). Raise SimulationError if it is not plugged in."""
        self._act(self.bus.unplug, _device(device))

    def at(self, time: int, function: Callable[..., object], *arguments: Any) -> None:
        """Call a plain function when the clock shows `time` ns, for example to plug in a device."""
        self._check_open()
        self.engine.call_at(whole_nanoseconds(time, "at(time)"), self._planned, function, arguments)

    def _planned(self, function: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        if not self._winding_down:
            function(*arguments)

    # -- programs -----------------------------------------------------------

    def spawn(
        self,
        program: Program,
        *arguments: Any,
        uid: int = 0,
        gid: int | None = None,
        capabilities: Iterable[int] | None = None,
        name: str | None = None,
        daemon: bool = False,
        **keywords: Any,
    ) -> Process:
        """Start `program(app, *arguments, **keywords)` as a process of user `uid`.

        Root has all capabilities and other users have none, unless `capabilities` lists them.  A `daemon`
        and its children may sleep for ever: that is no Deadlock, and their resources are no leaks.
        """
        self._check_open()
        image = Image(self, program, arguments, keywords, name)
        credentials = _credentials(uid, gid, capabilities)
        processes = self.kernel.processes
        task = processes.fork(None, image.comm, credentials=credentials)
        if daemon:
            processes.daemons.add(task)
        self._act(self._exec, task, image)
        return Process(task, self.kernel)

    def _exec(self, task: Task, image: Image) -> None:
        self.engine.charge(self.kernel.costs.fork + self.kernel.costs.exec)
        self.kernel.processes.start(task, image.begin)

    def blocking(
        self, uid: int = 0, gid: int | None = None, capabilities: Iterable[int] | None = None
    ) -> BlockingProcess:
        """Start a process for code outside the simulation. Each call of the process advances the clock."""
        from simkernel.blocking.process import BlockingProcess

        self._check_open()
        credentials = _credentials(uid, gid, capabilities)
        facade = BlockingProcess.on(self.kernel, self.app, credentials)
        self._facades.append(facade)
        return facade

    # -- time ---------------------------------------------------------------

    @property
    def now(self) -> int:
        """The clock in ns."""
        return self.engine.now

    def run(self, until: int | None = None, *, on_idle: str = "return") -> None:
        """Process events up to `until` ns, or all events if it is None.

        Raises a (Base)ExceptionGroup of the exceptions of programs; its text names each task and its
        error.  A single skip or failure of pytest is raised by itself.  KeyboardInterrupt ends the program
        that it interrupts, and leaves `run` immediately.  With `on_idle="raise"` it raises Deadlock if no
        event is left and a program that is no daemon still sleeps.  The text lists the sleeping programs.
        """
        if on_idle not in ("return", "raise"):
            raise SimulationError(f'on_idle={on_idle!r}: use "return" or "raise"')
        self._check_open()
        self.engine.run(until)
        self._audit_if_idle()
        self.raise_failures()
        if on_idle == "raise" and self.engine.next_time() is None:
            waiting = [task for task in self._programs() if task.sleep is not None and not task.on_result]
            if waiting:
                raise explained(Deadlock, "no event is left that could wake a program", waiting, ())

    def _audit_if_idle(self) -> None:
        if self._audit is not None and self.engine.next_time() is None:
            self._audit()

    def raise_failures(self) -> None:
        """Raise the exceptions that programs have raised since the last call of this method."""
        failures, self.kernel.processes.failures = self.kernel.processes.failures, []
        raised = [failure for _, failure in failures]
        if len(raised) == 1 and isinstance(raised[0], _outcomes()):
            raise raised[0]
        if raised:
            text = "; ".join(_named(task, failure) for task, failure in failures)
            raise BaseExceptionGroup(text, raised)

    # -- state ----------------------------------------------------------------

    @property
    def trace(self) -> Tracer:
        """The tracepoints of the machine.  Call `trace.subscribe` to get the records."""
        return self.engine.trace

    @property
    def log(self) -> Log:
        """The kernel log."""
        return self.kernel.log

    @property
    def statistics(self) -> dict[str, Any]:
        """The machine's counters at this instant, as nested dicts (listed in kernel/statistics.py)."""
        return statistics(self.kernel)

    @property
    def events(self) -> int:
        """Number of simulated events, such as interrupts. Tracing and optimizations do not change it."""
        return events(self.kernel)

    @property
    def reports(self) -> Reports:
        """Bugs that the kernel's checkers have found.  A test that expects a bug removes its report."""
        return self.kernel.reports

    # -- clock and random numbers ---------------------------------------------

    def clock(self) -> int:
        """Return the time in ns that a program reads: the clock plus the cost of the code that runs now."""
        return self.engine.time()

    def random(self, name: str) -> Random:
        """Return the machine's random number generator called `name`."""
        return self.engine.rng(name)

    def app(self, owner: Task) -> App:
        """Return a new `App`, the object through which the task `owner` makes its calls.

        Set the task's default signal actions to those of a Python interpreter.
        """
        owner.signals.set_defaults(PYTHON)
        owner.application = app = App(self, owner)
        return app

    def blocking_app(self, app: App, runner: CallRunner) -> Blocking:
        """Return a blocking form of `app`. Its methods pass calls to `runner`, which returns the results."""
        from simkernel.blocking.process import Blocking

        return Blocking(app, runner)

    def specification(self, family: str) -> Spec:
        """Return the specification of a netlink family.  The text of a LookupError lists similar names."""
        return self.kernel.modules.specification(text(family))

    def resolve(self, name: str) -> tuple[str, ...]:
        """Return the modules that modprobe loads for `name`.  A LookupError lists similar names."""
        return self.kernel.modules.path.snapshot().resolve(text(name))

    # -- closing --------------------------------------------------------------

    def close(self) -> None:
        """End every program, in the order of their pids, and switch the machine off.  No effect if it is off.

        With `check_leaks` it first kills the programs, then unplugs the devices, then kills the daemons.
        The kernel has up to 10 simulated seconds after each step.  Raises Leak if a resource is still held
        after that, and KernelBug if a checker has found a bug.
        """
        self.engine.check_thread()
        if self._closed:
            return
        if self.engine.running:
            raise SimulationError("a program cannot close its own machine: return from it, or call exit")
        self._audit_if_idle()
        try:
            if self._check_leaks:
                self._wind_down()
        finally:
            self._switch_off()
        if bugs := [report for report in self.reports if report.checker in self._checks]:
            raise KernelBug("\n\n".join(map(str, bugs)))
        if self._check_leaks and (words := left(holdings(self.kernel), {})):
            raise Leak(f"resources were left behind: {'; '.join(words)}")

    def _switch_off(self) -> None:
        self._closed = True
        self.engine.running = True
        self.engine.section()
        try:
            self.engine.end()
            self.kernel.processes.end_all()
        finally:
            self.engine.running = False
        for facade in self._facades:
            facade.exit()
        self.engine.raise_failure()

    def _wind_down(self) -> None:
        """Kill the programs, unplug the devices, kill the daemons.  After each step, run the kernel."""
        self._winding_down = True
        for facade in self._facades:
            facade.exit()
        self._kill(self._programs(), millis(1))
        for device in self.bus.devices():
            self.unplug(device)
        self.engine.run(self.now + WIND_DOWN)
        self._kill(self._programs(daemon=True), WIND_DOWN)

    def _kill(self, tasks: list[Task], wait: int) -> None:
        for task in tasks:
            self._act(self.kernel.processes.send_signal, task, SIGKILL)
        self.engine.run(self.now + wait)

    def _programs(self, daemon: bool = False) -> list[Task]:
        """Return the tasks of all daemons if `daemon` is true, else the tasks of all other programs."""
        processes = self.kernel.processes
        stay = (processes.init, processes.kthreadd)
        chosen = (each for each in processes if (each in processes.daemons) is daemon)
        return [each for each in chosen if not each.kthread and each not in stay]

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(self.kernel.processes)} tasks"
        return f"<Machine seed={self.engine.rng.seed} at {self.now / 1e9:.9f} s, {state}>"

    def __enter__(self) -> Machine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the machine.  If the `with` block raised no error, raise the errors of programs."""
        if error is not None:
            self._check_leaks, self._checks = False, ()
        try:
            self.close()
        except (Leak, KernelBug):
            if not self.kernel.processes.failures:
                raise
        if error is None:
            self.raise_failures()

    # -- internal -------------------------------------------------------------

    def _check_open(self) -> None:
        self.engine.check_thread()
        if self._closed:
            raise SimulationError("the machine is closed: make a new one")

    def _act(self, action: Callable[..., object], *arguments: Any) -> None:
        """Call `action` now. If the event loop does not run, discard the CPU time that the action charges."""
        self._check_open()
        outside = not self.engine.running
        if outside:
            self.engine.section()
        action(*arguments)
        if outside:
            self.engine.section()
            self.engine.raise_failure()

    async def _modprobe(self, name: str) -> int:
        """Run /sbin/modprobe as the kernel does (usermode helper), and return the exit code."""
        image = Image(self, modprobe, (name,), {}, None)
        status = await self.kernel.processes.usermode_helper(image.comm, image.begin)
        return status >> 8

    def _on_death(self, task: SchedTask, failure: BaseException | None) -> None:
        app, task.application = task.application, None  # breaks a reference cycle: the app refers to its task
        if not isinstance(app, App) or self._closed or failure is not None:
            return
        if lost := app.never_awaited():
            hint = "" if self.debug else "; Machine(debug=True) says where"
            text = f"{task.track} made calls and never awaited them: {', '.join(lost)}{hint}"
            self.kernel.processes.fail(task, SimulationError(text))


def _engine(
    plan: Perturbation | None, seed: int, leaves: tuple[Leave, ...], spread: tuple[int, ...] | None
) -> Engine:
    if plan is None:
        return engine_class(Engine, spread)(seed, start=-BOOT)
    from simkernel.engine.planned import PlannedEngine

    with suppress(ImportError):  # only programs that are plain functions need `leave`, and they need greenlet
        from simkernel.application.plain import leave

        leaves = (leave, *leaves)
    return engine_class(PlannedEngine, spread)(plan, seed, -BOOT, leaves)


def _device(value: object) -> Device:
    if isinstance(value, Device):
        return value
    raise SimulationError(f"{value!r} is not a device: pass one, as in plug(Camera())")


def _checks(names: Iterable[str]) -> tuple[str, ...]:
    names = (names,) if isinstance(names, str) else tuple(names)
    for name in names:
        if name not in CHECKERS:
            raise SimulationError(f"checks={names!r}: {name!r} is not a checker; use {', '.join(CHECKERS)}")
    return names


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _credentials(uid: int, gid: int | None, capabilities: Iterable[int] | None) -> Credentials:
    """Return new credentials. Raise SimulationError if an id or a capability is negative or not an int."""
    held = None if capabilities is None else frozenset(capabilities)
    for what, number in (("uid", uid), ("gid", gid or 0), *(("a capability", each) for each in held or ())):
        if not _is_int(number) or number < 0:
            raise SimulationError(f"{what} must be an int of at least 0, not {number!r}")
    return Credentials.of(uid, gid, held)


def _named(task: SchedTask, failure: BaseException) -> str:
    """Describe a failure in one line: the task, the exception's class and the first line of its text."""
    text = str(failure).partition("\n")[0]
    return f"{task.track}: {type(failure).__name__}{text and f': {text}'}"


def _outcomes() -> tuple[type[BaseException], ...]:
    """Return the exceptions with which pytest skips, fails or exits, or () if pytest is not loaded."""
    pytest = sys.modules.get("pytest")
    return () if pytest is None else (pytest.skip.Exception, pytest.fail.Exception, pytest.exit.Exception)


__all__ = ["Machine", "Process"]
