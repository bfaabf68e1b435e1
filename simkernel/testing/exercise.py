"""Programming exercises. Each exercise has a judge, a function that tests a student's file. The judge runs
many times, each time under another plan (a seed and perturbations).

    @exercise(calls={"watch": "app, table"}, devices=("mouse",))
    async def judge(app: Any, sim: Sim, student: Any) -> None:
        table: set[str] = set()
        await app.spawn(student.watch, table)
        sim.any_step(sim.unplug, "mouse0")
        await sim.quiet()
        if table != set(sim.truth("mouse")):
            raise Wrong(f"the table is {table}")

An exercise is a directory.  The judge is in `__init__.py`, and its docstring is the task.  `start.py` and
`solution.py` are the initial file and the reference solution.
"""

from __future__ import annotations

import inspect
import sys
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack, redirect_stdout
from functools import wraps
from importlib.util import module_from_spec, spec_from_file_location
from io import StringIO
from pathlib import Path
from traceback import extract_tb
from types import CodeType, ModuleType
from typing import Any, Final, NoReturn

import attrs

from simkernel.engine import SimulationError
from simkernel.explore.faults import Fault, Faults
from simkernel.explore.plan import Plan
from simkernel.explore.run import NO_FAULTS, Trial
from simkernel.kernel.lib.report import KIT
from simkernel.kernel.sched.sleepers import asleep
from simkernel.machine import Machine
from simkernel.scenario.transcript import Transcript, Watch
from simkernel.shipped import shipped
from simkernel.testing.sim import Sim, boot, check_kernel
from simkernel.ynl.errors import choose

SHOWN: Final = 40
"""Maximum number of lines of the kernel log in a report. The list of system calls in the report has the same
limit.
"""
MAX_PRINTED: Final = 10_000
"""Maximum number of characters of the student's output in a report."""
MAX_POINTS: Final = 100_000
"""A run with more points than this counts as endless. A point is an instant at which a plan can delay a task.
Solutions of exercises pass a few thousand points.
"""
PACKAGE: Final = "__init__.py"
ENDS: Final = (SystemExit, KeyboardInterrupt)
STUDENT: Final = "student"
"""Name of the Python module with the student's program."""


class Wrong(Exception):
    """Raised if the student's code does not do what the exercise requires. The text describes what the code
    does and what the exercise requires.

    `line` is the line number in the student's file, or 0.
    """

    def __init__(self, text: str, line: int = 0) -> None:
        super().__init__(text, line)
        self.line = line

    def __str__(self) -> str:
        return str(self.args[0])


@attrs.frozen(eq=False)
class Exercise:
    """A programming exercise: the judge that tests a student's file, and the settings of the judge's runs.

    calls     async functions that the student's file must define, with their parameters
    module    name of the kernel module as which the file is loaded, if it is not a program
    devices   devices that are plugged in before the judge begins
    modules   modules that are loaded before the judge begins; `module` is loaded after them
    faults    fault rules for every run
    strategy  how a seed becomes a plan (`simkernel.explore.strategy`)
    checks    additional checkers, besides those of `simkernel.testing`: "races"
    options   keywords of Machine
    """

    judge: Callable[..., Any]
    calls: Mapping[str, str] = {}
    module: str = ""
    devices: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    faults: Fault | Faults = NO_FAULTS
    strategy: str = "swarm"
    checks: tuple[str, ...] = ()
    options: Mapping[str, Any] = {}
    folder: Path = Path()

    @property
    def task(self) -> str:
        """The assignment for the student: the docstring of the judge's Python module."""
        return inspect.cleandoc(sys.modules[self.judge.__module__].__doc__ or "")

    def start(self) -> str:
        """Return the student's initial file: the exercise's text as its docstring, then `start.py`."""
        return f'"""{self.task}\n"""\n\n{(self.folder / "start.py").read_text("utf-8")}'


def exercise(**options: Any) -> Callable[[Callable[..., Any]], Exercise]:
    """Return a decorator that makes an exercise from a judge, the function that tests a student's file.

    `options` are keywords of `Exercise`.
    """
    return lambda judge: Exercise(judge, **options)


def names() -> list[str]:
    """Return the names of the shipped exercises."""
    return sorted(path.parent.name for path in shipped("scenarios").glob(f"exercises/*/{PACKAGE}"))


def find(name: str) -> Exercise:
    """Load a shipped exercise by its name, or another exercise by its directory.

    Raise SimulationError if it does not exist, and the exceptions of its file.
    """
    folder = Path(name)
    if name in names():
        folder = shipped("scenarios") / "exercises" / name
    elif not (folder / PACKAGE).is_file():
        raise SimulationError(f"no exercise and no directory is called {name!r}: {choose(name, names())}")
    spec = spec_from_file_location(f"simkernel_exercise_{folder.name}", folder / PACKAGE)
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    found = [each for each in vars(module).values() if isinstance(each, Exercise)]
    if len(found) != 1:
        raise SimulationError(f"{folder / PACKAGE} has {len(found)} judges: decorate one with @exercise(...)")
    if found[0].module in {path.stem for path in shipped("drivers").iterdir()}:
        raise SimulationError(f"module={found[0].module!r} is a shipped module: use another name")
    return attrs.evolve(found[0], folder=folder)


@attrs.define(eq=False)
class Attempt:
    """A student's file for an exercise, which can run many times. Each run executes the file anew.

    file         the student's file, and its `code`
    module_path  a directory with the file under the name of the module
    on_run       called with the plan before each run
    recorded     True to record the system calls
    """

    exercise: Exercise
    file: Path
    module_path: Path
    on_run: Callable[[Plan], object] = lambda plan: None
    code: CodeType = attrs.field(init=False)
    recorded: bool = False
    calls: list[str] = attrs.field(factory=list, init=False)
    log: list[str] = attrs.field(factory=list, init=False)
    asleep: list[str] = attrs.field(factory=list, init=False)
    printed: str = attrs.field(default="", init=False)

    @property
    def files(self) -> tuple[str, str]:
        """The two names under which a traceback can show the student's code: its own file, and its copy that
        is imported as a module.
        """
        return str(self.file), str(self.module_path / f"{self.exercise.module}.py")

    def run(self, trial: Trial) -> None:
        """Run the judge once, and keep the output of the machine and of the student's code."""
        self.on_run(trial.plan)
        trial.schedule.max_points = MAX_POINTS
        output = StringIO()
        with redirect_stdout(output):
            try:
                self._run(trial)
            finally:
                self.printed = output.getvalue()[-MAX_PRINTED:]
                for machine in trial.machines:
                    self.log = list(deque(machine.log.lines(), SHOWN))
                    programs = (task for task in machine.kernel.processes if not task.kthread)
                    self.asleep = asleep(task for task in programs if task.comm not in ("udevd", "judge"))

    def _run(self, trial: Trial) -> None:
        exercise = self.exercise
        student = None if exercise.module else self._program()
        folders = (exercise.folder / "modules", self.module_path)
        path = [folder for folder in folders if folder.is_dir()]
        checks = (*KIT, *exercise.checks)
        machine = trial.machine(check_leaks=True, checks=checks, module_path=path, **exercise.options)
        watch = Watch()
        with ExitStack() as watching:
            watching.callback(lambda: self.calls.extend(watch.text().splitlines()[-SHOWN:]))
            if self.recorded:
                watch = watching.enter_context(Transcript(machine, hidden=("udevd",)).watch())
            try:
                boot(machine, exercise.devices, (*exercise.modules, *filter(None, [exercise.module])))
                trial.began()
                arguments = {"app": None, "sim": None, "student": student}
                sim = Sim(machine, trial.schedule)
                sim.always("no oops", lambda: not machine.kernel.oopses.reports)
                sim.run_body(exercise.judge, arguments)
            except Exception:
                # report an oops, or a module that did not load, because it can be the cause of this exception
                check_modules(machine)
                raise
        check_modules(machine)
        machine.close()

    def _program(self) -> ModuleType:
        """Execute the student's file and return its module.

        Raise `Wrong` if a required function is missing.
        """
        module = sys.modules[STUDENT] = ModuleType(STUDENT)
        module.__file__ = str(self.file)
        try:
            exec(self.code, vars(module))
        except ENDS as error:
            raise _ended(error, str(self.file)) from error
        for name, parameters in self.exercise.calls.items():
            function = getattr(module, name, None)
            wanted = f"write `async def {name}({parameters})`"
            if function is None:
                raise Wrong(f"the file defines no function {name}: {wanted}")
            line = getattr(getattr(function, "__code__", None), "co_firstlineno", 0)
            if not inspect.iscoroutinefunction(function):
                raise Wrong(f"{name} is not an async function: {wanted}", line)
            if len(inspect.signature(function).parameters) != len(parameters.split(",")):
                raise Wrong(f"{name} takes {inspect.signature(function)}: {wanted}", line)
            setattr(module, name, _program(function, str(self.file)))
        return module


def _program(function: Callable[..., Any], file: str) -> Callable[..., Any]:
    """Return an async function that runs `function`, and raises `Wrong` if the student's code calls exit().
    The kernel permits exit().
    """

    @wraps(function)
    async def program(*arguments: Any) -> Any:
        try:
            return await function(*arguments)
        except ENDS as error:
            raise _ended(error, file) from error

    return program


def _ended(error: BaseException, file: str) -> Wrong:
    lines = [frame.lineno or 0 for frame in extract_tb(error.__traceback__) if frame.filename == file]
    return Wrong(f"the code ends the process: {error!r}.  Return instead", lines[-1])


def refuse_exit(status: int) -> NoReturn:
    """Raise SystemExit.  It replaces os._exit in the process that runs a student's code."""
    raise SystemExit(status)


def check_modules(machine: Machine) -> None:
    """Raise an error if a module did not load, or if the kernel has reported an oops or a bug."""
    for text, error in machine.kernel.modules.path.faults.items():
        raise Wrong(text) from error
    check_kernel(machine)
