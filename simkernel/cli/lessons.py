"""`simkernel lessons`: serve the lessons to a browser on this host, or write them as a static folder."""

from __future__ import annotations

import secrets
import webbrowser
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Final

import click

from simkernel.cli.blame import Blame
from simkernel.engine import SimulationError
from simkernel.lessons import lessons
from simkernel.lessons.export import FETCH, PYODIDE, export
from simkernel.lessons.serve import Server

PORT: Final = 8417
_folder = click.Path(file_okay=False, path_type=Path)


@click.command("lessons", short_help="Serve the lessons to your browser, or export them.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0 chooses a free port."
)
@click.option("--no-open", is_flag=True, help="Print the address and open no browser.")
@click.option(
    "--folder", type=_folder, metavar="DIR", help="Serve the lessons in the folders of DIR instead."
)
@click.option("--export", "to", type=_folder, metavar="DIR", help="Write one static folder for any web host.")
@click.option(
    "--pyodide", type=_folder, metavar="FOLDER", help=f"The npm package pyodide {PYODIDE}, for --export."
)
@click.option("--debug", is_flag=True, help="Show the whole traceback of an error.")
def command(
    port: int, no_open: bool, folder: Path | None, to: Path | None, pyodide: Path | None, debug: bool
) -> None:
    """Serve the lessons on 127.0.0.1. This Python process runs the machine. Ctrl-C ends the server.

    With --export, write a static folder instead, whose pages run the machine in the browser.
    """
    if (to is None) != (pyodide is None):
        raise click.UsageError(f"give both --export and --pyodide FOLDER, or neither; to get FOLDER: {FETCH}")
    with Blame(debug):
        found = lessons(folder)
    if not found:
        raise click.UsageError(f"{folder} has no lessons: none of its folders has a page.html")
    if to is not None and pyodide is not None:
        try:
            size = export(found, to, pyodide)
        except SimulationError as error:
            raise click.UsageError(str(error)) from None
        click.echo(f"{len(found)} lessons, {size / 1e6:.1f} MB in {to}")
        return
    try:
        server = Server(port, secrets.token_urlsafe(16), partial(lessons, folder))
    except OSError as error:
        raise click.UsageError(
            f"port {port} cannot be used ({error.strerror}): choose another with --port"
        ) from None
    with server:
        click.echo(f"{server.address}\nCtrl-C ends the server.")
        if not no_open:
            Thread(target=webbrowser.open, args=(server.address,), daemon=True).start()
        server.serve_forever()
