"""A terminal for a command to print on."""

from __future__ import annotations

import codecs
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

PROGRAM = [sys.executable, "-m", "simkernel"]


def plain(text: str) -> str:
    """Return a text without colours and links."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b\]8;[^\x1b]*\x1b\\", "", text)


class Terminal:
    """The `simkernel` command in a pseudo-terminal. If Python has no module `pty`, the test is skipped.

    The terminal is `columns` wide. If `errors` is False, standard error, which has the progress bar, is
    /dev/null. If `keyboard` is True, standard input is the terminal too.
    """

    def __init__(
        self,
        *arguments: str,
        cwd: Path | None = None,
        environment: Mapping[str, str] = os.environ,
        errors: bool = True,
        columns: int = 100,
        keyboard: bool = False,
    ) -> None:
        self._master, slave = pytest.importorskip("pty").openpty()
        environment = {**environment, "TERM": "xterm-256color", "COLUMNS": str(columns)}
        environment.pop("NO_COLOR", None)
        self.process = subprocess.Popen(
            [*PROGRAM, *arguments],
            stdin=slave if keyboard else None,
            stdout=slave,
            stderr=slave if errors else subprocess.DEVNULL,
            cwd=cwd,
            env=environment,
        )
        os.close(slave)

    def pieces(self) -> Iterator[str]:
        """Yield the output in the pieces in which it arrives. A character may arrive in two pieces."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        while True:
            try:
                piece = os.read(self._master, 65536)
            except OSError:
                piece = b""
            if not piece:
                os.close(self._master)
                self.process.wait(timeout=60)
                return
            yield decoder.decode(piece)

    def text(self) -> str:
        """Return the whole output."""
        return "".join(self.pieces())
