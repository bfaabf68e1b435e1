"""What the exporters have in common: each hears a machine's records and writes one file.

    with open("run.json", "w") as file, TraceJson(file) as exporter:
        machine.trace.subscribe(exporter)
        machine.run(until=seconds(5))

The file is whole and valid once the exporter is closed, whenever that is; records that come later
are ignored.  The file itself belongs to the caller.
"""

from __future__ import annotations

from typing import Self

from simkernel.engine import Record


class Exporter:
    """A listener of `Tracer.subscribe`; a subclass says what it does with a record and at the end."""

    closed = False

    def __call__(self, record: Record) -> None:
        if not self.closed:
            self.record(record)

    def record(self, record: Record) -> None:
        """Take one record."""
        raise NotImplementedError

    def finish(self) -> None:
        """Write what makes the file whole."""

    def close(self) -> None:
        """Finish the file.  Harmless when that has been done."""
        if not self.closed:
            self.closed = True
            self.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
