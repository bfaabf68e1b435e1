"""One number for a whole run: SHA-256 over every record, in order and with all its fields."""

from __future__ import annotations

import hashlib
import json
from typing import Final

from simkernel.engine import Record
from simkernel.trace.exporter import Exporter
from simkernel.trace.plain import plain

SHORT: Final = 64
"""Bytes up to here are in the line; of longer ones their own digest, which costs a fraction."""


def _canonical(value: object) -> object:
    if isinstance(value, bytes | memoryview) and len(value) > SHORT:
        return {"sha256": hashlib.sha256(value).hexdigest()}
    return plain(value)


_encode = json.JSONEncoder(separators=(",", ":"), default=_canonical).encode


class Digest(Exporter):
    """Two runs are equal exactly when their `hexdigest()` is.

    What is hashed is a line of JSON a record: time, name, layer, track, flow and fields, all ASCII,
    bytes as hexadecimal digits, of many of them the SHA-256.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def record(self, record: Record) -> None:
        line = [record.time, record.name, record.layer, record.track, record.flow, record.fields]
        self._hash.update(_encode(line).encode("ascii") + b"\n")

    def hexdigest(self) -> str:
        """The digest of the records so far."""
        return self._hash.hexdigest()
