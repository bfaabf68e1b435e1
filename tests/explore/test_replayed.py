"""A plan replays its run in a fresh process, with other hash seeds, other Pythons, and two CPUs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import attrs
import pytest

from simkernel.explore.explorer import Explorer
from simkernel.explore.run import run
from simkernel.explore.strategy import Profile, draw
from tests.planted.bug import bugs

pytestmark = pytest.mark.long

LEAST = 100
EACH = 4
"""Maximum number of failing plans that are replayed for each pair of a bug and a number of CPUs."""
SEEDS = 120
CPUS = ("None", "2")


@attrs.frozen
class Failure:
    """A failing plan of a bug, and the digest of its trace."""

    bug: str
    plan: str
    digest: str


@pytest.fixture(scope="module")
def failures() -> list[Failure]:
    """Return failing plans of the planted bugs, with the digests of the traces that this process computes."""
    found: list[Failure] = []
    for cpus in CPUS:
        for name, bug in bugs().items():
            found += failing(name, bug.target(sound=False), cpus)
    return found


def failing(name: str, target: object, cpus: str) -> list[Failure]:
    """Return failing plans of a bug."""
    found: list[Failure] = []
    options = {"cpus": cpus}
    profile = Profile.of(Explorer(target, plan_options=options).default())
    for seed in range(1, SEEDS):
        outcome = run(target, draw("swarm", seed, profile, options), traced=True)
        if outcome.failure is not None:
            found.append(Failure(name, str(outcome.plan), outcome.digest))
            if len(found) == EACH:
                break
    return found


def interpreter(version: str, root: Path, folder: Path) -> Path:
    """Return a Python of this version with simkernel's dependencies. Skip if the host has none."""
    if version == f"{sys.version_info[0]}.{sys.version_info[1]}":
        return Path(sys.executable)
    found = shutil.which(f"python{version}")
    if (
        found is None
        or subprocess.run([found, "-c", "import venv, ensurepip"], capture_output=True).returncode
    ):
        pytest.skip(f"this host has no Python {version} that makes environments")
    subprocess.run([found, "-m", "venv", folder], check=True, capture_output=True)
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["testing"]]
    python = folder / "bin" / "python"
    install = [python, "-m", "pip", "--disable-pip-version-check", "install", "-q", *needed]
    done = subprocess.run(install, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"the packages for Python {version} cannot be installed: {done.stderr.splitlines()[-1:]}")
    return python


def test_enough_plans_fail(failures: list[Failure]) -> None:
    for cpus in CPUS:
        assert sum(each.plan.endswith(f"cpus={cpus}") for each in failures) > LEAST // 3
    assert len(failures) >= LEAST
    assert len({each.bug for each in failures}) > 10


@pytest.mark.parametrize("version", ["3.11", "3.13"])
def test_digests_are_equal(version: str, failures: list[Failure], root: Path, tmp_path: Path) -> None:
    python = interpreter(version, root, tmp_path / "environment")
    plans = tmp_path / "plans.json"
    plans.write_text(json.dumps([(each.bug, each.plan) for each in failures]), "utf-8")
    for hash_seed in "12":
        command = [python, "-m", "tests.explore.replayed", plans]
        environment = {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(root)}
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        there = json.loads(done.stdout)
        different = [each for each, digest in zip(failures, there, strict=True) if each.digest != digest]
        assert not different
