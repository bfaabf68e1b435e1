"""Functions of the standard library in hosted programs act on the machine, are refused, or are harmless."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from simkernel import Machine, seconds
from simkernel.guide import text as topic
from simkernel.hosted import hosted
from tests.hosted.host import watch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="hosted programs need Python on Linux")

MISTAKES = (AssertionError, AttributeError, LookupError, NameError, TypeError, ValueError)
"""Exceptions that show a bug of the probe itself, not a refusal of the machine."""
HERE = Path(__file__).parent


def load() -> dict[str, tuple[str, Any]]:
    """Import the probes on the host and return them by name."""
    sys.path.insert(0, str(HERE))
    probes = importlib.import_module("probes")
    probes.load()
    sys.path.remove(str(HERE))
    return probes.PROBES  # type: ignore[no-any-return]


PROBES = load()


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the probes importable by hosted programs."""
    monkeypatch.syspath_prepend(HERE)


def run(name: str, seed: int = 1) -> tuple[object, list[str], BaseException | None]:
    """Run a probe. Return its result, its accesses to the host, and its error."""
    result, raised = None, None
    with Machine(seed=seed) as machine:
        machine.run(until=seconds(1))
        with hosted(machine, "probes") as host:
            probes = host.import_module("probes")
            probes.load()
            with watch() as seen:
                try:
                    result = probes.PROBES[name][1]()
                except Exception as error:  # noqa: BLE001
                    raised = error
            made = result if isinstance(result, list) else ()
            missing = [path for path in made if not host.os.path.exists(path)]
            if raised is None:
                assert not missing, f"not made in the machine: {missing}"
        return repr(result), seen, raised


def test_the_guide_has_each_probe_with_its_outcome() -> None:
    rows = [line.split("|")[1:3] for line in topic("hosted").splitlines() if line.startswith("| `")]
    said = {name: outcome.strip() for names, outcome in rows for name in re.findall("`([^`]+)`", names)}
    assert said == {name: outcome for name, (outcome, _) in PROBES.items()}


@pytest.mark.long
@pytest.mark.parametrize("name", PROBES)
def test_a_probe_does_not_reach_the_host(name: str) -> None:
    outcome, _ = PROBES[name]
    result, seen, raised = run(name)
    assert not seen, "it reaches the host"
    if (
        isinstance(raised, ModuleNotFoundError)
        and raised.name not in ("pwd",)
        and sys.version_info >= (3, 13)
    ):
        pytest.skip(str(raised))
    if outcome == "refused":
        assert raised is not None and not isinstance(raised, MISTAKES), repr(raised)
        assert len(str(raised).split()) >= 4, str(raised)
        return
    if raised is not None:
        raise raised
    assert run(name)[0] == result, "it is repeatable"
    if outcome == "seed":
        assert run(name, seed=2)[0] != result, "it depends on the seed"
