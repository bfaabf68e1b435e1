"""The wheel, installed and used without network and without a checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from simkernel.cli import stories
from simkernel.lessons import lessons

TOP = {"simkernel": "simkernel", "drivers": "simkernel/drivers", "scenarios": "simkernel/scenarios"}
"""Folders of the checkout, and their places in the wheel."""

SUFFIXES = (".py", ".yaml", ".md", ".typed", ".txt", ".c", ".json", ".html", ".css", ".mjs")

SCRIPT = """
import sys
from simkernel.cli import main
for name in sys.argv[1:]:
    main(["run", name, "--json"], standalone_mode=False)
    print(",")
"""

LESSONS = """
from simkernel.lessons import lessons
from simkernel.lessons.pages import site
print(*(each.name for each in lessons()), all(make() for make in site(lessons(), "local").values()))
"""

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
ELSEWHERE = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


@pytest.mark.long
def test_wheel(root: Path, tmp_path: Path) -> None:
    wheel = build(root, tmp_path / "wheel")
    holds_every_file(wheel, root)
    lists_and_runs_from_elsewhere(wheel, tmp_path)


def build(root: Path, folder: Path) -> Path:
    """Build the wheel from a copy of the checkout, without network."""
    folder.mkdir()
    source = folder / "source"
    source.mkdir()
    for name in (*TOP, "pyproject.toml", "README.md", "LICENSE"):
        copy = shutil.copytree if (root / name).is_dir() else shutil.copy
        copy(root / name, source / name)
    options = ["--no-deps", "--no-build-isolation", "--wheel-dir", folder]
    subprocess.run([*PIP, "wheel", *options, source], check=True, capture_output=True, text=True)
    return next(folder.glob("*.whl"))


def holds_every_file(wheel: Path, root: Path) -> None:
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    wanted = {
        f"{inside}/{path.relative_to(root / folder).as_posix()}"
        for folder, inside in TOP.items()
        for path in (root / folder).rglob("*")
        if path.suffix in SUFFIXES
    }
    missing = wanted - held
    assert not missing, (
        f"to the packages in pyproject.toml: {sorted({str(Path(name).parent) for name in missing})}"
    )
    assert held == wanted


def lists_and_runs_from_elsewhere(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False)
    paths = sysconfig.get_paths(vars={"base": str(environment), "platbase": str(environment)})
    python = Path(paths["scripts"]) / "python"
    site = Path(paths["purelib"])
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"), "utf-8")
    before = set(os.listdir(site))

    subprocess.run(
        [*PIP, "--python", python, "install", "--no-index", "--no-deps", wheel],
        check=True,
        capture_output=True,
        text=True,
    )
    added = {name for name in set(os.listdir(site)) - before if not name.endswith(".dist-info")}
    assert added == {"simkernel"}

    def run(*command: object) -> str:
        done = subprocess.run(
            [*map(str, command)], cwd=tmp_path, capture_output=True, text=True, check=True, env=ELSEWHERE
        )
        return done.stdout

    assert run(python, "-c", "import simkernel; print(simkernel.__file__)").strip().startswith(str(site))
    listed = run(python.with_name("simkernel"), "list")
    names = [line.split()[0] for line in listed.splitlines() if not line.startswith(" ")]
    assert names == stories.names()
    printed = run(python, "-c", SCRIPT, *names)
    told = json.loads(f"[{printed.strip().rstrip(',')}]")
    assert [each["scenario"] for each in told] == names
    assert run(python, "-c", LESSONS).split() == [*(each.name for each in lessons()), "True"]
