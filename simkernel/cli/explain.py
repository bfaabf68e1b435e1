"""`simkernel explain` and `simkernel diff`: the cause of a failure, and the first difference that the
perturbations of a run make.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

import click

from simkernel.cli.blame import Blame
from simkernel.cli.blame import explain as blamed
from simkernel.cli.targets import Named, replay_options
from simkernel.engine import Record
from simkernel.explore.causes import causes, first_difference
from simkernel.explore.plan import Plan
from simkernel.explore.run import Outcome, run
from simkernel.testing.evidence import Observed, perturbations, shown

BEFORE: Final = 3
"""Number of events that `diff` shows before the first difference. Both runs have these events."""


def _observed(target: str, plan: Plan, module_path: tuple[str, ...]) -> tuple[deque[Record], Outcome]:
    observed = Observed(Named(target, module_path)(), last=None)
    return observed.records, run(observed, plan)


def _show(records: Iterable[Record]) -> None:
    for record in records:
        click.echo(shown(record))


@click.command("explain", short_help="Show what led to the failure of a run.")
@replay_options
def command(target: str, plan: Plan, debug: bool, module_path: tuple[str, ...]) -> None:
    """Run TARGET with the perturbations of PLAN, and print the chain of causes of the call that fails, the
    oldest first.

    A cause is a wake-up, a message, an interrupt, deferred work, or a call of another task.
    """
    with Blame(debug):
        records, outcome = _observed(target, plan, module_path)
    for line in perturbations(outcome):
        click.echo(line)
    if outcome.failure is None:
        click.echo("the run does not fail")
        return
    _show(causes(list(records)))
    click.echo(blamed(outcome.failure, debug), nl=False)


@click.command("diff", short_help="Show the first difference from the default run.")
@replay_options
def diff(target: str, plan: Plan, debug: bool, module_path: tuple[str, ...]) -> None:
    """Print the first event in which a run of TARGET with the perturbations of PLAN differs from the run
    without them.

    Times are not compared, since a delay changes the times of all later events.
    """
    with Blame(debug):
        its = list(_observed(target, plan, module_path)[0])
        default = list(_observed(target, plan.without_perturbations(), module_path)[0])
    at = first_difference(its, default)
    if at is None:
        click.echo(f"the runs have the same {len(its)} events")
        return
    click.echo(f"the runs have {at} events in common, the last of them:")
    _show(its[max(0, at - BEFORE) : at])
    for name, records in (("default", default), (str(plan), its)):
        click.echo(f"then, in the run {name}:")
        _show(records[at : at + 1])
