"""`simkernel new`: write the files of a template. The files work without changes."""

from __future__ import annotations

import keyword
import shutil
import tempfile
from pathlib import Path
from string import Template
from typing import Final
from zlib import crc32

import click

TEMPLATES: Final = Path(__file__).parent / "templates"
DRIVER: Final = {
    "README.md": "README.md",
    "registers.py": "${name}_registers.py",
    "device.py": "${name}_device.py",
    "driver.py": "modules/${name}/__init__.py",
    "family.yaml": "modules/${name}/${name}.yaml",
    "scenario.py": "${name}_scenario.py",
    "test.py": "test_${name}.py",
}
"""For each file of the template: the path of the file that is written from it."""

NAME_MAX: Final = 15
"""Maximum length of a netlink family's name in bytes (GENL_NAMSIZ without the NUL)."""


@click.group("new", short_help="Write a template, such as a driver.")
def command() -> None:
    """Write the files of a template. The files work without changes."""


@command.command("driver")
@click.argument("name")
@click.option(
    "--into",
    "folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Write into this folder, which must be new or empty.  [default: ./NAME]",
)
def driver(name: str, folder: Path | None) -> None:
    """Write a device, its driver, a netlink family, a scenario and a property test, all called NAME."""
    _check(name)
    target = Path(name) if folder is None else folder
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise click.UsageError(f"{target} exists: give another name, or a new folder with --into")
    words = {
        "name": name,
        "Class": "".join(part.capitalize() for part in name.split("_")),
        "device_id": f"0x{crc32(name.encode()) % 0xFFFF + 1:04X}",
    }
    try:
        _write(target, words)
    except OSError as error:
        raise click.ClickException(f"cannot write {error.filename or target}: {error.strerror}") from None
    click.echo(
        f"{target} has a device, its driver, a netlink family, a scenario and a test. Next:\n\n"
        f"    cd {target}\n"
        f"    simkernel run ./{name}_scenario.py\n"
        "    python -m pytest\n"
    )


def _check(name: str) -> None:
    """Raise UsageError for a name that a module, a netlink family or a Python class cannot have."""
    from simkernel.cli import stories
    from simkernel.kernel.loader.path import locations
    from simkernel.shipped import shipped

    if not (name.isascii() and name.isidentifier() and name == name.lower()) or name.startswith("_"):
        meant = name.lower().replace("-", "_").strip("_")
        hint = f", such as {meant}" if meant.isascii() and meant.isidentifier() and meant != name else ""
        raise click.UsageError(
            f"{name!r} cannot be the name of a driver: use a letter, then a-z, 0-9 and _{hint}"
        )
    if keyword.iskeyword(name):
        raise click.UsageError(f"{name!r} is a Python keyword: give another name")
    if len(name) > NAME_MAX:
        raise click.UsageError(f"{name!r} has {len(name)} characters: give a name of at most {NAME_MAX}")
    taken = {each.name for each in locations([shipped("drivers")])}
    if name in {*taken, *stories.names()}:
        raise click.UsageError(f"simkernel ships a driver {name!r}: give another name")


def _write(target: Path, words: dict[str, str]) -> None:
    """Write all files into a temporary folder beside `target`, then rename it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        for template, place in DRIVER.items():
            path = draft / Template(place).substitute(words)
            path.parent.mkdir(parents=True, exist_ok=True)
            text = (TEMPLATES / "driver" / f"{template}.txt").read_text("utf-8")
            path.write_text(Template(text).substitute(words), "utf-8")
        draft.chmod(0o755)
        draft.replace(target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
