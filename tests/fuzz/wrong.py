"""Values of any type, size and content that a program can pass to a call by mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final, NoReturn

from simkernel.hardware import Mouse, Walk


class Refusal(Exception):
    """The exception that special methods of `Hostile` raise."""


class Hostile:
    """An object whose special methods raise."""

    def _refuse(self, *_: object) -> NoReturn:
        raise Refusal

    __index__ = __int__ = __float__ = __len__ = __bytes__ = __fspath__ = __iter__ = __getitem__ = _refuse
    __call__ = __buffer__ = __eq__ = __bool__ = __contains__ = fileno = begin = _refuse
    __hash__ = object.__hash__


class Lying:
    """An object whose special methods return values of the wrong type."""

    def _answer(self, *_: object) -> Any:
        return {}

    __index__ = __int__ = __float__ = __len__ = __bytes__ = __fspath__ = __iter__ = fileno = _answer


class Fleeting:
    """An object with a fileno() method that raises on its second call."""

    def __init__(self) -> None:
        self.asked = 0

    def fileno(self) -> int:
        """Return 0 on the first call, then raise Refusal."""
        self.asked += 1
        if self.asked > 1:
            raise Refusal
        return 0


class IntLike(int):
    """A subclass of int with operators that raise."""

    def _refuse(self, *_: object) -> NoReturn:
        raise Refusal

    __and__ = __rand__ = __or__ = __lt__ = __add__ = __sub__ = _refuse
    __hash__ = int.__hash__


def _raising() -> Iterator[int]:
    yield 1
    raise Refusal


async def _program(app: Any) -> None:
    await app.getpid()


VALUES: Final[tuple[Any, ...]] = (
    None, True, False, 0, 1, -1, -2, 2, 4096, 1 << 15, (1 << 31) - 1, 1 << 31, -(1 << 31), -(1 << 31) - 1,
    (1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, -(1 << 63), 1 << 64, 1 << 200, -(1 << 200), IntLike(5),
    1.5, float("nan"), float("inf"), -0.0, 1j, "", "text", "nul\0nul", "\udc80", "\ud800", "x" * 5000,
    b"", b"bytes", b"nul\0", b"\xff" * 300, memoryview(b"view"), memoryview(b"views")[::2],
    (), (1, 2), (0, 0), ([0], [0], [0]), ([0], 5), (1.5, "x"), (None, None), (1 << 70, 0), ("", b""),
    (1, 2, 3), object, divmod, len, _program, range(3), slice(1, 2), ..., frozenset({5}),
)  # fmt: skip
MAKERS: Final[tuple[Callable[[], Any], ...]] = (
    list, dict, set, object, Hostile, Lying, Fleeting, _raising,
    lambda: bytearray(8), lambda: memoryview(bytearray(8)), lambda: memoryview(bytearray(8)).cast("I"),
    lambda: [1, 2, 3], lambda: [None], lambda: [(0, 1)], lambda: [(0, None)], lambda: [[]], lambda: ["text"],
    lambda: [(1, 1, b"x")], lambda: [(1, 1)], lambda: [b"x", "y"], lambda: {"a": 1}, lambda: iter([1]),
    lambda: Mouse(Walk()), lambda: ValueError("x"), lambda: lambda: None,
)  # fmt: skip
"""Functions that return a new object at each call. Most objects are mutable, so a call under test could
change a shared one.
"""


def value(random: Random) -> Any:
    """Return a random value of any type."""
    return random.choice(MAKERS)() if random.random() < 0.3 else random.choice(VALUES)
