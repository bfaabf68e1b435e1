"""The code blocks of a Markdown file, and how each kind is run.

The blocks of one file share one folder and run in order:

    python   run. If its first line is a comment with a file's name, it is saved under this name instead
    yaml     saved. Its first line is a comment with the file's name
    html     saved. Its first line is a comment with the file's name
    sh       commands of simkernel, Python or pytest, run one by one; or the installation, as in .ci/run. A
             command that must fail ends with the comment `# exits with N`. For a simkernel command with
             this comment, the output includes standard error
    bat      the installation for Windows
    text     the expected output of the previous block. `...` matches any text
    diff     a change of simkernel's source, applied to a copy in the folder `clone`. Later Python blocks
             without a file's name run in a separate process that imports this copy
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

import simkernel
from simkernel.cli import main

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SAVED = re.compile(r"(?:#|<!--) ([\w./-]+\.(?:py|yaml|html))(?: -->)?\n")
_FAILS = re.compile(r"# exits with (\d+)$")
CLONE = Path("clone")
"""Folder with a copy of simkernel's source. `change` applies the guide's diffs to this copy."""


@attrs.frozen
class Block:
    """A fenced block: its language, its text, and the number of its first line."""

    language: str
    text: str
    line: int


def blocks(markdown: str) -> list[Block]:
    """Return the fenced blocks of a text."""
    return [
        Block(found[1], found[2], markdown.count("\n", 0, found.start()) + 1)
        for found in _BLOCK.finditer(markdown)
    ]


def save(text: str, folder: Path = Path()) -> bool:
    """If the first line of a block names a file, write the block to this file in `folder` and return True.
    Return False for any other block.
    """
    if (named := _SAVED.match(text)) is None:
        return False
    path = folder / named[1]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return True


def change(text: str) -> None:
    """Apply a diff to the copy of simkernel's source. Raise AssertionError unless the lines that the diff
    keeps or deletes occur in the file exactly once, in a row.
    """
    if not CLONE.exists():
        shutil.copytree(Path(simkernel.__file__).parent, CLONE / "simkernel")
    for part in re.split(r"^--- ", text, flags=re.MULTILINE)[1:]:
        name, _, body = part.partition("\n")
        lines = body.splitlines(keepends=True)
        assert all(line[0] in " +-" for line in lines), (
            f"a line of the change of {name} begins with none of ' +-'"
        )
        before = "".join(line[1:] for line in lines if line[0] != "+")
        after = "".join(line[1:] for line in lines if line[0] != "-")
        path = CLONE / name
        source = path.read_text("utf-8")
        assert source.count(f"\n{before}") == 1, f"{name} does not have these lines once:\n{before}"
        path.write_text(source.replace(f"\n{before}", f"\n{after}"), "utf-8")


def _with_clone(text: str) -> str:
    """Run a program that imports the copy of simkernel's source, and return the text that it prints."""
    environment = os.environ | {"PYTHONPATH": str(CLONE.resolve())}
    done = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Runner:
    """Runs blocks in the current folder."""

    def __init__(self, installation: str) -> None:
        self._installation = installation.splitlines()
        self._printed = ""

    def run(self, block: Block) -> None:
        """Run or check a block. Raise AssertionError if the block does not have the expected result."""
        kinds = {"python": self._python, "yaml": self._saved, "html": self._saved, "sh": self._sh,
                 "bat": self._bat, "text": self._text, "diff": change}  # fmt: skip
        assert block.language in kinds, f"a block of {block.language or 'no language'} is not run"
        kinds[block.language](block.text)

    def _python(self, text: str) -> None:
        if save(text):
            return
        if CLONE.exists():
            self._printed = _with_clone(text)
            return
        self._printed = _captured(lambda: exec(compile(text, "block", "exec"), {"__name__": "__main__"}))

    def _saved(self, text: str) -> None:
        assert save(text), "a block of YAML or HTML begins with a comment that names its file"

    def _sh(self, text: str) -> None:
        self._printed = "".join(_command(line) for line in text.splitlines() if not self._installs(line))

    def _bat(self, text: str) -> None:
        for line in text.splitlines():
            assert self._installs(_unix(line))

    def _installs(self, line: str) -> bool:
        return all(command in self._installation for command in line.split(" && "))

    def _text(self, text: str) -> None:
        assert doctest.OutputChecker().check_output(text, self._printed, doctest.ELLIPSIS), self._printed


def _unix(line: str) -> str:
    return line.replace("py -m", "python3 -m").replace("\\Scripts\\", "/bin/").replace('"', "'")


def _command(line: str) -> str:
    fails = _FAILS.search(line)
    match shlex.split(line, comments=True):
        case ["simkernel", *arguments]:
            return _captured(lambda: _simkernel(arguments, int(fails[1]) if fails else 0), errors=bool(fails))
        case ["python", script]:
            return _captured(lambda: runpy.run_path(script, run_name="__main__"))
        case ["python", "-m", "pytest", *arguments]:
            arguments = ["-p", "no:cacheprovider", "-p", "no:xdist", "-o", "addopts=", *arguments]
            return _captured(lambda: _pytest(arguments, int(fails[1]) if fails else 0))
        case other:
            raise AssertionError(f"cannot run {other}: use simkernel, python FILE or python -m pytest")


def _simkernel(arguments: list[str], expected: int) -> None:
    with pytest.raises(SystemExit) as exit:
        main(arguments, prog_name="simkernel")
    code = exit.value.code or 0
    assert code == expected, f"simkernel {shlex.join(arguments)} exited with {code}"


def _pytest(arguments: list[str], expected: int) -> None:
    assert pytest.main(arguments) == expected


def _captured(action: Callable[[], object], *, errors: bool = False) -> str:
    with contextlib.ExitStack() as redirected:
        printed = redirected.enter_context(contextlib.redirect_stdout(io.StringIO()))
        if errors:
            redirected.enter_context(contextlib.redirect_stderr(printed))
        action()
    return printed.getvalue()
