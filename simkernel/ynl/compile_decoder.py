"""Compiled decoders.  Each one decodes messages of one layout, that is, with the same attribute types and
lengths.

In messages of one layout only the values differ.  So one struct unpacks all values, including those of
nests and arrays.  The headers are compared as one integer.  If the headers differ, the decoder calls the
previous one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from struct import Struct
from typing import Final

from simkernel.uapi.netlink import NLA_HDRLEN, NLA_TYPE_MASK
from simkernel.uapi.structure import U32, Buffer
from simkernel.ynl.coder import Coder, Inside
from simkernel.ynl.source import MAX_DEPTH, Decode, Source, Unfit

_TYPE_BITS: Final = NLA_TYPE_MASK << 16
_FAR: Final = 64
"""Maximum number of bytes between two attribute headers that a decoder compares together, as parts of one
integer.
"""


def compile_decoder(space: Inside, data: Buffer, at: int, end: int, otherwise: Decode) -> Decode:
    """Compile a decoder for messages with the layout of the sample `data[at:end]`, which is well formed and
    not empty.

    Raises Unfit.
    """
    layout = _Layout(at)
    result = layout.attributes(space, data, at, end)
    return layout.function(result, end - at, otherwise)


class _Layout:
    """Builds the source of a decoder from a sample message. The decoder accepts only messages with the
    attribute types and lengths of the sample.
    """

    def __init__(self, base: int) -> None:
        self._source = Source("def decode(data, at, end):")
        self._base = base
        self._place = base
        self._format = "<"
        self._targets: list[str] = []
        self._conditions: list[str] = []
        self._begin = self._end = base
        self._mask = 0
        self._headers = 0
        """The attribute headers that the decoder compares at once, as one little-endian integer. `_mask` has
        a 1 at each bit that belongs to a header.
        """
        self._depth = 0

    def attributes(self, space: Inside, data: Buffer, at: int, end: int) -> str:
        """Return a Python expression whose value is a dict of the attributes in `data[at:end]`."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Unfit
        values: dict[str, list[str]] = {}
        for word, start, stop in _words(data, at, end):
            coder = space.by_number.get(word >> 16 & NLA_TYPE_MASK)
            self._header(word, start)
            if coder is not None:
                values.setdefault(coder.name, []).append(self._value(coder, data, start, stop))
        self._depth -= 1
        return _display(values, space)

    def _value(self, coder: Coder, data: Buffer, start: int, stop: int) -> str:
        size = stop - start
        fixed = coder.field_of(size)
        if fixed is not None:
            field = self._field(fixed.code, start, size)
            return field if fixed.from_wire is None else f"{self._source.bind(fixed.from_wire)}({field})"
        if coder.inside is not None:
            return self.attributes(coder.inside, data, start, stop)
        if coder.entry is not None:
            return f"[{', '.join(self._entries(coder.entry, data, start, stop))}]"
        if coder.payload is not None:
            return coder.payload.from_bytes(self._field(f"{size}s", start, size))
        decode = self._source.bind(coder.decode)
        return f"{decode}(data, at + {start - self._base}, at + {stop - self._base})"

    def _entries(self, entry: Coder, data: Buffer, at: int, end: int) -> Iterator[str]:
        for word, start, stop in _words(data, at, end):
            self._header(word, start)
            yield self._value(entry, data, start, stop)

    def _header(self, word: int, start: int) -> None:
        """Add the header of an attribute to the headers that the decoder compares. The decoder rejects a
        message that has another header at this offset.
        """
        place = start - NLA_HDRLEN
        if place - self._end > _FAR:
            self._end_headers()
            self._begin = place
        self._end = start
        shift = 8 * (place - self._begin)
        self._mask |= 0xFFFF_FFFF << shift
        self._headers |= word << shift

    def _end_headers(self) -> None:
        """Add a condition to the decoder. It requires the attribute headers that `_header()` has collected
        since the previous condition.
        """
        if self._mask:
            number, mask, headers = map(self._source.bind, (int.from_bytes, self._mask, self._headers))
            part = f"data[at + {self._begin - self._base} : at + {self._end - self._base}]"
            self._conditions.append(f"{number}({part}, 'little') & {mask} != {headers}")
        self._mask = self._headers = 0

    def _field(self, code: str, start: int, size: int) -> str:
        """Add a field at `start` to the struct format, and return the variable that gets its value."""
        self._format += f"{start - self._place}x{code}"
        self._place = start + size
        self._targets.append(variable := self._source.variable())
        return variable

    def function(self, result: str, size: int, otherwise: Decode) -> Decode:
        """Compile and return the decoder of messages of `size` bytes."""
        source = self._source
        source.names["otherwise"] = otherwise
        self._end_headers()
        source.add(f"if {' or '.join([f'end - at != {size}', *self._conditions])}:")
        source.add("    return otherwise(data, at, end)")
        if self._targets:
            unpack = source.bind(Struct(self._format).unpack_from)
            source.add(f"{', '.join(self._targets)}, = {unpack}(data, at)")
        source.add(f"return {result}")
        function: Decode = source.function("decode")
        return function


def _words(data: Buffer, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield (header, start, end) of each attribute; start and end are the offsets of the payload."""
    while at < end:
        (word,) = U32.unpack_from(data, at)
        length = word & 0xFFFF
        yield word, at + NLA_HDRLEN, at + length
        at += (length + 3) & ~3


def _display(values: Mapping[str, list[str]], space: Inside) -> str:
    """Return the source text of a dict that maps the names of attributes to the expressions of their values.

    A multi-attr gets the list of its expressions, other attributes the last one.
    """
    items = [
        f"{name!r}: [{', '.join(each)}]" if space.by_name[name].multi else f"{name!r}: {each[-1]}"
        for name, each in values.items()
    ]
    return "{" + ", ".join(items) + "}"
