"""What a run writes besides its report: each file is opened before the run, and whole whenever it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any, Final, Self

import click

from simkernel.cli.lines import Folding, Lines
from simkernel.machine import Machine
from simkernel.trace.diagram import Diagram
from simkernel.trace.digest import Digest
from simkernel.trace.exporter import Exporter
from simkernel.trace.log import Log
from simkernel.trace.pcap import Pcap
from simkernel.trace.perfetto import TraceJson
from simkernel.trace.strace import Strace

_text: Final = partial(open, mode="w", encoding="utf-8", newline="\n")
FILES: Final[dict[str, Callable[[str], IO[Any]]]] = {
    "trace": _text,
    "pcap": partial(open, mode="wb"),
    "diagram": _text,
}
"""The options that take a FILE, and the function that opens it."""

STREAMS: Final = ("strace", "log")
"""The options that print while the simulation runs."""


class Sink:
    """A file that keeps an error of the host, where raising it would look like the simulated kernel's."""

    def __init__(self, name: str, file: IO[Any]) -> None:
        self.name = name
        self.error: OSError | None = None
        self._file = file

    def write(self, data: Any) -> int:
        """Write, or after an error pretend to."""
        if self.error is None:
            self._try(lambda: self._file.write(data))
        return len(data)

    def finish(self, close: bool) -> None:
        """Hand on what was written, and close the file if it is ours."""
        self._try(self._file.close if close else self._file.flush)

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except OSError as error:
            self.error = self.error or error


class Outputs:
    """The exporters of one run.

    `asked` holds the options: a file's name or None for each of FILES, a flag for each of STREAMS.
    UsageError for a file that cannot be written.
    """

    _machine: Machine

    def __init__(self, asked: Mapping[str, Any], *, stream: IO[str], digest: bool) -> None:
        names = {option: asked[option] for option in FILES if asked[option] is not None}
        _refuse_twice(names)
        self._sinks = {option: _open(option, name) for option, name in names.items()}
        makers: dict[str, Callable[[Any], Exporter]] = {
            "trace": TraceJson,
            "pcap": lambda file: Pcap(file, lambda: self._machine.now),
            "diagram": Diagram,
            "strace": lambda file: Strace(file, lambda family: self._machine.specification(family)),
            "log": Log,
        }
        self._exporters = [makers[option](sink) for option, sink in self._sinks.items()]
        streams = [option for option in STREAMS if asked[option]]
        if streams:
            self._sinks["stream"] = Sink("what was asked for", stream)
            self._folding = Folding(self._sinks["stream"].write)
            self._exporters += [makers[option](Lines(self._folding)) for option in streams]
        self.digest = Digest() if digest else None
        if self.digest is not None:
            self._exporters.append(self.digest)

    @property
    def streaming(self) -> bool:
        """Whether something is printed while the simulation runs."""
        return "stream" in self._sinks

    def attach(self, machine: Machine) -> None:
        """Subscribe the exporters to a machine.  Before that none of them has a record, or asks for it."""
        self._machine = machine
        for exporter in self._exporters:
            machine.trace.subscribe(exporter)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, trace: object) -> None:
        """Make every file whole.  ClickException if one of them could not be written to the end."""
        for exporter in self._exporters:
            exporter.close()
        if self.streaming:
            self._folding.flush()
        for option, sink in self._sinks.items():
            sink.finish(close=option in FILES)
        for sink in self._sinks.values():
            if sink.error is not None and error is None:
                raise click.ClickException(f"cannot write {sink.name}: {sink.error.strerror}")


def _refuse_twice(names: Mapping[str, str]) -> None:
    paths = [Path(name).resolve() for name in names.values()]
    for option, path in zip(names, paths, strict=True):
        if paths.count(path) > 1:
            raise click.BadParameter(f"{names[option]} is asked for twice", param_hint=f"--{option}")


def _open(option: str, name: str) -> Sink:
    try:
        return Sink(name, FILES[option](name))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise click.BadParameter(f"cannot write {name}: {reason}", param_hint=f"--{option}") from None
