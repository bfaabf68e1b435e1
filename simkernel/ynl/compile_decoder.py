"""Decoders for one layout of message, and for one shape.

Of a layout all is known but the values: one struct takes it apart, whatever nests and arrays there are,
and the headers must be as they were.  Of a shape only what has fixed size is unpacked in such runs; the
other attributes are left to their coders.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from struct import Struct
from typing import Final

from simkernel.uapi.netlink import NLA_HDRLEN, NLA_TYPE_MASK
from simkernel.uapi.structure import U32, Buffer
from simkernel.ynl.coder import Coder, Inside
from simkernel.ynl.source import DEEPEST, Decode, Source, Unfit

_TYPE_BITS: Final = NLA_TYPE_MASK << 16
_FAR: Final = 64
"""Bytes between two headers that are too many to be compared with them."""


def compile_decoder(space: Inside, data: Buffer, at: int, end: int, otherwise: Decode) -> Decode:
    """A decoder for messages like the well-formed `data[at:end]`, which is not empty.  Raises Unfit.

    It is for its layout, and failing that for its shape.
    """
    layout = _Layout(at)
    result = layout.attributes(space, data, at, end)
    return layout.function(result, end - at, _compile_shape(space, data, at, end, otherwise))


# -- a layout -------------------------------------------------------------------


class _Layout:
    """Makes the decoder of messages whose attributes all have the types and lengths of this one's."""

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
        """From where to where headers stand close together; that as one little-endian integer: which of
        its bits are theirs, and what those are."""
        self._depth = 0

    def attributes(self, space: Inside, data: Buffer, at: int, end: int) -> str:
        """The expression that makes the dict of the attributes in `data[at:end]`."""
        self._depth += 1
        if self._depth > DEEPEST:
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
        """A header that has to be as it was."""
        place = start - NLA_HDRLEN
        if place - self._end > _FAR:
            self._end_headers()
            self._begin = place
        self._end = start
        shift = 8 * (place - self._begin)
        self._mask |= 0xFFFF_FFFF << shift
        self._headers |= word << shift

    def _end_headers(self) -> None:
        """Compare those that stand close together: all at once."""
        if self._mask:
            number, mask, headers = map(self._source.bind, (int.from_bytes, self._mask, self._headers))
            part = f"data[at + {self._begin - self._base} : at + {self._end - self._base}]"
            self._conditions.append(f"{number}({part}, 'little') & {mask} != {headers}")
        self._mask = self._headers = 0

    def _field(self, code: str, start: int, size: int) -> str:
        """The variable that gets what stands at `start`; what is before it and after the last is skipped."""
        self._format += f"{start - self._place}x{code}"
        self._place = start + size
        self._targets.append(variable := self._source.variable())
        return variable

    def function(self, result: str, size: int, otherwise: Decode) -> Decode:
        """The decoder of messages of `size` bytes."""
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


# -- a shape --------------------------------------------------------------------


def _compile_shape(space: Inside, data: Buffer, at: int, end: int, otherwise: Decode) -> Decode:
    source = Source("def decode(data, at, end):")
    source.names["otherwise"] = otherwise
    source.add("first = at")
    shape = _Shape(source)
    result = shape.attributes(space, data, at, end)
    shape.end_run()
    source.add("if at < end: return otherwise(data, first, end)")
    source.add(f"return {result}")
    function: Decode = source.function("decode")
    return function


class _Shape:
    """Makes the decoder of messages with these attributes in this order, of whatever lengths."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._format = ""
        self._targets: list[str] = []
        self._headers: dict[str, int] = {}

    def attributes(self, space: Inside, data: Buffer, at: int, end: int) -> str:
        """The expression that makes the dict of the attributes in `data[at:end]`."""
        values: dict[str, list[str]] = {}
        for word, start, stop in _words(data, at, end):
            coder = space.by_number.get(word >> 16 & NLA_TYPE_MASK)
            if coder is None:
                self._variable_size(word, None)
                continue
            expression = self._attribute(coder, word, data, start, stop)
            values.setdefault(coder.name, []).append(expression)
        return _display(values, space)

    def _attribute(self, coder: Coder, word: int, data: Buffer, start: int, stop: int) -> str:
        fixed = coder.field_of(stop - start)
        if fixed is not None:
            self._header(word)
            self._format += fixed.padded
            self._targets.append(variable := self._source.variable())
            return (
                variable if fixed.from_wire is None else f"{self._source.bind(fixed.from_wire)}({variable})"
            )
        if coder.inside is not None and _all_fixed(coder.inside, data, start, stop):
            self._header(word)
            return self.attributes(coder.inside, data, start, stop)
        return self._variable_size(word, coder)

    def _header(self, word: int) -> None:
        """A header that has to be as it was."""
        self._format += "I"
        self._targets.append(variable := self._source.variable())
        self._headers[variable] = word

    def _variable_size(self, word: int, coder: Coder | None) -> str:
        """End the run with the header of an attribute whose size is not known, and decode that."""
        self._format += "I"
        self._targets.append(header := self._source.variable())
        self.end_run()
        value = self._source.variable()
        add = self._source.add
        add(f"if {header} & {_TYPE_BITS} != {word & _TYPE_BITS}: return otherwise(data, first, end)")
        add(f"length = {header} & 65535")
        add(f"stop = at + length - {NLA_HDRLEN}")
        add("if not at <= stop <= end: return otherwise(data, first, end)")
        if coder is not None:
            add(f"{value} = {self._source.bind(coder.decode)}(data, at, stop)")
        add("at += length - 1 & -4")
        return value

    def end_run(self) -> None:
        """Unpack the run, see that it is the same, and stand behind it."""
        if not self._format:
            return
        run = Struct("<" + self._format)
        add = self._source.add
        add(f"if end - at < {run.size}: return otherwise(data, first, end)")
        add(f"{', '.join(self._targets)}, = {self._source.bind(run.unpack_from)}(data, at)")
        if self._headers:
            expected = self._source.bind(tuple(self._headers.values()))
            add(f"if ({', '.join(self._headers)},) != {expected}: return otherwise(data, first, end)")
        add(f"at += {run.size}")
        self._format, self._targets, self._headers = "", [], {}


def _all_fixed(space: Inside, data: Buffer, at: int, end: int) -> bool:
    """Whether there are only attributes of fixed size, all the way down."""
    for word, start, stop in _words(data, at, end):
        coder = space.by_number.get(word >> 16 & NLA_TYPE_MASK)
        if coder is None:
            return False
        if coder.field_of(stop - start) is not None:
            continue
        if coder.inside is None or not _all_fixed(coder.inside, data, start, stop):
            return False
    return True


# -- both -----------------------------------------------------------------------


def _words(data: Buffer, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The (header, start, end) of each attribute."""
    while at < end:
        (word,) = U32.unpack_from(data, at)
        length = word & 0xFFFF
        yield word, at + NLA_HDRLEN, at + length
        at += (length + 3) & ~3


def _display(values: Mapping[str, list[str]], space: Inside) -> str:
    """The dict of expressions; those of a multi-attr as a list, of others the last."""
    items = [
        f"{name!r}: [{', '.join(each)}]" if space.by_name[name].multi else f"{name!r}: {each[-1]}"
        for name, each in values.items()
    ]
    return "{" + ", ".join(items) + "}"
