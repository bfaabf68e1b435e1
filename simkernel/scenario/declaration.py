"""A scenario: a function that is given a Run, and the parameters that may be set."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from simkernel.engine import SimulationError
from simkernel.scenario.parameter import Parameter, Value
from simkernel.scenario.run import Run


@attrs.frozen
class Scenario:
    """What `@scenario(...)` makes of a function."""

    function: Callable[[Run], None]
    parameters: tuple[Parameter, ...]

    def __repr__(self) -> str:
        return f"<Scenario {self.name}>"

    @property
    def name(self) -> str:
        """The name of its function."""
        return self.function.__name__

    @property
    def module(self) -> str:
        """The module that its function is in."""
        return self.function.__module__

    def values(self, settings: Mapping[str, Value]) -> dict[str, Value]:
        """Every parameter's value: what `settings` says (as text or as it is), or the default.

        SimulationError for a name that is unknown or a value out of range.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in settings:
            if name not in known:
                raise SimulationError(
                    f"scenario {self.name} has no parameter {name!r}: {_choose(name, known)}"
                )
        return {name: each.read(settings.get(name, each.default)) for name, each in known.items()}

    def run(self, **options: Any) -> Run:
        """Run it, with keywords of `Run`; what comes back holds the report and the figures."""
        return Run(self, **options).execute()


def scenario(*parameters: Parameter) -> Callable[[Callable[[Run], None]], Scenario]:
    """Make a scenario of a function: `@scenario(Parameter(...), ...)`."""
    if not all(isinstance(parameter, Parameter) for parameter in parameters):
        raise SimulationError("write @scenario(Parameter(...), ...) or, without parameters, @scenario()")
    names = [parameter.name for parameter in parameters]
    if twice := {name for name in names if names.count(name) > 1}:
        raise SimulationError(f"declared twice: {', '.join(sorted(twice))}")

    def declare(function: Callable[[Run], None]) -> Scenario:
        if inspect.iscoroutinefunction(function):
            raise SimulationError(
                f"scenario {function.__name__} is an ordinary function: the programs that it spawns are async"
            )
        try:
            inspect.signature(function).bind(None)
        except TypeError:
            raise SimulationError(
                f"scenario {function.__name__} takes its run and nothing else: def {function.__name__}(run)"
            ) from None
        return Scenario(function, parameters)

    return declare


def _choose(name: str, known: Mapping[str, Parameter]) -> str:
    from simkernel.ynl.errors import choose

    return choose(name, known)
