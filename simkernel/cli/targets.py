"""Targets of `explore` and `replay`: a scenario by name or file, or a test by its node id."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any, Final

import attrs
import click
import greenlet  # noqa: F401 - the strategies pause module code

from simkernel.cli import stories
from simkernel.cli.completion import offer
from simkernel.cli.options import module_path_option
from simkernel.engine import SimulationError
from simkernel.explore.faults import Fault, Faults
from simkernel.explore.plan import Plan
from simkernel.explore.run import Target
from simkernel.explore.targets import ScenarioTarget

NODE: Final = "::"
"""Separator that marks the node id of a test."""
_KEYS: Final = tuple(field.name for field in attrs.fields(Fault) if field.name != "point")
_INTS: Final = ("nth", "interval", "times", "pid", "since", "until")
UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600}


@attrs.frozen
class Named:
    """The name of a target, which is a scenario or a test. `module_path` applies only to a scenario. Unlike a
    loaded target, this object can be pickled for worker processes.
    """

    name: str
    module_path: tuple[str, ...] = ()

    def __call__(self) -> Target:
        """Load the target. Raise UsageError if the name is unknown. If the code of a scenario's file raises
        an exception, it is not caught.
        """
        if NODE not in self.name:
            return ScenarioTarget(stories.load(stories.find(self.name)), module_path=self.module_path)
        target: Target = self._test().body
        return target

    def rules(self) -> Faults:
        """Return the fault rules of a test from its pytest mark `sim`, or no rules for a scenario."""
        return Faults() if NODE not in self.name else self._test().faults or Faults()

    def _test(self) -> Any:
        try:
            return import_module("simkernel.testing.items").search(self.name)
        except ImportError as error:
            text = f"a test as a target needs pytest and greenlet: install simkernel[testing] ({error})"
            raise click.UsageError(text) from None
        except SimulationError as error:
            raise click.UsageError(str(error)) from None


def target_options(command: Any) -> Any:
    """Add the argument TARGET and --module-path to a command."""
    complete = offer(lambda _: stories.names())
    return click.argument("target", metavar="TARGET", shell_complete=complete)(module_path_option(command))


def replay_options(command: Any) -> Any:
    """Add the arguments TARGET and PLAN, --module-path and --debug to a command."""
    debug = click.option("--debug", is_flag=True, help="Show the whole traceback of an error.")
    return target_options(click.argument("plan", metavar="PLAN", callback=_plan)(debug(command)))


def _plan(ctx: click.Context, option: click.Parameter, given: str) -> Plan:
    try:
        return Plan.parse(given)
    except SimulationError as error:
        raise click.BadParameter(str(error)) from None


def seconds(ctx: click.Context, option: click.Parameter, given: str | None) -> float | None:
    """Parse a duration such as 90, 90s, 10m or 2h, and return it in seconds. Raises BadParameter if the text
    is not a duration, or if the duration is 0.
    """
    if given is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", given.strip())
    if match is None or not float(match[1]):
        raise click.BadParameter(f"{given!r} is not a duration: write 90s, 10m or 2h")
    return float(match[1]) * UNITS[match[2]]


def shard(ctx: click.Context, option: click.Parameter, given: str | None) -> tuple[int, int]:
    """Parse a share of the seeds: 2/5 is the second of five shares. Raises BadParameter if the text is not a
    share.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", given or "1/1")
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise click.BadParameter(f"{given!r} is not a share of the seeds: write 1/4 to 4/4 for four machines")
    return int(match[1]), int(match[2])


def rules(ctx: click.Context, option: click.Parameter, given: str | None) -> Faults:
    """Parse fault rules such as `sleep.eintr:p=.05,comm=daemon|open:nth=3`, or rules as JSON. Raises
    BadParameter if a rule is invalid.
    """
    try:
        if given is None or given.startswith("["):
            return Faults.from_json(given or "[]")
        return Faults(tuple(map(_rule, given.split("|"))))
    except (SimulationError, ValueError) as error:
        raise click.BadParameter(f"{given!r}: {error}") from None


def _rule(text: str) -> Fault:
    point, _, rest = text.strip().partition(":")
    keywords: dict[str, Any] = {}
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if not equals or key not in _KEYS:
            keys = ", ".join(f"{each}=" for each in _KEYS)
            raise SimulationError(
                f"unknown part {part!r} of a fault rule: write POINT:KEY=VALUE,... with {keys}"
            )
        keywords[key] = float(value) if key == "p" else int(value) if key in _INTS else value
    return Fault(point, **keywords)
