"""Encoding and decoding of a family's messages, from its specification.

    frame = codec(spec, "frame-ready", "event", "reply")
    frame.encode({"sequence": 7, "size": {"width": 640, "height": 480}})   -> bytes
    frame.decode(payload)                                                 -> dict

A codec handles the attributes of a message; the caller handles the generic netlink header.  Keys are
spelled as in the specification.  Attributes are encoded in the order of the mapping.  An enum value is its
name, flags are a tuple of names, a nest is a dict, a multi-attr or an array is a list, binary is bytes, a
flag is True.

Numbers without a name stay numbers.  Unknown attributes are ignored.  If an attribute that may occur once
is repeated, the last one counts, as for any netlink client.

Encoding only checks that the values can be encoded.  The kernel checks whether they are valid.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from simkernel.uapi.structure import Buffer, Malformed
from simkernel.ynl.coder import Coder, repeated
from simkernel.ynl.model import Attribute, Direction, ModeName, Operation, Spec
from simkernel.ynl.nests import indexed_array_coder, nest_coder, type_value_coder
from simkernel.ynl.payloads import plain_coder
from simkernel.ynl.source import Encode
from simkernel.ynl.space import BadValue as BadValue
from simkernel.ynl.space import Space

_SILENT: Final = frozenset({"pad", "unused"})


class Codec:
    """Encodes and decodes the attributes of one message.

    `attributes` are the names that the message lists.
    """

    __slots__ = ("_complete", "attributes", "encode")

    def __init__(self, attributes: tuple[str, ...], listed: Space, complete: Space) -> None:
        self.attributes = attributes
        self.encode: Encode = listed.encode
        """Function that encodes a mapping of attribute names to values, in the order of the mapping.  It
        raises BadValue.
        """
        self._complete = complete

    def decode(self, data: Buffer, start: int = 0, end: int | None = None) -> dict[str, Any]:
        """Return the values of all attributes in `data[start:end]`.  Raises Malformed."""
        try:
            return self._complete.decoder(data, start, len(data) if end is None else end)
        except RecursionError:
            raise Malformed("attributes are nested too deeply") from None


class Codecs:
    """The codecs of a family.  Each codec is made at its first use, then cached.

    Raises SpecError if the specification uses a feature that simkernel does not support.
    """

    def __init__(self, spec: Spec) -> None:
        spec.require_support()
        self._spec = spec
        self._codecs: dict[tuple[str, str, str], Codec] = {}
        self._nested: dict[tuple[str, bool], Space] = {}

    def __repr__(self) -> str:
        return f"<Codecs of {self._spec.name}>"

    def get(self, operation: str, mode: ModeName, direction: Direction) -> Codec:
        """Return the codec of one message of an operation. `mode` is "do", "dump" or "event"; `direction` is
        "request" or "reply".

        For a request it decodes the listed attributes, for a reply all attributes of the set.  Raise
        ValueError if the operation or the message is not in the specification.
        """
        key = (operation, mode, direction)
        if key not in self._codecs:
            self._codecs[key] = self._make(self._spec.operation(operation), mode, direction)
        return self._codecs[key]

    def _make(self, operation: Operation, mode: ModeName, direction: Direction) -> Codec:
        names = self._spec.message(operation, mode, direction)
        if names is None:
            raise ValueError(f"{self._spec.name}: '{operation.name}' has no {direction} for the mode {mode}")
        request = direction == "request"
        attributes = self._spec.attribute_sets[operation.attribute_set].attributes if names else {}
        listed = self._fill(Space(operation.name), [attributes[name] for name in names], request)
        complete = listed if request else self._fill(Space(operation.name), attributes.values(), request)
        return Codec(names, listed, complete)

    def _fill(self, space: Space, attributes: Iterable[Attribute], request: bool) -> Space:
        for attribute in attributes:
            space.add(self._coder(attribute, request), attribute.type in _SILENT)
        return space

    def _inside(self, name: str, request: bool) -> Space:
        key = (name, request)
        if key not in self._nested:
            # Store the Space before calling `_fill`, which looks it up if the attribute set contains itself.
            space = self._nested[key] = Space(name)
            self._fill(space, self._spec.attribute_sets[name].attributes.values(), request)
        return self._nested[key]

    def _coder(self, attribute: Attribute, request: bool) -> Coder:
        inside = self._inside(attribute.nested, request) if attribute.nested else None
        if attribute.type == "indexed-array":
            coder = indexed_array_coder(attribute, inside, request)
        elif inside is None:
            coder = plain_coder(attribute)
        elif attribute.type == "nest":
            coder = nest_coder(attribute, inside)
        else:
            coder = type_value_coder(attribute, inside)
        return repeated(coder) if attribute.multi else coder


def codec(spec: Spec, operation: str, mode: ModeName = "do", direction: Direction = "request") -> Codec:
    """Return the codec of a message; see Codecs.get().  The specification caches its codecs."""
    codecs: Codecs | None = spec.derived.get("codecs")
    if codecs is None:
        codecs = spec.derived["codecs"] = Codecs(spec)
    return codecs.get(operation, mode, direction)
