"""Wrong constructor arguments of a machine, and the errors about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simkernel import Machine, SimulationError


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"seed": "one"}, "seed='one': the seed must be an int"),
        ({"cpus": 0}, "cpus=0: pass an int of at least 1"),
        ({"module_path": "modules"}, "module_path='modules': pass a list of folders"),
        ({"module_path": ["not-there"]}, "module_path: 'not-there' is not a folder"),
        ({"unmodelled": "warn"}, "unmodelled='warn': use"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(SimulationError) as error:
        Machine(**arguments)
    assert str(error.value).startswith(said)


def test_a_module_path_is_made_of_folders(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.touch()
    with pytest.raises(SimulationError, match="is not a folder"):
        Machine(module_path=[file])
    with Machine(module_path=[tmp_path]):
        pass
