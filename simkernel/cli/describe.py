"""`simkernel describe`: what a netlink family offers, from its specification."""

from __future__ import annotations

from pathlib import Path

import click

from simkernel.kernel.module.path import ModulePath, read_specification
from simkernel.kernel.netlink import genetlink
from simkernel.shipped import shipped
from simkernel.uapi.ynl import Spec, SpecError
from simkernel.uapi.ynl.page import page


@click.command("describe")
@click.argument("name", metavar="FAMILY|FILE.yaml")
@click.option("--yaml", is_flag=True, help="Print the specification itself.")
@click.option("--module-path", metavar="DIR", multiple=True, help="A folder with modules of your own.")
def command(name: str, yaml: bool, module_path: tuple[str, ...]) -> None:
    """Describe a generic netlink family: one on the module path, nlctrl, or a specification in a file."""
    try:
        spec = _read(name, module_path)
    except SpecError as error:
        raise click.ClickException(str(error)) from None
    if yaml:
        click.echo(spec.text, nl=False)
    else:
        click.echo("\n".join(page(spec)))


def _read(name: str, module_path: tuple[str, ...]) -> Spec:
    if not name.endswith((".yaml", ".yml")):
        return _family(name, module_path)
    path = Path(name)
    try:
        return read_specification(path)
    except OSError as error:
        raise click.UsageError(f"cannot read {name}: {error.strerror}") from None


def _family(name: str, module_path: tuple[str, ...]) -> Spec:
    built_in = Path(genetlink.__file__).parent
    path = ModulePath([shipped("drivers"), *map(Path, module_path), built_in])
    try:
        return path.specification(name)
    except LookupError as error:
        raise click.UsageError(str(error.args[0])) from None
