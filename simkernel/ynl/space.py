"""A space of attributes: the attributes of a set or of a message, with functions that encode and decode them.

Generic code handles the first messages, attribute by attribute.  Later, frequent messages get a compiled
function.
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
"""Number of messages between two compilations. When the generic code has handled so many messages, it
compiles a function for messages like the latest one.
"""
_MAX_SHAPES: Final = 8
_ERRORS: Final = (struct.error, ValueError, TypeError, AttributeError, KeyError, OverflowError)


class BadValue(ValueError):
    """A value that cannot be encoded.  The error has the attribute (such as `crop.width`) and what was
    expected.
    """

    def __init__(self, attribute: str, problem: str) -> None:
        super().__init__(attribute, problem)
        self.attribute = attribute
        self.problem = problem

    def __str__(self) -> str:
        return f"attribute '{self.attribute}': {self.problem}" if self.attribute else self.problem


class Space:
    """A space of attributes (those of a set or of a message), with their coders."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.by_name: dict[str, Coder] = {}
        self.by_number: dict[int, Coder] = {}
        self._encoders: dict[tuple[str, ...], Encode] = {}
        self.decoder: Decode = self._decode_each
        """The function that `decode()` calls. It is the latest compiled decoder, or the generic code before
        the first compilation.
        """
        self._decoders = 0
        self._encoded = 0
        self._decoded = 0

    def add(self, coder: Coder, silent: bool) -> None:
        """Add the coder of an attribute. If `silent` is true (padding), the attribute cannot be encoded, and
        decoding ignores it.
        """
        self.by_name[coder.name] = coder
        if not silent:
            self.by_number[coder.number] = coder

    def encode(self, values: Mapping[str, Any]) -> bytes:
        """Encode the attributes in `values`, in the order of the mapping.  Raises BadValue."""
        try:
            encoder = self._encoders.get(tuple(values))
            if encoder is not None:
                return encoder(values)
        except _ERRORS:
            pass  # this error does not name the attribute; _encode_each() raises an error with the name
        return self._encode_each(values)

    def decode(self, data: Buffer, at: int, end: int) -> dict[str, Any]:
        """Decode the attributes in `data[at:end]`.  Raises Malformed."""
        return self.decoder(data, at, end)

    def _encode_each(self, values: Mapping[str, Any]) -> bytes:
        """Encode the attributes one by one with their coders."""
        if not isinstance(values, Mapping):
            raise BadValue("", f"expected a mapping of attributes to values, found {values!r}")
        encoded = b"".join([self._encode_one(name, value) for name, value in values.items()])
        self._encoded += 1
        if self._encoded % _COMPILE_AFTER == 0:
            self._compile_encoder(values)
        return encoded

    def _encode_one(self, name: str, value: Any) -> bytes:
        coder = self.by_name.get(name)
        if coder is None:
            raise BadValue(name, f"'{self.name}' has no such attribute; {choose(name, self.by_name)}")
        try:
            return coder.encode(value)
        except BadValue as error:
            place = f"{name}.{error.attribute}" if error.attribute else name
            raise BadValue(place, error.problem) from None
        except (ValueError, TypeError) as error:
            raise BadValue(name, str(error)) from None

    def _decode_each(self, data: Buffer, at: int, end: int) -> dict[str, Any]:
        """Decode the attributes one by one with their coders."""
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
            self._compile_decoder(data, at, end)
        return values

    def _compile_encoder(self, values: Mapping[str, Any]) -> None:
        shape = tuple(values)
        if shape not in self._encoders and len(self._encoders) < _MAX_SHAPES:
            with suppress(Unfit):
                self._encoders[shape] = compile_encoder(self, values, self._encode_each)

    def _compile_decoder(self, data: Buffer, at: int, end: int) -> None:
        """Compile a decoder for messages with the layout of `data[at:end]`. From now on, `decode` tries this
        decoder first.

        Each decoder passes other messages to the previous one.
        """
        if self._decoders < _MAX_SHAPES and at < end:
            self._decoders += 1
            with suppress(Unfit):
                self.decoder = compile_decoder(self, data, at, end, self.decoder)
