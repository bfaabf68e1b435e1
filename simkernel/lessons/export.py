"""Export the lessons as one static folder for any web server: pages, default runs, Pyodide and simkernel.

The pages request no other origin. PyYAML has no pure wheel, so the machine's archive contains the
installed modules.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from simkernel.engine import SimulationError
from simkernel.lessons.answers import answer
from simkernel.lessons.lesson import Lesson
from simkernel.lessons.pages import site
from simkernel.shipped import shipped

PYODIDE: Final = "314.0.7"
"""Version of the npm package `pyodide` that the tests use."""
FETCH: Final = f"npm pack pyodide@{PYODIDE} && tar -xzf pyodide-{PYODIDE}.tgz"
"""The command that downloads the npm package and unpacks it into the folder `package`."""
RUNTIME: Final = (
    "package.json",
    "pyodide-lock.json",
    "pyodide.asm.mjs",
    "pyodide.asm.wasm",
    "pyodide.mjs",
    "python_stdlib.zip",
)
"""Files of the package `pyodide`. A browser loads all of them but `package.json`, which has the version and
the license.
"""
LIBRARIES: Final = ("attr", "attrs", "simpy", "yaml")
LEFT_OUT: Final = {"__pycache__", "cli", "drivers", "gateway", "guide", "scenarios", "tools", "web"}
"""Names of the folders that are skipped when the package `simkernel` is copied into the archive. Lessons need
only one of these folders, `drivers`. It is copied separately, because in a checkout it is outside the
package.
"""
USELESS: Final = {".md", ".pyc", ".pyd", ".pyi", ".pyx", ".so", ".typed"}
MARK: Final = ".simkernel-lessons"
"""The file that marks a folder as an export."""
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


def export(lessons: Sequence[Lesson], folder: Path, pyodide: Path) -> int:
    """Write the site into `folder` and return its size in bytes.

    Raises SimulationError if the folder has other files, or if `pyodide` is not the pinned version.
    """
    _check_pyodide(pyodide)
    if folder.exists() and not (folder / MARK).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise SimulationError(f"{folder} has files that are not from an export: name a new folder")
    shutil.rmtree(folder, ignore_errors=True)
    files = {name: make() for name, make in site(lessons, "pyodide").items()}
    files |= {f"{lesson.name}/default.json": answer(lesson, {}) for lesson in lessons}
    files["worker.mjs"] = (Path(__file__).parent / "web/worker.mjs").read_bytes()
    for name, content in {MARK: "", **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    (folder / "pyodide").mkdir()
    for name in RUNTIME:
        shutil.copyfile(pyodide / name, folder / "pyodide" / name)
    with zipfile.ZipFile(folder / "machine.zip", "w") as archive:
        for name, path in sorted(_modules(lessons)):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _check_pyodide(folder: Path) -> None:
    try:
        version = json.loads((folder / "package.json").read_text("utf-8"))["version"]
    except (OSError, ValueError, KeyError):
        version = None
    if version != PYODIDE:
        found = f"version {version}" if version else "another folder"
        raise SimulationError(
            f"{folder} must contain pyodide {PYODIDE}, but it is {found}: "
            f"run `{FETCH}`, which writes the folder `package`"
        )
    if missing := [name for name in RUNTIME if not (folder / name).is_file()]:
        raise SimulationError(
            f"{folder} lacks {', '.join(missing)}: run `{FETCH}`, which writes the folder `package`"
        )


def _modules(lessons: Sequence[Lesson]) -> Iterator[tuple[str, Path]]:
    """Yield the name in the archive and the path of each file: libraries, simkernel, drivers and lessons."""
    for name in (*LIBRARIES, "simkernel"):
        spec = find_spec(name)
        assert spec is not None and spec.submodule_search_locations is not None
        yield from _files(Path(spec.submodule_search_locations[0]), name)
    yield from _files(shipped("drivers"), "simkernel/drivers")
    for lesson in lessons:
        yield from _files(lesson.folder, f"lessons/{lesson.name}")


def _files(folder: Path, name: str) -> Iterator[tuple[str, Path]]:
    for inside, folders, files in os.walk(folder):
        left_out = LEFT_OUT if name == "simkernel" else {"__pycache__"}
        folders[:] = [each for each in folders if each not in left_out]
        for each in files:
            path = Path(inside, each)
            if path.suffix not in USELESS:
                yield f"{name}/{path.relative_to(folder).as_posix()}", path
