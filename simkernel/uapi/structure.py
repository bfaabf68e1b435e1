"""C structures of the interface between programs and kernel, as attrs objects.  They are little-endian and of
fixed size.
"""

from __future__ import annotations

import struct
from struct import Struct
from typing import ClassVar, Final, Self, TypeVar

Buffer = bytes | bytearray | memoryview
B = TypeVar("B", bytes, bytearray, memoryview)

U8: Final = Struct("<B")
U16: Final = Struct("<H")
U32: Final = Struct("<I")
U64: Final = Struct("<Q")
S8: Final = Struct("<b")
S16: Final = Struct("<h")
S32: Final = Struct("<i")
S64: Final = Struct("<q")
BE16: Final = Struct(">H")
BE32: Final = Struct(">I")
U32_MAX: Final = 2**32 - 1
"""Largest unsigned 32-bit number. As a signed number, the same 32 bits are -1."""


class Malformed(ValueError):
    """Raised if bytes do not have the expected format. The text has the offset, what was expected, and what
    was found.
    """


class Structure:
    """Base class of structures of fixed size.

    A subclass is a frozen attrs class, with its fields in the order of LAYOUT.  On hot paths LAYOUT is
    used without an object: `NlMsgHdr.LAYOUT.unpack_from(data, offset)`.
    """

    __slots__ = ()

    LAYOUT: ClassVar[Struct]
    SIZE: ClassVar[int]
    __match_args__: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.SIZE = cls.LAYOUT.size

    def pack(self) -> bytes:
        """Return the bytes of the structure.  Raise struct.error if a value does not fit into its field."""
        return self.LAYOUT.pack(*[getattr(self, name) for name in self.__match_args__])

    @classmethod
    def unpack(cls, data: Buffer, offset: int = 0) -> Self:
        """Return the structure at `offset`.  Raise Malformed if `data` is too short."""
        return cls(*cls._fields(data, offset))

    @classmethod
    def _fields(cls, data: Buffer, offset: int) -> tuple[int, ...]:
        try:
            return cls.LAYOUT.unpack_from(data, offset)
        except struct.error:
            found = max(len(data) - offset, 0)
            raise Malformed(
                f"{cls.__name__} at offset {offset}: expected {cls.SIZE} bytes, found {found}"
            ) from None
