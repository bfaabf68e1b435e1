"""The `simkernel` command. It imports each subcommand on first use, so that the command starts quickly."""

from __future__ import annotations

import io
import os
import signal
import sys
from importlib import import_module
from typing import Final

import click

from simkernel.cli.exits import ended, stop
from simkernel.cli.nearest import unknown

COMMANDS: Final = {
    "list": "simkernel.cli.listing",
    "run": "simkernel.cli.run",
    "explore": "simkernel.cli.explore",
    "replay": "simkernel.cli.replay",
    "check": "simkernel.cli.check",
    "explain": "simkernel.cli.explain",
    "diff": "simkernel.cli.diff",
    "describe": "simkernel.cli.describe",
    "new": "simkernel.cli.new",
    "guide": "simkernel.cli.guide",
    "situations": "simkernel.cli.situations",
    "lessons": "simkernel.cli.lessons",
    "bench": "simkernel.cli.bench",
    "plot": "simkernel.cli.plot",
    "calibrate": "simkernel.cli.calibrate",
}
"""For each subcommand, the module that defines it. The click command in the module is named `command`."""


class Commands(click.Group):
    """A command group that imports its subcommands on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        try:
            command: click.Command = import_module(COMMANDS[cmd_name]).command
        except ModuleNotFoundError as error:
            if error.name != "greenlet":
                raise
            return _without_greenlet(cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the subcommand. Handle signals that arrive while no simulation runs, and the error of a write
        to a closed pipe.
        """
        before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
        signal.signal(signal.SIGTERM, stop)
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, OSError) as error:
            if getattr(error, "filename", None) is not None:
                raise
            for each in before:  # a second signal must not change the exit code
                signal.signal(each, signal.SIG_IGN)
            text, code = ended(error)
            click.echo(text, err=True, nl=False)
            ctx.exit(code)
        finally:
            _flush_stdout()
            signal.signal(signal.SIGTERM, before[signal.SIGTERM])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS:
            raise unknown("command", args[0], COMMANDS)
        return super().resolve_command(ctx, args)


def _without_greenlet(name: str) -> click.Command:
    """Return a placeholder for a command that needs greenlet. The list of commands shows the placeholder."""

    def refuse(arguments: tuple[str, ...]) -> None:
        raise click.UsageError(f"`simkernel {name}` needs greenlet: install simkernel[testing]")

    rest = click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)
    settings = {"ignore_unknown_options": True}
    needs = "Needs the extra [testing]."
    return click.Command(name, callback=refuse, params=[rest], context_settings=settings, short_help=needs)


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="simkernel", message="%(prog)s %(version)s")
def main() -> None:
    """Simulate one computer: applications, a kernel with drivers, and virtual hardware."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for the life of the process
    if sys.stdout is None:
        raise click.UsageError("standard output is closed: redirect it to a file or to /dev/null")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(
            errors="replace"
        )  # the default encoding of a pipe on Windows lacks most characters


def _flush_stdout() -> None:
    """Flush standard output. If that fails, drop the buffered output, because Python would report the error
    again at exit.
    """
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
