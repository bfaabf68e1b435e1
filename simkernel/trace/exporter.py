"""The base class of exporters, which receive a machine's trace records and write one file.

    with open("run.json", "w") as file, TraceJson(file) as exporter:
        machine.trace.subscribe(exporter)
        machine.run(until=seconds(5))

The file is complete and valid when the exporter is closed, at any time.  Later records are ignored.  The
caller closes the file itself.
"""

from __future__ import annotations

from typing import Self

from simkernel.engine import Record


class Exporter:
    """A listener for `Tracer.subscribe`, which receives the trace records of a machine. Subclasses implement
    `record` and `finish`.
    """

    closed = False

    def __call__(self, record: Record) -> None:
        if not self.closed:
            self.record(record)

    def record(self, record: Record) -> None:
        """Process one trace record. Every subclass implements this method."""
        raise NotImplementedError

    def finish(self) -> None:
        """Write the end of the output file, so that the file is complete."""

    def close(self) -> None:
        """Call `finish` once.  A second call of `close` has no effect."""
        if not self.closed:
            self.closed = True
            self.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
