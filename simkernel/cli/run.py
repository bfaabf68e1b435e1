"""`simkernel run`: run a scenario, print its report, and write the requested files."""

from __future__ import annotations

import sys
from time import perf_counter
from typing import Any, Final

import click

from simkernel.cli import stories
from simkernel.cli.blame import Blame
from simkernel.cli.completion import offer
from simkernel.cli.exits import FAILED
from simkernel.cli.exporters import Exporters
from simkernel.cli.faults import report_faults
from simkernel.cli.hops import refuse_step, show_hops
from simkernel.cli.interrupt import Interruptible
from simkernel.cli.options import costs_option, file_option, module_path_option
from simkernel.cli.progress import progress
from simkernel.cli.report import as_json, show
from simkernel.engine import SimulationError
from simkernel.kernel.lib.costs import CostModel
from simkernel.scenario import Run, Scenario

PART: Final = "only"
"""Name of the parameter that selects a part of a scenario."""


def _settings(ctx: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    settings = {}
    for setting in given:
        key, equals, value = setting.partition("=")
        if not equals:
            raise click.BadParameter(f"{setting!r} is not KEY=VALUE")
        settings[key] = value
    return settings


def _with_part(scenario: Scenario, settings: dict[str, str], part: str) -> dict[str, str]:
    """Add the parameter `only` with the value `part` to the settings. The option `--only N` means the same as
    `--set only=N`.
    """
    if not any(parameter.name == PART for parameter in scenario.parameters):
        raise click.UsageError(f"scenario {scenario.name} has no parts to choose from: leave --only out")
    if PART in settings:
        raise click.UsageError(f"--only {part} and --set {PART}={settings[PART]}: leave one of them out")
    return {**settings, PART: part}


@click.command("run", short_help="Run a scenario.")
@click.argument("name", metavar="NAME|FILE", shell_complete=offer(lambda _: stories.names()))
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of all random choices.")
@click.option(
    "--set", "settings", metavar="KEY=VALUE", multiple=True, callback=_settings, help="Set a parameter."
)
@click.option("--only", metavar="N", help="Run one part of a scenario that has several, such as questions.")
@click.option("--details", is_flag=True, help="Print the whole report, with every table and figure.")
@click.option("--json", "json", is_flag=True, help="Print one JSON object instead of the report.")
@file_option("--trace", help="Write a Chrome trace, for Perfetto.")
@file_option("--pcap", help="Write the netlink messages, for Wireshark.")
@file_option("--diagram", help="Write a Mermaid sequence diagram of the layers.")
@click.option("--flow", type=click.IntRange(min=1), metavar="N", help="Draw only this flow.")
@click.option("--hops", is_flag=True, help="Print the path of one flow through the layers.")
@click.option("--step", is_flag=True, help="As --hops, and wait for a key before each hop; q ends it.")
@click.option("--strace", is_flag=True, help="Print the programs' system calls.")
@click.option("--log", is_flag=True, help="Print the kernel log.")
@module_path_option
@costs_option
@click.option(
    "--jitter", is_flag=True, help="Vary the time of each kernel operation at random, from the seed."
)
@click.option("--debug", is_flag=True, help="Name the place of lost calls, and print whole tracebacks.")
def command(
    name: str,
    seed: int,
    settings: dict[str, str],
    only: str | None,
    details: bool,
    json: bool,
    module_path: tuple[str, ...],
    costs: CostModel | None,
    jitter: bool,
    debug: bool,
    step: bool,
    **asked: Any,
) -> None:
    """Run a scenario: a shipped one by name (see `simkernel list`), or your own by file or folder.

    --strace and --log print to standard output, and with --json to standard error.
    """
    asked["hops"] |= step
    if asked["flow"] is not None and asked["diagram"] is None and not asked["hops"]:
        raise click.UsageError(
            "--flow selects the flow that --diagram or --hops shows: add one of these options"
        )
    if json and asked["hops"]:
        raise click.UsageError("--json prints one JSON object, and --hops a picture: leave one of them out")
    if step:
        refuse_step()
    with Blame(debug):
        path = stories.find(name)
        scenario = stories.load(path)
    if only is not None:
        settings = _with_part(scenario, settings, only)
    try:
        run = Run(
            scenario,
            seed=seed,
            parameters=settings,
            module_path=module_path,
            costs=costs,
            jitter=jitter,
            debug=debug,
        )
    except SimulationError as error:
        raise click.UsageError(str(error)) from None
    stream = sys.stderr if json else sys.stdout
    with Exporters(asked, scenario=path, stream=stream, digest=json) as exporters:
        began = perf_counter()
        try:
            with (
                Blame(debug, run),
                Interruptible(run, exporters),
                progress(run, shown=not exporters.streaming),
            ):
                run.execute(exporters.attach)
        except SystemExit:
            report_faults(run)
            raise
        wall = perf_counter() - began
        exporters.finish()
        if exporters.digest is None:
            show(run, details)
            if exporters.hops is not None:
                show_hops(run, exporters.hops, asked["flow"], step)
        else:
            click.echo(as_json(run, exporters.digest.hexdigest(), wall))
    if report_faults(run):
        sys.exit(FAILED)
