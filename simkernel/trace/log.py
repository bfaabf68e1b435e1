"""The kernel log, in the format of dmesg(1)."""

from __future__ import annotations

from typing import TextIO

from simkernel.engine import MICROSECOND, SECOND, Record
from simkernel.trace.exporter import Exporter


class Log(Exporter):
    """An exporter that writes the console records, such as `[    0.001234] camera: text`."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def record(self, record: Record) -> None:
        if record.name == "console":
            whole, rest = divmod(record.time, SECOND)
            prefix = f"[{whole:5}.{rest // MICROSECOND:06}] "
            lines = str(record.fields["text"]).rstrip("\n").split("\n")
            self._file.write("".join(f"{prefix}{line}\n" for line in lines))
