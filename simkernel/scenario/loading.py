"""Load a scenario from a file."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from simkernel.engine import SimulationError
from simkernel.scenario.run import Scenario

PACKAGE = "__init__.py"


class NotAScenario(SimulationError):
    """Raised if a file is not a Python file, or does not have exactly one scenario."""


def load(path: Path) -> Scenario:
    """Execute a file and return its scenario.  Raise NotAScenario unless it has exactly one.

    Also raise the exceptions of the file.  As with `python greet.py`, the file can import modules in its
    directory.
    """
    beside = str(path.resolve().parent)
    if beside not in sys.path:
        sys.path.insert(0, beside)
    within = [str(path.parent)] if path.name == PACKAGE else None
    name = f"simkernel_scenario_{path.parent.name if within else path.stem}"
    spec = spec_from_file_location(name, path, submodule_search_locations=within)
    if spec is None or spec.loader is None:
        raise NotAScenario(f"{path} is not a Python file")
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    found = [each for each in vars(module).values() if isinstance(each, Scenario) and each.module == name]
    if len(found) != 1:
        raise NotAScenario(f"{path} has {len(found)} scenarios: decorate one function with @scenario(...)")
    return found[0]
