"""Conversion of a system call's arguments to the types that the simulated kernel expects.

In C the compiler checks the types.  Here a wrong argument raises the TypeError, ValueError or
OverflowError of the corresponding Python function.  The check precedes the kernel entry, so no call stops
half-way.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import Any, Final

from simkernel.application.arguments import INT_MAX, control_messages, data, text, to_int, writable
from simkernel.uapi.futex import FutexWord
from simkernel.uapi.syscalls import SYSCALLS

Convert = Callable[[Any], Any]


def _int(lowest: int, highest: int) -> Convert:
    def convert(value: Any) -> int:
        number = value if type(value) is int else to_int(value)
        if lowest <= number <= highest:
            return number
        raise OverflowError

    return convert


def _tuple(*converts: Convert) -> Convert:
    def convert(values: Any) -> tuple[Any, ...]:
        values = tuple(values)
        if len(values) != len(converts):
            raise TypeError
        return tuple(convert(value) for convert, value in zip(converts, values, strict=True))

    return convert


def _list(each: Convert) -> Convert:
    return lambda values: list(map(each, values))


def _image(value: Any) -> Any:
    if hasattr(type(value), "begin") and hasattr(type(value), "comm"):
        return value
    raise TypeError


def _word(value: Any) -> FutexWord:
    if isinstance(value, FutexWord):
        return value
    raise TypeError


def _handler(value: Any) -> Any:
    if iscoroutinefunction(value) or isgeneratorfunction(value) or isasyncgenfunction(value):
        raise TypeError  # the kernel discards the result of a signal handler, so a coroutine would never run
    return value if callable(value) else INT(value)


INT: Final = _int(-INT_MAX - 1, INT_MAX)
UNSIGNED: Final = _int(-INT_MAX - 1, 2 * INT_MAX + 1)
LONG: Final = _int(-(1 << 63), (1 << 64) - 1)
ID: Final = _int(-1, 2 * INT_MAX + 1)


def _address(value: Any) -> Any:
    return _tuple(UNSIGNED, UNSIGNED)(value) if isinstance(value, tuple) else data(value)


def _argument(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    return LONG(value) if hasattr(type(value), "__index__") else writable(value, "")


def _or_none(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)


_ROWS: Final[tuple[tuple[str, str, Convert], ...]] = (
    ("uid gid", "an int from -1 to 4294967295", ID),
    ("device events first last request value", "an int of 32 bits", UNSIGNED),
    ("data hex length offset pointer size timespec", "an int of 64 bits", LONG),
    ("timeout", "an int of 64 bits or None", _or_none(LONG)),
    ("path name comm parameters", "a str, bytes or path", text),
    ("buffer vector", "a bytes-like object", data),
    ("sockaddr", "a tuple of two ints or a bytes-like object", _address),
    ("address", "a tuple of two ints, a bytes-like object or None", _or_none(_address)),
    ("argument", "an int or a read-write bytes-like object", _argument),
    ("control", "a list of (level, type, data)", control_messages),
    ("watched", "a list of (fd, events)", _list(_tuple(INT, INT))),
    ("sets", "three lists of descriptors", _tuple(*[_list(INT)] * 3)),
    ("sizes", "a list of ints", _list(LONG)),
    ("counted", "a list of ints from -1 to 4294967295", _list(ID)),
    ("capabilities", "a set of ints", lambda values: frozenset(map(INT, values))),
    ("limits times", "a tuple of two ints or None", _or_none(_tuple(LONG, LONG))),
    ("image", "an Image", _image),
    ("word", "a FutexWord", _word),
    ("handler", "an int or a plain function", _handler),
)
_TYPES: Final = {key: (words, convert) for keys, words, convert in _ROWS for key in keys.split()}
"""Maps the kind of a system call argument to a pair: the type that the argument must have, in words for error
texts, and the function that converts the argument. The key is the name of an argument, such as "path", or the
format in which strace prints the argument, such as "timespec". An argument without an entry is a C int.
"""
_PLANS: Final = {
    name: [
        (each.name, *(_TYPES.get(each.kind) or _TYPES.get(each.name) or ("a C int", INT)), each.optional)
        for each in spec.arguments
    ]
    for name, spec in SYSCALLS.items()
}


def checked(name: str, values: tuple[object, ...]) -> tuple[object, ...]:
    """Convert the arguments of the system call `name` to the types that the simulated kernel expects.

    Raise TypeError for a wrong type or number of arguments, OverflowError for an int out of range, and
    ValueError for a path that contains a NUL.
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise TypeError(f"{name!a} is not the name of a system call: pass a name such as 'read'")
    plan = _PLANS.get(name)
    if plan is None:
        return values  # no check: the kernel returns ENOSYS for an unknown system call
    count = len(values)
    if count > len(plan) or (count < len(plan) and not plan[count][-1]):
        names = ", ".join(each[0] for each in plan)
        raise TypeError(f"{name}({names}) was called with {count} arguments")
    converted = []
    for (argument, words, convert, _), value in zip(plan, values, strict=False):
        try:
            converted.append(convert(value))
        except (TypeError, OverflowError) as error:
            kind = OverflowError if isinstance(error, OverflowError) else TypeError
            shown = value if kind is OverflowError else type(value).__name__
            raise kind(f"{name}: {argument} must be {words}, not {shown}") from None
    return tuple(converted)
