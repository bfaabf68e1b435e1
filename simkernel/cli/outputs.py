"""Files that a command writes. The command opens all of them before the run. When a file is complete, it
replaces its target: the file with the name that the user gave.

A regular file is written beside its target and renamed at the end. After an error or a signal the target
keeps its old content. A device, a FIFO and the file of standard output are written directly.
"""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import IO, Any, Final, Self

import click

SOURCES: Final = (".py", ".pyi", ".yaml", ".yml")
"""Suffixes of source files, which an output never replaces."""
INPUTS: Final = "simkernel.inputs"
"""Key under which click's `meta` stores the input files of the command."""


class Sink:
    """A file that does not raise an OSError of the host, but stores it in `error`. A raised OSError would
    look like an error of the simulated kernel.
    """

    def __init__(self, name: str, file: IO[Any]) -> None:
        self.name = name
        self.error: OSError | None = None
        self._file = file

    def write(self, data: Any) -> int:
        """Write `data`. If an earlier write to this file has failed, do nothing."""
        if self.error is None:
            self._try(self._file.write, data)
        return len(data)

    def finish(self) -> None:
        """Flush the file. If that fails, store the OSError in `error` and do not raise it."""
        self._try(self._file.flush)

    def _try(self, action: Callable[..., object], *arguments: object) -> None:
        try:
            action(*arguments)
        except OSError as error:
            self.error = self.error or error


class OutputFile(Sink):
    """A file that a command writes. The constructor raises OSError or ValueError if the file cannot be
    written.
    """

    def __init__(self, name: str, binary: bool) -> None:
        self._target, self._temporary = os.path.realpath(name), ""
        place: str | int = name
        old = os.path.isfile(name)
        if standard := _standard(name):
            place = os.dup(standard)
        elif old or (os.path.basename(name) and not os.path.exists(name)):
            folder, base = os.path.split(self._target)
            place = self._temporary = os.path.join(folder, f".{base[:50]}.{token_hex(4)}")
            if old:
                open(name, "ab").close()  # raises OSError if the file cannot be written
        file = open(place, "wb")  # noqa: SIM115 - `finish` and `discard` close it
        super().__init__(name, file if binary else io.TextIOWrapper(file, "utf-8", newline="\n"))
        if old and self._temporary:
            shutil.copymode(name, self._temporary)

    def finish(self) -> None:
        """Complete the file and replace its target. After an error the target keeps its old content."""
        self._try(self._file.close)
        if self._temporary and self.error is None:
            self._try(os.replace, self._temporary, self._target)
        self.discard()

    def discard(self) -> None:
        """Delete the temporary file.  The target keeps its content unless `finish` has replaced it."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            os.unlink(self._temporary)
        self._temporary = ""


class Outputs(dict[str, OutputFile]):
    """A context manager that opens and completes the files that a command writes. It maps options to files.

    Raises BadParameter if a file cannot be written, is an input or a source file, or is given for two
    options. After an error in the block no target is replaced. Raises ClickException if a file cannot be
    completed.
    """

    after_errors = False
    """True if the files are also completed after an error in the `with` block."""

    def __init__(
        self, names: Mapping[str, str | None], inputs: Iterable[str | Path] = (), *, binary: str = ""
    ) -> None:
        super().__init__()
        inputs = [*inputs, *click.get_current_context().meta.get(INPUTS, ())]
        taken = {_identity(path): f"{path} is read by this command" for path in inputs}
        for option, name in names.items():
            if name is None:
                continue
            try:
                identity = _identity(name)
                if os.path.exists(name) and os.path.realpath(name).endswith(SOURCES):
                    raise ValueError("a source file is never replaced: give another name")
                if identity in taken:
                    raise ValueError(f"{taken[identity]}: give another name")
                taken[identity] = f"--{option} writes it"
                self[option] = OutputFile(name, option == binary)
            except (OSError, ValueError) as error:
                self.discard()
                reason = error.strerror if isinstance(error, OSError) else error
                raise click.BadParameter(f"cannot write {name}: {reason}", param_hint=f"--{option}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, trace: object) -> None:
        try:
            if error is None or self.after_errors:
                self.finish()
        finally:
            self.discard()
        if error is None:
            self.check()

    def finish(self) -> None:
        """Complete every file.  A second call has no effect."""
        for file in self.values():
            file.finish()

    def check(self) -> None:
        """Raise ClickException if a file could not be completed."""
        for file in self.values():
            if file.error is not None:
                raise click.ClickException(f"cannot write {file.name}: {file.error.strerror}")

    def discard(self) -> None:
        """Discard every incomplete file."""
        for file in self.values():
            file.discard()


def _identity(name: str | Path) -> object:
    """Return a value that identifies the file: it is equal for all names of the file."""
    if os.path.exists(name):
        status = os.stat(name)
        return status.st_dev, status.st_ino
    return os.path.realpath(name)


def _standard(name: str) -> int:
    """Return 1 or 2 if the file is standard output or standard error, else 0."""
    for number in (1, 2):
        with suppress(OSError):
            if os.path.samestat(os.fstat(number), os.stat(name)):
                return number
    return 0
