"""A digest of a whole run: SHA-256 over all trace records, in order and with all fields."""

from __future__ import annotations

import hashlib
import json
from typing import Final

from simkernel.engine import Record
from simkernel.trace.exporter import Exporter
from simkernel.trace.plain import plain

SHORT: Final = 64
"""Maximum length in bytes of a value that is hashed directly.

For longer values, their SHA-256 is hashed, which is much faster.
"""


def _canonical(value: object) -> object:
    if isinstance(value, bytes | memoryview) and len(value) > SHORT:
        return {"sha256": hashlib.sha256(value).hexdigest()}
    return plain(value)


_encode = json.JSONEncoder(separators=(",", ":"), default=_canonical).encode


class Digest(Exporter):
    """An exporter that computes a digest.  Two runs are equal if and only if their `hexdigest()` is equal.

    The input is one line of JSON per record: time, name, layer, track, flow and fields, in ASCII.  Bytes
    are written as hexadecimal digits, or as their SHA-256 if they are long.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def record(self, record: Record) -> None:
        line = [record.time, record.name, record.layer, record.track, record.flow, record.fields]
        self._hash.update(_encode(line).encode("ascii") + b"\n")

    def hexdigest(self) -> str:
        """Return the digest of the records so far."""
        return self._hash.hexdigest()
