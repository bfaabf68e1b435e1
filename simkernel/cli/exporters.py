"""Exporters of a run's trace records. The options --trace, --pcap and --diagram write files; --strace and
--log print.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

import click

from simkernel.cli.exits import SIGPIPE, Stopped
from simkernel.cli.lines import Folding, Lines
from simkernel.cli.outputs import Outputs, Sink
from simkernel.engine import Record
from simkernel.machine import Machine
from simkernel.trace.diagram import Diagram
from simkernel.trace.digest import Digest
from simkernel.trace.exporter import Exporter
from simkernel.trace.hops import Hops
from simkernel.trace.log import Log
from simkernel.trace.pcap import Pcap
from simkernel.trace.perfetto import TraceJson
from simkernel.trace.strace import Strace

FILES: Final = ("trace", "pcap", "diagram")
"""Options that write a FILE."""

STREAMS: Final = ("strace", "log")
"""Options that print during the simulation."""


class Exporters(Outputs):
    """The exporters of one run, and their files. The files are also completed if the run fails.

    `asked` maps options to values: each of FILES to a name or None, each of STREAMS and `hops` to a flag,
    and `flow` to a number or None.
    """

    _machine: Machine
    after_errors = True
    _finished = False

    def __init__(self, asked: Mapping[str, Any], *, scenario: Path, stream: IO[str], digest: bool) -> None:
        self.busy = False
        """True while a record is written. An exception during the write would leave an incomplete record in
        the file.
        """
        self.pending: Stopped | None = None
        """Exception to raise after the current record is written, or None."""
        super().__init__({option: asked[option] for option in FILES}, [scenario], binary="pcap")
        makers: dict[str, Callable[[Any], Exporter]] = {
            "trace": TraceJson,
            "pcap": lambda file: Pcap(file, lambda: self._machine.now),
            "diagram": partial(Diagram, flow=asked["flow"]),
            "strace": lambda file: Strace(file, lambda family: self._machine.specification(family)),
            "log": Log,
        }
        self._stream = Sink("standard output", stream)
        self._folding = Folding(self._stream.write)
        streams = {option: Lines(self._folding) for option in STREAMS if asked[option]}
        self.streaming = bool(streams)
        """True if an exporter prints during the simulation."""
        self._exporters = {option: makers[option](to) for option, to in (self | streams).items()}
        self.hops = Hops() if asked["hops"] else None
        if self.hops is not None:
            self._exporters["hops"] = self.hops
        self.digest = Digest() if digest else None
        if self.digest is not None:
            self._exporters["digest"] = self.digest

    def attach(self, machine: Machine) -> None:
        """Subscribe the exporters to a machine."""
        self._machine = machine
        if self._exporters:
            machine.trace.subscribe(self._take)

    def _take(self, record: Record) -> None:
        self.busy = True
        for exporter in self._exporters.values():
            exporter(record)
        self.busy = False
        if self.streaming and self._stream.error is not None and self._stream.error.errno == errno.EPIPE:
            self.streaming = False
            self.pending = Stopped(SIGPIPE)
        if self.pending is not None:
            pending, self.pending = self.pending, None
            raise pending

    def finish(self) -> None:
        """Complete every file.  A second call has no effect, even if the first raised."""
        if self._finished:
            return
        self._finished = True
        for exporter in self._exporters.values():
            exporter.close()
        if self._unknown_flow():
            self["diagram"].discard()
        self._folding.flush()
        self._stream.finish()
        super().finish()

    def check(self) -> None:
        """Raise ClickException if a file was not written, or if no flow has the number that --flow gives.
        Raise OSError if standard output was not written.
        """
        super().check()
        if self._stream.error is not None:
            raise self._stream.error
        if unknown := self._unknown_flow():
            raise click.ClickException(unknown)

    def _unknown_flow(self) -> str:
        diagram = self._exporters.get("diagram")
        return diagram.unknown_flow() if isinstance(diagram, Diagram) else ""
