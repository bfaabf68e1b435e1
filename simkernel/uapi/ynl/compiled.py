"""Coders for one shape of message: functions made of source text, for the messages that come again and again.

A shape is which attributes there are and in which order.  Attributes of fixed size are packed and
unpacked in runs, with one struct for as many as follow each other, nests included; the others are
left to their coders.  What such a function makes is what the walk over the attributes makes, in a
third of the time; a message of another shape it hands on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from struct import Struct
from typing import Any, Final, TypeAlias

from simkernel.uapi.netlink import NLA_F_NESTED, NLA_HDRLEN, NLA_TYPE_MASK
from simkernel.uapi.structure import U32, Buffer
from simkernel.uapi.ynl.coder import Coder, Inside

Encode: TypeAlias = Callable[[Mapping[str, Any]], bytes]
Decode: TypeAlias = Callable[[Buffer, int, int], dict[str, Any]]

_TYPE_BITS: Final = NLA_TYPE_MASK << 16


class _Source:
    """Lines of a function, and the objects that they name."""

    def __init__(self, first: str) -> None:
        self.lines = [first]
        self.names: dict[str, Any] = {}

    def bind(self, value: Any) -> str:
        """A name for an object."""
        name = f"_{len(self.names)}"
        self.names[name] = value
        return name

    def add(self, line: str) -> None:
        """One more line of the body."""
        self.lines.append(f"    {line}")

    def function(self, name: str) -> Any:
        """The function that the lines define."""
        exec("\n".join(self.lines), self.names)
        return self.names[name]


def _word(length: int, number: int) -> int:
    """The header of an attribute as one little-endian integer."""
    return length | number << 16


# -- encoding -------------------------------------------------------------------


def compile_encoder(space: Inside, values: Mapping[str, Any], otherwise: Encode) -> Encode:
    """An encoder for mappings with the keys of `values`, in their order."""
    source = _Source("def encode(values):")
    source.names["otherwise"] = otherwise
    encoder = _EncoderSource(source)
    encoder.attributes(space, values, "values")
    encoder.end_run()
    pieces = encoder.pieces
    source.add(f"return b''.join([{', '.join(pieces)}])" if len(pieces) != 1 else f"return {pieces[0]}")
    function: Encode = source.function("encode")
    return function


class _EncoderSource:
    def __init__(self, source: _Source) -> None:
        self._source = source
        self._variables = 0
        self._format = ""
        self._arguments: list[str] = []
        self.pieces: list[str] = []

    def attributes(self, space: Inside, values: Mapping[str, Any], name: str) -> None:
        """Take the values out of a mapping and put each where it belongs."""
        variables = [self._variable() for _ in values]
        if variables:
            self._source.add(f"{', '.join(variables)}, = {name}.values()")
        for variable, (key, value) in zip(variables, values.items(), strict=True):
            coder = space.by_name[key]
            if coder.fixed is not None:
                self._field(coder, variable)
            elif coder.inside is not None and (size := _fixed_size(coder.inside, value)) is not None:
                keys = self._source.bind(tuple(value))
                self._source.add(f"if tuple({variable}) != {keys}: return otherwise(values)")
                self._header(NLA_HDRLEN + size, coder.number | NLA_F_NESTED)
                self.attributes(coder.inside, value, variable)
            else:
                self.end_run()
                self.pieces.append(f"{self._source.bind(coder.encode)}({variable})")

    def _variable(self) -> str:
        self._variables += 1
        return f"v{self._variables}"

    def _header(self, length: int, number: int) -> None:
        self._format += "I"
        self._arguments.append(str(_word(length, number)))

    def _field(self, coder: Coder, variable: str) -> None:
        assert coder.fixed is not None
        self._header(NLA_HDRLEN + coder.fixed.size, coder.number)
        self._format += coder.fixed.padded
        convert = coder.fixed.to_wire
        self._arguments.append(variable if convert is None else f"{self._source.bind(convert)}({variable})")

    def end_run(self) -> None:
        """Pack what has fixed size so far."""
        if self._format:
            pack = self._source.bind(Struct("<" + self._format).pack)
            self.pieces.append(f"{pack}({', '.join(self._arguments)})")
            self._format, self._arguments = "", []


def _fixed_size(space: Inside, values: Any) -> int | None:
    """The bytes that the attributes in `values` take, if each has a fixed size."""
    if not isinstance(values, dict):
        return None
    size = 0
    for key, value in values.items():
        coder = space.by_name[key]
        if coder.fixed is not None:
            size += NLA_HDRLEN + max(coder.fixed.size, 4)
        elif coder.inside is not None and (inner := _fixed_size(coder.inside, value)) is not None:
            size += NLA_HDRLEN + inner
        else:
            return None
    return size


# -- decoding -------------------------------------------------------------------


def compile_decoder(space: Inside, data: Buffer, at: int, end: int, otherwise: Decode) -> Decode:
    """A decoder for messages with the attributes of the well-formed `data[at:end]`, in their order."""
    source = _Source("def decode(data, at, end):")
    source.names["otherwise"] = otherwise
    source.add("first = at")
    decoder = _DecoderSource(source)
    result = decoder.attributes(space, data, at, end)
    decoder.end_run()
    source.add("if at < end: return otherwise(data, first, end)")
    source.add(f"return {result}")
    function: Decode = source.function("decode")
    return function


class _DecoderSource:
    def __init__(self, source: _Source) -> None:
        self._source = source
        self._variables = 0
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
        multi = {coder.name for coder in space.by_number.values() if coder.multi}
        return _display(values, multi)

    def _attribute(self, coder: Coder, word: int, data: Buffer, start: int, stop: int) -> str:
        if coder.fixed is not None and coder.fixed.size == stop - start:
            self._header(word)
            self._format += coder.fixed.padded
            self._targets.append(variable := self._variable())
            convert = coder.fixed.from_wire
            return variable if convert is None else f"{self._source.bind(convert)}({variable})"
        if coder.inside is not None and _all_fixed(coder.inside, data, start, stop):
            self._header(word)
            return self.attributes(coder.inside, data, start, stop)
        return self._variable_size(word, coder)

    def _variable(self) -> str:
        self._variables += 1
        return f"v{self._variables}"

    def _header(self, word: int) -> None:
        """A header that has to be as it was."""
        self._format += "I"
        self._targets.append(variable := self._variable())
        self._headers[variable] = word

    def _variable_size(self, word: int, coder: Coder | None) -> str:
        """End the run with the header of an attribute whose size is not known, and decode that."""
        self._format += "I"
        self._targets.append(header := self._variable())
        self.end_run()
        value = self._variable()
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


def _words(data: Buffer, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The (header, start, end) of each attribute."""
    while at < end:
        (word,) = U32.unpack_from(data, at)
        length = word & 0xFFFF
        yield word, at + NLA_HDRLEN, at + length
        at += (length + 3) & ~3


def _all_fixed(space: Inside, data: Buffer, at: int, end: int) -> bool:
    """Whether there are only attributes of fixed size, all the way down."""
    for word, start, stop in _words(data, at, end):
        coder = space.by_number.get(word >> 16 & NLA_TYPE_MASK)
        if coder is None:
            return False
        if coder.fixed is not None and coder.fixed.size == stop - start:
            continue
        if coder.inside is None or not _all_fixed(coder.inside, data, start, stop):
            return False
    return True


def _display(values: Mapping[str, list[str]], multi: set[str]) -> str:
    """The dict of expressions; those of a multi-attr as a list, of others the last."""
    items = [
        f"{name!r}: [{', '.join(each)}]" if name in multi else f"{name!r}: {each[-1]}"
        for name, each in values.items()
    ]
    return "{" + ", ".join(items) + "}"
