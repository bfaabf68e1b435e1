"""Files with the costs of a machine, which `simkernel calibrate --host` writes and `--costs` reads.

The file is one JSON object.  `parameters` has parameters of `CostModel` as integers, in ns except for
`cached_sockets`.  `factors` is `CostModel.spread`.
"""

from __future__ import annotations

import json
from math import inf
from typing import Any, Final

import attrs

from simkernel.engine import SimulationError
from simkernel.engine.jitter import LEVELS
from simkernel.kernel.lib.costs import PARAMETERS, CostModel

COSTS: Final = tuple(name for name in PARAMETERS if name != "cached_sockets")
"""Parameters of the cost model that are times in nanoseconds."""


def parameters(costs: CostModel) -> dict[str, int]:
    """Return the parameters of a cost model by name."""
    return {name: getattr(costs, name) for name in PARAMETERS}


def read_object(text: str, key: str, hint: str) -> dict[str, Any]:
    """Return the object under `key` in a JSON file.  Raise SimulationError if the file has none."""
    try:
        content = json.loads(text)
    except ValueError as error:
        raise SimulationError(f"not JSON: {error}") from None
    found = content.get(key) if isinstance(content, dict) else None
    if not isinstance(found, dict):
        raise SimulationError(f'expected an object "{key}"{hint}')
    return found


def read_costs(text: str) -> CostModel:
    """Read a cost model from the text of a file.  Omitted parameters have the defaults of `CostModel()`.

    Raise SimulationError, which describes the mistake, for an invalid file.
    """
    given = read_object(text, "parameters", ", as `simkernel calibrate --host` writes one")
    for name, value in given.items():
        _check(name, value)
    factors = json.loads(text).get("factors", CostModel().spread)
    if not is_quantiles(factors):
        raise SimulationError(f"factors: {factors!r} is not a list of three ascending numbers of at least 1")
    return attrs.evolve(CostModel(), **given, spread=tuple(factors))


def is_quantiles(value: Any) -> bool:
    """Return True for a list of three ascending numbers of at least 1."""
    return (
        isinstance(value, list | tuple)
        and len(value) == len(LEVELS)
        and all(isinstance(each, int | float) and 1 <= each < inf for each in value)
        and sorted(value) == list(value)
    )


def _check(name: str, value: Any) -> None:
    if name not in PARAMETERS:
        from simkernel.ynl.errors import choose

        raise SimulationError(f"parameters: unknown cost {name!r}: {choose(name, PARAMETERS)}")
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise SimulationError(f"parameters, {name}: {value!r} is not an integer of at least 0")
