"""Exercises: a judge runs a student's file under many plans.

    @exercise(calls={"watch": "app, table"}, devices=("mouse",))
    async def judge(app: Any, sim: Sim, student: Any) -> None:
        table: set[str] = set()
        await app.spawn(student.watch, table)
        sim.any_step(sim.unplug, "mouse0")
        await sim.quiet()
        if table != set(sim.truth("mouse")):
            raise Wrong(f"the table is {table}")

An exercise is a folder.  `__init__.py` has the judge, and its docstring is the task.  `start.py` and
`solution.py` are the starting file and the reference solution.
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
"""Maximum number of lines of the kernel log, and of calls, that a report has."""
MAX_PRINTED: Final = 10_000
"""Maximum number of characters of the student's output that a report has."""
MAX_POINTS: Final = 100_000
"""Number of points after which a run is endless.  A solution of an exercise passes a few thousand."""
PACKAGE: Final = "__init__.py"
ENDS: Final = (SystemExit, KeyboardInterrupt)
STUDENT: Final = "student"
"""Name of the Python module that a student's program becomes."""


class Wrong(Exception):
    """The student's code does not do the task.  The text says what it does, and what the task asks for.

    `line` is the line of the student's file, or 0.
    """

    def __init__(self, text: str, line: int = 0) -> None:
        super().__init__(text, line)
        self.line = line

    def __str__(self) -> str:
        return str(self.args[0])


@attrs.frozen(eq=False)
class Exercise:
    """A judge with what its runs need.

    calls     the async functions that a program defines, each with its parameters
    module    the file is loaded as the kernel module of this name, instead of called as a program
    devices   devices that are plugged in before the judge begins
    modules   modules that are loaded before the judge begins; `module` is loaded after them
    faults    rules of faults for every run
    strategy  how a seed becomes a plan (`simkernel.explore.strategy`)
    checks    checkers that are on beside those of `simkernel.testing`: "races"
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
        """The task text."""
        return inspect.cleandoc(sys.modules[self.judge.__module__].__doc__ or "")

    def start(self) -> str:
        """Return the text of the starting file: the task as docstring, then `start.py`."""
        return f'"""{self.task}\n"""\n\n{(self.folder / "start.py").read_text("utf-8")}'


def exercise(**options: Any) -> Callable[[Callable[..., Any]], Exercise]:
    """Make an exercise of a judge: `@exercise(module="blink")`, with keywords of `Exercise`."""
    return lambda judge: Exercise(judge, **options)


def names() -> list[str]:
    """Return the names of the shipped exercises."""
    return sorted(path.parent.name for path in shipped("scenarios").glob(f"exercises/*/{PACKAGE}"))


def find(name: str) -> Exercise:
    """Load a shipped exercise by its name, or another by its folder.

    SimulationError if there is none; raises what its file raises.
    """
    folder = Path(name)
    if name in names():
        folder = shipped("scenarios") / "exercises" / name
    elif not (folder / PACKAGE).is_file():
        raise SimulationError(f"there is no exercise and no folder {name!r}: {choose(name, names())}")
    spec = spec_from_file_location(f"simkernel_exercise_{folder.name}", folder / PACKAGE)
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    found = [each for each in vars(module).values() if isinstance(each, Exercise)]
    if len(found) != 1:
        raise SimulationError(f"{folder / PACKAGE} has {len(found)} judges: decorate one with @exercise(...)")
    if found[0].module in {path.stem for path in shipped("drivers").iterdir()}:
        raise SimulationError(f"module={found[0].module!r} is a shipped module: give another name")
    return attrs.evolve(found[0], folder=folder)


@attrs.define(eq=False)
class Attempt:
    """An exercise with a student's file, as the target of a search.  A run executes the file anew.

    file         the student's file, and its `code`
    module_path  a folder with the file under the name of the module
    on_run       called with the plan of each run before it begins
    recorded     True to write down the system calls
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
        """The names that the student's file has in tracebacks: its own, and that of the module."""
        return str(self.file), str(self.module_path / f"{self.exercise.module}.py")

    def run(self, trial: Trial) -> None:
        """Run the judge once, and keep what the machine and the student's code have printed."""
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
                check_modules(machine)  # an oops or a module that does not load explains the error
                raise
        check_modules(machine)
        machine.close()

    def _program(self) -> ModuleType:
        """Execute the file, and return its namespace with the functions that the exercise calls."""
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
                raise Wrong(f"{name} is no async function: {wanted}", line)
            if len(inspect.signature(function).parameters) != len(parameters.split(",")):
                raise Wrong(f"{name} takes {inspect.signature(function)}: {wanted}", line)
            setattr(module, name, _program(function, str(self.file)))
        return module


def _program(function: Callable[..., Any], file: str) -> Callable[..., Any]:
    """Return an async function that raises `Wrong` where `function` exits: the kernel accepts an exit."""

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
    """Replace os._exit in the process that runs a student's code: its callers get SystemExit."""
    raise SystemExit(status)


def check_modules(machine: Machine) -> None:
    """Raise the error of a module that does not load, of an oops or of a bug, if the run has one."""
    for text, error in machine.kernel.modules.path.faults.items():
        raise Wrong(text) from error
    check_kernel(machine)
