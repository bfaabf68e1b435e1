"""Export of the lessons to a static folder: its contents, and the errors about unsuitable folders."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from simkernel import SimulationError
from simkernel.lessons import Lesson, answer
from simkernel.lessons.export import PYODIDE, RUNTIME, export
from tests.lessons.conftest import FOLDER


@pytest.fixture
def pyodide(tmp_path: Path) -> Path:
    """Return a stand-in for the unpacked npm package `pyodide`: its files contain placeholder text."""
    folder = tmp_path / "package"
    folder.mkdir()
    for name in RUNTIME:
        (folder / name).write_text(name, "utf-8")
    (folder / "package.json").write_text(json.dumps({"version": PYODIDE}), "utf-8")
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_holds_pages_default_runs_python_and_the_machine(
    lesson: Lesson, pyodide: Path, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    size = export([lesson], site, pyodide)
    found = files(site)
    assert size == sum(map(len, found.values()))
    assert {name for name in found if "/" not in name} == {
        ".simkernel-lessons", "index.html", "lesson.css", "lesson.mjs", "machine.mjs", "machine.zip",
        "recording.css", "recording.mjs", "worker.mjs",
    }  # fmt: skip
    assert {name for name in found if name.startswith("greet/")} == {
        "greet/index.html", "greet/default.json", "greet/view.mjs",
    }  # fmt: skip
    assert {name for name in found if name.startswith("pyodide/")} == {f"pyodide/{name}" for name in RUNTIME}
    assert found["greet/default.json"].decode() == answer(lesson, {})


def test_a_second_export_replaces_the_first_with_the_same_bytes(
    lesson: Lesson, pyodide: Path, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    export([lesson], site, pyodide)
    first = files(site)
    (site / "old.html").write_text("", "utf-8")
    export([lesson], site, pyodide)
    assert files(site) == first


@pytest.mark.long
def test_the_machine_in_the_zip_runs_without_an_installed_simkernel(
    lesson: Lesson, pyodide: Path, tmp_path: Path
) -> None:
    export([lesson], tmp_path / "site", pyodide)
    home = tmp_path / "home"
    with zipfile.ZipFile(tmp_path / "site/machine.zip") as archive:
        archive.extractall(home)
        assert not [name for name in archive.namelist() if "__pycache__" in name or name.endswith(".so")]
    script = (
        f"import sys; sys.path.insert(0, {str(home)!r})\n"
        "from pathlib import Path\nfrom simkernel.lessons import Lesson, answer\n"
        f"print(answer(Lesson.load(Path({str(home / 'lessons/greet')!r})), {{}}))"
    )
    command = [sys.executable, "-I", "-S", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == answer(lesson, {}) + "\n"


def test_a_folder_with_other_files_is_refused(lesson: Lesson, pyodide: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    precious = site / "thesis.tex"
    precious.write_text("precious", "utf-8")
    with pytest.raises(
        SimulationError, match="site has files that are not from an export: name a new folder"
    ):
        export([lesson], site, pyodide)
    with pytest.raises(SimulationError, match=r"thesis.tex has files that are not from an export"):
        export([lesson], precious, pyodide)
    assert precious.read_text("utf-8") == "precious"


def test_another_version_of_pyodide_is_refused(lesson: Lesson, pyodide: Path, tmp_path: Path) -> None:
    (pyodide / "package.json").write_text('{"version": "0.29.0"}', "utf-8")
    with pytest.raises(
        SimulationError, match=rf"must contain pyodide {PYODIDE}, but it is version 0.29.0: run `npm pack"
    ):
        export([lesson], tmp_path / "site", pyodide)
    (pyodide / "package.json").unlink()
    with pytest.raises(SimulationError, match=r"must contain pyodide .*, but it is another folder: run"):
        export([lesson], tmp_path / "site", pyodide)
    assert not (tmp_path / "site").exists()


def test_an_incomplete_pyodide_is_refused(lesson: Lesson, pyodide: Path, tmp_path: Path) -> None:
    (pyodide / "pyodide.asm.wasm").unlink()
    with pytest.raises(SimulationError, match=r"lacks pyodide.asm.wasm: run `npm pack"):
        export([lesson], tmp_path / "site", pyodide)


def test_the_command_prints_what_it_has_written(simkernel: Any, pyodide: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    options = ["--folder", FOLDER, "--export", site, "--pyodide"]
    done = simkernel("lessons", *options, pyodide)
    assert (done.code, done.out.startswith("1 lessons, ")) == (0, True)
    assert simkernel("lessons", *options, tmp_path).err.endswith("writes the folder `package`\n")
