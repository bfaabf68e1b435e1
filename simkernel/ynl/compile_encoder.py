"""Compiled encoders.  Each one encodes messages of one shape, that is, with the same attribute names in the
same order.

Consecutive attributes of fixed size are packed with one struct, including the headers of nests.  The
header of an attribute of variable length is the last part of such a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct
from typing import Any, Final

from simkernel.uapi.netlink import NLA_F_NESTED, NLA_HDRLEN
from simkernel.ynl.coder import Coder, Inside
from simkernel.ynl.source import Encode, Source, word

TAILS: Final = (b"", b"\0\0\0", b"\0\0", b"\0")
"""Padding after a payload, indexed by the payload's length modulo 4."""


def compile_encoder(space: Inside, values: Mapping[str, Any], otherwise: Encode) -> Encode:
    """Compile an encoder for mappings that have the keys of `values`, in the same order.

    Raise Unfit if the mapping has too many attributes.  The encoder calls `otherwise` for a mapping that
    it cannot encode.
    """
    source = Source("def encode(values):")
    source.names["otherwise"] = otherwise
    encoder = _Encoder(source)
    encoder.attributes(space, values, "values")
    encoder.end_run()
    pieces = encoder.pieces
    source.add(f"return {pieces[0]}" if len(pieces) == 1 else f"return b''.join(({', '.join(pieces)}))")
    function: Encode = source.function("encode")
    return function


class _Encoder:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._format = ""
        self._arguments: list[str] = []
        self.pieces: list[str] = []

    def attributes(self, space: Inside, values: Mapping[str, Any], name: str) -> None:
        """Add code that encodes the values of a mapping.  `name` is the name of the variable that holds the
        mapping.
        """
        variables = [self._source.variable() for _ in values]
        if variables:
            self._source.add(f"{', '.join(variables)}, = {name}.values()")
        for variable, (key, value) in zip(variables, values.items(), strict=True):
            coder = space.by_name[key]
            if coder.multi:
                self._piece(coder, variable)
            elif coder.fixed is not None:
                self._field(coder, variable)
            elif coder.inside is not None and (size := _fixed_size(coder.inside, value)) is not None:
                keys = self._source.bind(tuple(value))
                self._source.add(f"if tuple({variable}) != {keys}: return otherwise(values)")
                self._header(NLA_HDRLEN + size, coder.number | NLA_F_NESTED)
                self.attributes(coder.inside, value, variable)
            elif coder.payload is not None:
                self._payload(coder, variable)
            else:
                self._piece(coder, variable)

    def _piece(self, coder: Coder, variable: str) -> None:
        self.end_run()
        self.pieces.append(f"{self._source.bind(coder.encode)}({variable})")

    def _header(self, length: int, number: int) -> None:
        self._format += "I"
        self._arguments.append(str(word(length, number)))

    def _field(self, coder: Coder, variable: str) -> None:
        assert coder.fixed is not None
        self._header(NLA_HDRLEN + coder.fixed.size, coder.number)
        self._format += coder.fixed.padded
        convert = coder.fixed.to_wire
        self._arguments.append(variable if convert is None else f"{self._source.bind(convert)}({variable})")

    def _payload(self, coder: Coder, variable: str) -> None:
        """Add code that encodes a payload of variable length. When the encoder runs, `struct` raises an error
        if the length exceeds 16 bits.
        """
        assert coder.payload is not None
        source = self._source
        length = source.variable()
        source.add(f"{variable} = {coder.payload.to_bytes(source, variable)}")
        source.add(f"{length} = len({variable})")
        self._format += "HH"
        self._arguments += [f"{length} + {NLA_HDRLEN}", str(coder.number)]
        self.end_run()
        self.pieces += [variable, f"{source.bind(TAILS)}[{length} & 3]"]

    def end_run(self) -> None:
        """End the current run of adjacent fields of fixed size: add code that packs all of them with one
        struct.
        """
        if self._format:
            pack = self._source.bind(Struct("<" + self._format).pack)
            self.pieces.append(f"{pack}({', '.join(self._arguments)})")
            self._format, self._arguments = "", []


def _fixed_size(space: Inside, values: Any) -> int | None:
    """Return the encoded size of the attributes in `values` in bytes, or None if this size depends on their
    values.
    """
    if not isinstance(values, dict):
        return None
    size = 0
    for key, value in values.items():
        coder = space.by_name[key]
        if coder.multi:
            return None
        if coder.fixed is not None:
            size += NLA_HDRLEN + max(coder.fixed.size, 4)
        elif coder.inside is not None and (inner := _fixed_size(coder.inside, value)) is not None:
            size += NLA_HDRLEN + inner
        else:
            return None
    return size
