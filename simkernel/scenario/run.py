"""A scenario, and one run of it.

A scenario is a function with declared parameters.  A run has a seed, a value for each parameter, and a
machine.  The function writes the report of the run.
"""

from __future__ import annotations

import inspect
import io
import linecache
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, redirect_stdout
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, Self

import attrs

from simkernel.engine import SimulationError, runs_later
from simkernel.scenario.parameter import ScenarioParameter, Value
from simkernel.scenario.report import Report

if TYPE_CHECKING:
    from simkernel.kernel.lib.costs import CostModel
    from simkernel.kernel.loader.image import ImageError
    from simkernel.kernel.oops import Oops
    from simkernel.machine import Machine

MAX_FOLLOWED: Final = 60
"""Maximum number of flows (each has the trace records of one message or frame) that a run can name with
`Run.follow`.
"""


@attrs.frozen
class Followed:
    """A flow (the trace records of one message or frame) to which a run gives a name for the lessons' page.
    If `chosen` is True, the page shows this flow first.
    """

    name: str
    flow: int
    chosen: bool = False


@attrs.frozen
class Scenario:
    """A function with parameters, made by the decorator `@scenario(...)`."""

    function: Callable[[Run], None]
    parameters: tuple[ScenarioParameter, ...]

    def __repr__(self) -> str:
        return f"<Scenario {self.name}>"

    @property
    def name(self) -> str:
        """Name of the scenario: the name of its function."""
        return self.function.__name__

    @property
    def module(self) -> str:
        """Name of the Python module that defines the function."""
        return self.function.__module__

    def values(self, settings: Mapping[str, Value]) -> dict[str, Value]:
        """Return the value of every parameter: from `settings` (a text is converted), or else the default.

        Raise SimulationError for an unknown name or a value out of range.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in settings:
            if name not in known:
                from simkernel.ynl.errors import choose

                raise SimulationError(
                    f"scenario {self.name} has no parameter {name!r}: {choose(name, known)}"
                )
        return {name: each.read(settings.get(name, each.default)) for name, each in known.items()}

    def run(self, **options: Any) -> Run:
        """Run the scenario. `options` are keyword arguments of `Run`. Return the run with its report."""
        return Run(self, **options).execute()


class Run(Report):
    """One run of a scenario. The scenario's function gets this object as its argument.

    seed         seed of the machine, on which all random choices depend
    parameters   values of parameters, by name; the others have their defaults
    module_path  directories with the user's modules, for the machine
    costs        cost model of the machine, unless the scenario passes another
    jitter       True to vary each charged cost at random, passed to the machine
    debug        passed to the machine
    make         called with keywords of `Machine` to make the machine, instead of the class
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        seed: int = 0,
        parameters: Mapping[str, Value] | None = None,
        module_path: Iterable[str | Path] = (),
        costs: CostModel | None = None,
        debug: bool = False,
        jitter: bool = False,
        make: Callable[..., Machine] | None = None,
    ) -> None:
        super().__init__()
        self.scenario = scenario
        self.seed = seed
        self.parameters = scenario.values(parameters or {})
        self._module_path = tuple(module_path)
        self._costs = costs
        self._debug = debug
        self.jitter = jitter
        self._make = make
        self._again = partial(
            Run, scenario, seed=seed, parameters=self.parameters, module_path=self._module_path, costs=costs,
            debug=debug, jitter=jitter, make=make,
        )  # fmt: skip
        self._ended = False
        self._attach: Callable[[Machine], object] | None = None
        self._machine: Machine | None = None
        self._ending = ExitStack()
        self._expected: set[str] = set()
        self.followed: list[Followed] = []
        self.default_costs = False
        """True if the run has made a machine with the default cost model."""

    def __repr__(self) -> str:
        return f"<Run of {self.scenario.name}, seed {self.seed}, at {self.now / 1e9:.9f} s>"

    # -- called by the scenario ----------------------------------------------

    def __getitem__(self, name: str) -> Any:
        """Return the value of a parameter."""
        try:
            return self.parameters[name]
        except KeyError:
            raise SimulationError(f"scenario {self.scenario.name} declares no parameter {name!r}") from None

    def machine(self, **options: Any) -> Machine:
        """Make the machine of the run, with the run's seed. `options` are keywords of `Machine`.

        A run has only one machine.  It is closed when the scenario ends.
        """
        from simkernel.machine import Machine

        if self._machine is not None:
            raise SimulationError("this run has made its machine already: a run has one machine")
        path = (*options.pop("module_path", ()), *self._module_path)
        options = {"debug": self._debug, "costs": self._costs, "jitter": self.jitter, **options}
        self.default_costs = options["costs"] is None
        machine = (self._make or Machine)(seed=self.seed, module_path=path, **options)
        self._machine = self._ending.enter_context(machine)
        if self._attach is not None:
            self._attach(self._machine)
        return self._machine

    def expect_faults(self, *modules: str) -> None:
        """Declare modules that oops or fail to load on purpose. `simkernel run` and `simkernel explore` then
        ignore these faults.
        """
        self._expected.update(modules)

    def follow(self, name: str, flow: int, chosen: bool = False) -> None:
        """Give a name, such as "frame 5: lost", to a flow (the trace records of one message or frame). The
        lessons' page lists the named flows.

        Raise SimulationError if there are more than MAX_FOLLOWED.
        """
        if len(self.followed) == MAX_FOLLOWED:
            raise SimulationError(f"a run can follow at most {MAX_FOLLOWED} flows; {name!r} is one more")
        self.followed.append(Followed(name, flow, chosen))

    def source(self, name: str) -> dict[str, Any]:
        """Execute the code in the parameter `name` as the file NAME.py, and return its namespace.

        Raise the exceptions of the code.  Tracebacks name that file and show its lines.
        """
        file, code = f"{name}.py", self[name]
        linecache.cache[file] = len(code), None, code.splitlines(keepends=True), file
        namespace: dict[str, Any] = {"__name__": name, "__file__": file}
        exec(compile(code, file, "exec", dont_inherit=True), namespace)
        return namespace

    def driver(self, name: str, module: str) -> Path:
        """Write the code in the parameter `name` to a file that insmod and modprobe find as `module`.

        The directory is on the module path of the run's machine.  Return the directory, for other
        machines.  Raise SimulationError if the run has made its machine already, or if `module` is not a
        valid module name.
        """
        if self._machine is not None:
            raise SimulationError(f"call driver({name!r}, {module!r}) before machine()")
        if not module.isidentifier():
            raise SimulationError(f"{module!r} is not a module name: use letters, digits and _")
        folder = Path(self._ending.enter_context(TemporaryDirectory(prefix="simkernel-")))
        (folder / f"{module}.py").write_text(self[name], "utf-8")
        self._module_path = (folder, *self._module_path)
        return folder

    # -- called by the command line and by tools -------------------------------

    def execute(self, attach: Callable[[Machine], object] | None = None) -> Self:
        """Run the scenario's function, then close its machine.

        Raise the exception of the function, or the exceptions of programs when the machine ends them.
        `attach` is called with the booted machine, so that it can subscribe to the trace.
        """
        self._attach = attach
        with self._ending:
            self.scenario.function(self)
        self._ended = True
        return self

    def _repr_html_(self) -> str | None:
        """Draw the run for a notebook.  Return None before it has ended, or if it has no machine.

        The scenario runs again with a `Recording`, because a recording makes a run up to 2.5 times as
        slow.
        """
        if not self._ended or self._machine is None:
            return None
        from simkernel.trace.notebook import as_html
        from simkernel.trace.recording import Recording

        recordings: list[Recording] = []
        with redirect_stdout(io.StringIO()):
            again = self._again().execute(lambda machine: recordings.append(Recording(machine)))
        follow = [attrs.asdict(each) for each in again.followed]
        return as_html(recordings[0].as_dict([each["flow"] for each in follow] or None), follow)

    @property
    def now(self) -> int:
        """Current time of the machine, in nanoseconds."""
        return 0 if self._machine is None else self._machine.now

    @property
    def until(self) -> int | None:
        """Time until which the machine runs, in nanoseconds, or None if it is unknown."""
        return None if self._machine is None else self._machine.engine.until

    @property
    def events(self) -> int:
        """Number of events that the machine has processed (`Machine.events`)."""
        return 0 if self._machine is None else self._machine.events

    @property
    def oopses(self) -> list[Oops]:
        """Unexpected oopses.  The oldest can be missing, because the kernel keeps a limited number."""
        reports = () if self._machine is None else self._machine.kernel.oopses.reports
        return [oops for oops in reports if oops.module not in self._expected]

    @property
    def broken_modules(self) -> dict[str, ImageError]:
        """Maps lines of the kernel log to the errors of modules that unexpectedly failed to load."""
        faults = {} if self._machine is None else self._machine.kernel.modules.path.faults
        return {text: error for text, error in faults.items() if error.module not in self._expected}

    def interrupt(self, error: BaseException) -> bool:
        """Raise `error` before the next event of the simulation. Return False if no simulation runs."""
        if self._machine is None or not self._machine.engine.running:
            return False
        self._machine.engine.interrupt(error)
        return True


def scenario(*parameters: ScenarioParameter) -> Callable[[Callable[[Run], None]], Scenario]:
    """Return a decorator that makes a scenario of a function: `@scenario(ScenarioParameter(...), ...)`."""
    if not all(isinstance(parameter, ScenarioParameter) for parameter in parameters):
        raise SimulationError(
            "write @scenario(ScenarioParameter(...), ...) or, without parameters, @scenario()"
        )
    names = [parameter.name for parameter in parameters]
    if twice := {name for name in names if names.count(name) > 1}:
        raise SimulationError(f"parameters are declared twice: {', '.join(sorted(twice))}")

    def declare(function: Callable[[Run], None]) -> Scenario:
        if kind := runs_later(function):
            raise SimulationError(
                f"scenario {function.__name__} is {kind}, which does not run when called: write an ordinary "
                "function without yield; the programs that it spawns are async"
            )
        try:
            inspect.signature(function).bind(None)
        except TypeError:
            raise SimulationError(
                f"scenario {function.__name__} must have one parameter, its run: def {function.__name__}(run)"
            ) from None
        return Scenario(function, parameters)

    return declare
