"""A space of attributes: a set, or what a message takes of one, to bytes and back.

Attributes are walked one by one at first; after that frequent messages get a compiled function.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from simkernel.uapi.structure import Buffer
from simkernel.ynl.coder import Coder
from simkernel.ynl.compile_decoder import compile_decoder
from simkernel.ynl.compile_encoder import compile_encoder
from simkernel.ynl.errors import choose
from simkernel.ynl.nests import locate
from simkernel.ynl.source import Decode, Encode, Unfit

_COMPILE_AFTER: Final = 64
"""After this many walked messages, the last one gets a compiled function."""
_MOST_SHAPES: Final = 8
_REFUSALS: Final = (struct.error, ValueError, TypeError, AttributeError, KeyError, OverflowError)


class BadValue(ValueError):
    """A value that cannot be encoded: of which attribute (`crop.width`), and what was expected."""

    def __init__(self, attribute: str, problem: str) -> None:
        super().__init__(attribute, problem)
        self.attribute = attribute
        self.problem = problem

    def __str__(self) -> str:
        return f"attribute '{self.attribute}': {self.problem}" if self.attribute else self.problem


class Space:
    """A space of attributes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.by_name: dict[str, Coder] = {}
        self.by_number: dict[int, Coder] = {}
        self._encoders: dict[tuple[str, ...], Encode] = {}
        self.decoder: Decode = self._walk_in
        """What `decode()` is at present."""
        self._decoders = 0
        self._encoded = 0
        self._decoded = 0

    def add(self, coder: Coder, silent: bool) -> None:
        """Put an attribute in.  A silent one is refused by its name, and passed over when it comes."""
        self.by_name[coder.name] = coder
        if not silent:
            self.by_number[coder.number] = coder

    def encode(self, values: Mapping[str, Any]) -> bytes:
        """The bytes of the attributes in `values`, in that order.  Raises BadValue."""
        try:
            encoder = self._encoders.get(tuple(values))
            if encoder is not None:
                return encoder(values)
        except _REFUSALS:
            pass  # The walk meets the same and says what it is.
        return self._walk_out(values)

    def decode(self, data: Buffer, at: int, end: int) -> dict[str, Any]:
        """The attributes in `data[at:end]`.  Raises Malformed."""
        return self.decoder(data, at, end)

    def _walk_out(self, values: Mapping[str, Any]) -> bytes:
        """Encode attribute by attribute."""
        if not isinstance(values, Mapping):
            raise BadValue("", f"expected a mapping of attributes to values, found {values!r}")
        encoded = b"".join([self._encode_one(name, value) for name, value in values.items()])
        self._encoded += 1
        if self._encoded % _COMPILE_AFTER == 0:
            self._learn_encoder(values)
        return encoded

    def _encode_one(self, name: str, value: Any) -> bytes:
        coder = self.by_name.get(name)
        if coder is None:
            raise BadValue(name, f"not in {self.name}; {choose(name, self.by_name)}")
        try:
            return coder.encode(value)
        except BadValue as error:
            place = f"{name}.{error.attribute}" if error.attribute else name
            raise BadValue(place, error.problem) from None
        except (ValueError, TypeError) as error:
            raise BadValue(name, str(error)) from None

    def _walk_in(self, data: Buffer, at: int, end: int) -> dict[str, Any]:
        """Decode attribute by attribute."""
        values: dict[str, Any] = {}
        for number, start, stop in locate(data, at, end):
            coder = self.by_number.get(number)
            if coder is None:
                continue
            value = coder.decode(data, start, stop)
            if coder.multi:
                values.setdefault(coder.name, []).append(value)
            else:
                values[coder.name] = value
        self._decoded += 1
        if self._decoded % _COMPILE_AFTER == 0:
            self._learn_decoder(data, at, end)
        return values

    def _learn_encoder(self, values: Mapping[str, Any]) -> None:
        shape = tuple(values)
        if shape not in self._encoders and len(self._encoders) < _MOST_SHAPES:
            with suppress(Unfit):
                self._encoders[shape] = compile_encoder(self, values, self._walk_out)

    def _learn_decoder(self, data: Buffer, at: int, end: int) -> None:
        """Try the new decoder first; each hands on to the one before, the first to the walk."""
        if self._decoders < _MOST_SHAPES and at < end:
            self._decoders += 1
            with suppress(Unfit):
                self.decoder = compile_decoder(self, data, at, end, self.decoder)
