"""The result of a lesson's run with given settings, as JSON. CPython and Pyodide produce the same bytes."""

from __future__ import annotations

import io
import json
import traceback
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Final

import attrs

from simkernel.engine import SimulationError
from simkernel.lessons.lesson import Lesson
from simkernel.machine import Machine
from simkernel.scenario import Run, Value
from simkernel.trace.recording import Recording
from simkernel.uapi.errno import error_name

MAX_PRINTED: Final = 10_000
"""Maximum number of characters that are kept of a program's standard output."""


def answer(lesson: Lesson, settings: Mapping[str, Value]) -> str:
    """Run the lesson's scenario and return its result as JSON.

    A wrong setting, an exception and SystemExit give a result with the key "error".
    """
    result: dict[str, Any] = {
        "settings": {each.name: each.default for each in lesson.scenario.parameters},
        "texts": [], "metrics": {}, "goal": None, "error": None, "log": [], "printed": "", "follow": [],
        "recording": None,
    }  # fmt: skip
    try:
        run = Run(lesson.scenario, parameters=settings, debug=True)
    except SimulationError as error:
        result["error"] = str(error)
    else:
        _run(run, result, str(lesson.folder.absolute()))
    text = json.dumps(result, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace").decode()  # UTF-8 cannot encode a lone surrogate


def _run(run: Run, result: dict[str, Any], folder: str) -> None:
    printed, recordings, machines = _Printed(), list[Recording](), list[Machine]()

    def attach(machine: Machine) -> None:
        machines.append(machine)
        recordings.append(Recording(machine))

    try:
        with redirect_stdout(printed):
            run.execute(attach)
    except BaseException as error:  # noqa: BLE001 - whatever a student's code raises is the answer
        result["error"] = explain(error, {f"{name}.py" for name in run.parameters}, folder)
    follow = [each.flow for each in run.followed]
    result |= {
        "settings": run.parameters,
        "texts": [{"kind": type(part).__name__.lower(), **attrs.asdict(part)} for part in run.parts],
        "metrics": run.metrics,
        "goal": attrs.asdict(run.outcome) if run.outcome else None,
        "log": [line for machine in machines for line in machine.log.lines()],
        "printed": printed.getvalue(),
        "follow": [attrs.asdict(each) for each in run.followed],
        "recording": recordings[0].as_dict(follow) if recordings else None,
    }


class _Printed(io.StringIO):
    """A replacement for sys.stdout. It keeps the first MAX_PRINTED characters and drops the rest."""

    def write(self, text: str) -> int:
        super().write(text[: max(0, MAX_PRINTED - self.tell())])
        return len(text)


def explain(error: BaseException, files: Iterable[str], folder: str) -> str:
    """Return an error as one line with its place: "NameError at program.py:3: name 'x' is not defined".

    The place is the last line in one of `files`, or else in `folder`. A SimulationError without a frame in
    `files` comes from the lesson and keeps its text.
    """
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    name, text = type(error).__name__, str(error)
    if isinstance(error, SyntaxError):
        return f"{name} at {error.filename}:{error.lineno}: {error.msg}"
    if isinstance(error, OSError) and error.errno:
        text = text.replace(f"[Errno {error.errno}]", f"{error_name(error.errno)}:", 1)
    frames = list(reversed(traceback.extract_tb(error.__traceback__)))
    places = [frame for frame in frames if frame.filename in set(files)]
    if not places and isinstance(error, SimulationError):
        return text
    places += [frame for frame in frames if frame.filename.startswith(folder)]
    at = f" at {Path(places[0].filename).name}:{places[0].lineno}" if places else ""
    return f"{name}{at}: {text}"
