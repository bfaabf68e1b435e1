"""One run of a scenario: its seed, its parameters, its machine, and the report that it writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from simkernel.engine import SimulationError
from simkernel.scenario.parameter import Value
from simkernel.scenario.report import Report

if TYPE_CHECKING:
    from simkernel.kernel.lib.costs import CostModel
    from simkernel.machine import Machine


class Declaration(Protocol):
    """What a run needs of its scenario."""

    @property
    def name(self) -> str: ...

    @property
    def function(self) -> Callable[[Run], None]: ...

    def values(self, settings: Mapping[str, Value]) -> dict[str, Value]: ...


class Run(Report):
    """What a scenario's function is given.

    seed         all chance of the run comes from it
    parameters   what to set, by name; the rest are at their defaults
    module_path  folders with the user's modules, for the machine
    costs        prices, for the machine, unless the scenario has its own
    debug        passed on to the machine
    """

    def __init__(
        self,
        scenario: Declaration,
        *,
        seed: int = 0,
        parameters: Mapping[str, Value] | None = None,
        module_path: Iterable[str | Path] = (),
        costs: CostModel | None = None,
        debug: bool = False,
    ) -> None:
        super().__init__()
        self.scenario = scenario
        self.seed = seed
        self.parameters = scenario.values(parameters or {})
        self._module_path = tuple(module_path)
        self._costs = costs
        self._debug = debug
        self._attach: Callable[[Machine], object] | None = None
        self._machine: Machine | None = None
        self.default_costs = False
        """True once the run has a machine with the default cost model."""

    def __repr__(self) -> str:
        return f"<Run of {self.scenario.name}, seed {self.seed}, at {self.now / 1e9:.9f} s>"

    # -- for the scenario ---------------------------------------------------

    def __getitem__(self, name: str) -> Any:
        """The value of a parameter."""
        try:
            return self.parameters[name]
        except KeyError:
            raise SimulationError(f"scenario {self.scenario.name} declares no parameter {name!r}") from None

    def machine(self, **options: Any) -> Machine:
        """The run's machine, made with its seed and these keywords of `Machine`.  A run has one.

        It is closed when the scenario ends.
        """
        from simkernel.machine import Machine

        if self._machine is not None:
            raise SimulationError("a run has one machine, and this one has made it")
        path = (*options.pop("module_path", ()), *self._module_path)
        options = {"debug": self._debug, "costs": self._costs, **options}
        self.default_costs = options["costs"] is None
        self._machine = Machine(self.seed, module_path=path, **options)
        if self._attach is not None:
            self._attach(self._machine)
        return self._machine

    # -- for who runs it ----------------------------------------------------

    def execute(self, attach: Callable[[Machine], object] | None = None) -> Self:
        """Run the scenario's function, then close its machine.  Raises what the function raises.

        `attach` is called with the machine once it has booted, to subscribe to its trace.
        """
        self._attach = attach
        try:
            self.scenario.function(self)
        finally:
            if self._machine is not None:
                self._machine.close()
        return self

    @property
    def now(self) -> int:
        """The machine's clock, in nanoseconds."""
        return 0 if self._machine is None else self._machine.now

    @property
    def until(self) -> int | None:
        """Where the machine is being run to, in nanoseconds; None where that is not known."""
        return None if self._machine is None else self._machine.engine.until

    @property
    def events(self) -> int:
        """How much happened, as the model counts it."""
        return 0 if self._machine is None else self._machine.events

    def interrupt(self, error: BaseException) -> bool:
        """Let the running simulation raise `error` before its next event; False if none is running."""
        if self._machine is None or not self._machine.engine.running:
            return False
        self._machine.engine.interrupt(error)
        return True
