"""`simkernel check`: grade a student's file for an exercise."""

from __future__ import annotations

import json
import secrets
import shlex
import sys
from pathlib import Path
from typing import Final

import attrs
import click

from simkernel.cli.blame import Blame
from simkernel.cli.completion import offer
from simkernel.cli.exits import FAILED
from simkernel.engine import SimulationError
from simkernel.explore.plan import Plan
from simkernel.lessons.checking import Verdict, check
from simkernel.testing import exercise as exercises

SEEDS: Final = 200
LOG_LINES: Final = 8
"""Number of lines at the end of the kernel log, and of the student's output, that are printed after a
failure. With --replay, the whole kernel log is printed.
"""


@click.command("check", short_help="Grade a file for an exercise.")
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--exercise",
    "name",
    metavar="NAME",
    shell_complete=offer(lambda _: exercises.names()),
    help="Name of a shipped exercise, or a folder with your own.",
)
@click.option("--seeds", metavar="N", type=click.IntRange(1), default=SEEDS, show_default=True,
              help="Number of random plans.")  # fmt: skip
@click.option(
    "--seed", metavar="S", type=click.IntRange(0), help="First seed.  [default: a new one for each call]"
)
@click.option("--replay", metavar="PLAN", help="Run only this plan, and print the calls of the run.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--start", is_flag=True, help="Write the starting file: FILE, or NAME.py.")
@click.option("--list", "listed", is_flag=True, help="List the exercises.")
def command(
    file: Path | None,
    name: str | None,
    seeds: int,
    seed: int | None,
    replay: str | None,
    as_json: bool,
    start: bool,
    listed: bool,
) -> None:
    """Run FILE for an exercise with many random perturbations (delays, pauses and faults). If a run fails,
    remove perturbations that the failure does not need, and print the failing run.

    The exit code is 0 if no run fails, 1 if a run fails, and 2 for a wrong command line.
    """
    with Blame(False):
        if listed:
            for each in exercises.names():
                click.echo(f"{each:12}{exercises.find(each).task.splitlines()[0]}")
            return
        try:
            if replay is not None:
                Plan.parse(replay)
            if name is None:
                raise SimulationError(
                    f"--exercise is missing: give one of {', '.join(exercises.names())}, or a directory"
                )
            exercise = exercises.find(name)
        except SimulationError as error:
            raise click.UsageError(str(error)) from None
        if start:
            _write(file or Path(f"{Path(name).name}.py"), name, exercise.start())
            return
        if file is None or not file.is_file():
            raise click.UsageError(f"there is no file {str(file or '')!r}: --start writes the starting file")
        seed = secrets.randbits(32) if seed is None else seed
        verdict = check(file, name, seeds=seeds, seed=seed, plan=replay)
        line = shlex.join(["simkernel", "check", str(file), "--exercise", name, "--replay", verdict.plan])
        if as_json:
            data = {"exercise": name, "file": str(file), **attrs.asdict(verdict)}
            click.echo(json.dumps(data | {"replay": line if verdict.plan else ""}))
        else:
            _show(verdict, file, name, "" if replay else line)
        sys.exit(0 if verdict.passed else FAILED)


def _write(file: Path, name: str, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise click.UsageError(f"cannot write {file}: {error.strerror}") from None
    click.echo(f"{file} is the starting file.  Read its first lines, complete it, then:\n")
    click.echo(f"    {shlex.join(['simkernel', 'check', str(file), '--exercise', name])}")


def _show(verdict: Verdict, file: Path, name: str, replay: str) -> None:
    if verdict.passed:
        click.echo(f"PASS: {file} does the exercise {name} in {verdict.runs} runs (--seed {verdict.seed})")
        return
    click.echo(f"FAIL: {file} does not do the exercise {name}")
    click.echo(f"\n{verdict.place}{verdict.place and ': '}{verdict.reason}")
    full = not replay
    parts = (
        ("What happens in this run", verdict.disturbs),
        ("Asleep", verdict.asleep),
        ("Your output", verdict.printed.splitlines()[-LOG_LINES:]),
        ("Kernel log", verdict.log[0 if full else -LOG_LINES :]),
        ("Calls", verdict.calls if full else ()),
    )
    for title, lines in parts:
        if lines:
            click.echo("\n".join([f"\n{title}:", *(f"    {line}" for line in lines)]))
    if verdict.plan and replay:
        click.echo(
            f"\nRun {verdict.runs} fails (--seed {verdict.seed}).  This line shows it again:\n\n{replay}"
        )
