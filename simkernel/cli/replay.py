"""`simkernel replay`: run a target once, with the perturbations of a given plan."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from simkernel.cli.blame import Blame, explain
from simkernel.cli.exits import FAILED
from simkernel.cli.targets import Named, replay_options
from simkernel.explore.explorer import Found
from simkernel.explore.plan import Plan
from simkernel.explore.run import run
from simkernel.testing.evidence import perturbations, replay_comment


@click.command("replay", short_help="Run a scenario or test under one plan.")
@replay_options
def command(target: str, plan: Plan, debug: bool, module_path: tuple[str, ...]) -> None:
    """Run TARGET with the perturbations of PLAN, a text that `simkernel explore` has printed. The exit code
    is 1 if the run fails.

    Parts of the plan that the run does not reach are printed as stale.
    """
    with Blame(debug):
        outcome = run(Named(target, module_path)(), plan, traced=True)
        for line in perturbations(outcome):
            click.echo(line)
        click.echo(f"the trace has the digest {outcome.digest}")
        if outcome.failure is not None:
            click.echo(explain(outcome.failure, debug), err=True, nl=False)
            sys.exit(FAILED)
        click.echo("the run does not fail")


def show(named: Named, found: Found) -> None:
    """Print the exception of a failed run, the smallest plan that fails, the plan's perturbations, and a
    command that replays the plan.
    """
    failure = found.outcome.failure
    assert failure is not None
    click.echo(explain(failure), err=True, nl=False)
    click.echo(f"shrunk in {found.tries} runs to the plan {found.plan}")
    for line in perturbations(found.outcome):
        click.echo(f"    {line}")
    folders = [word for folder in named.module_path for word in ("--module-path", folder)]
    line = shlex.join(["simkernel", "replay", *folders, named.name, str(found.plan)])
    click.echo(line + replay_comment(Path()))
