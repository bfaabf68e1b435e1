"""ioctl requests of evdev in the format of strace (strace's src/evdev.c, and the output of strace 6.13)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from types import MappingProxyType
from typing import Final

from simkernel.trace.strace.constants import number
from simkernel.trace.strace.quoting import c_string
from simkernel.uapi import input as uapi
from simkernel.uapi.input_event_codes import (
    ABS_MAX,
    CODE_NAMES,
    EV_FF_STATUS,
    EV_KEY,
    EV_LED,
    EV_MAX,
    EV_PWR,
    EV_SND,
    EV_SW,
    PROP_NAMES,
    TYPE_NAMES,
)
from simkernel.uapi.ioctl import _IOC_DIR, _IOC_NR, _IOC_READ, _IOC_SIZE, _IOC_TYPE
from simkernel.uapi.structure import U32, Buffer

MAX_CODES: Final = 4
"""Maximum number of codes of a bitmap that are printed. If a bitmap has more, `...` replaces the rest."""

_FIXED: Final = MappingProxyType(
    {value: name for name, value in vars(uapi).items() if name.startswith("EVIOC") and isinstance(value, int)}
)
_SIZED: Final = MappingProxyType(
    {value(0): name for name, value in vars(uapi).items() if isinstance(value, partial)}
)
_AXES: Final = MappingProxyType(
    {
        make(axis): number(axis, {}, "ABS")
        for make in (uapi.EVIOCGABS, uapi.EVIOCSABS)
        for axis in range(ABS_MAX + 1)
    }
)
"""Requests of absolute axes. strace prints the names of the axes, but simkernel prints their numbers."""
_VALUES: Final = frozenset({uapi.EVIOCGRAB, uapi.EVIOCREVOKE, uapi.EVIOCRMFF})
"""Requests with an argument that is not an address."""

_UNKNOWN_TYPES: Final = frozenset({EV_PWR, EV_FF_STATUS})
"""Event types with codes that strace does not name."""


def _int(form: str) -> Callable[[Buffer], str]:
    return lambda data: f"[{U32.unpack_from(data)[0]:{form}}]"


def _id(data: Buffer) -> str:
    it = uapi.InputId.unpack(data)
    return f"{{bustype={it.bustype}, vendor={it.vendor}, product={it.product}, version={it.version}}}"


def _pair(data: Buffer) -> str:
    return f"[{U32.unpack_from(data)[0]}, {U32.unpack_from(data, U32.size)[0]}]"


_ARGUMENTS: Final = MappingProxyType(
    {
        uapi.EVIOCGVERSION: _int("#x"),
        uapi.EVIOCGEFFECTS: _int("d"),
        uapi.EVIOCSCLOCKID: _int("d"),
        uapi.EVIOCGID: _id,
        uapi.EVIOCGREP: _pair,
        uapi.EVIOCSREP: _pair,
    }
)
_STRINGS: Final = frozenset({uapi.EVIOCGNAME(0), uapi.EVIOCGPHYS(0), uapi.EVIOCGUNIQ(0)})
_STATES: Final = MappingProxyType(
    {
        uapi.EVIOCGKEY(0): EV_KEY,
        uapi.EVIOCGLED(0): EV_LED,
        uapi.EVIOCGSND(0): EV_SND,
        uapi.EVIOCGSW(0): EV_SW,
    }
)


def name(request: int) -> str | None:
    """Return the name of a request, such as `EVIOCGBIT(EV_KEY, 96)`, or None if it is not a request of
    evdev.
    """
    if request in _FIXED:
        return _FIXED[request]
    if uapi.without_size(request) in _SIZED:
        return f"{_SIZED[uapi.without_size(request)]}({_IOC_SIZE(request)})"
    if request in _AXES:
        return f"{'EVIOCGABS' if _IOC_DIR(request) == _IOC_READ else 'EVIOCSABS'}({_AXES[request]})"
    type = _bit_type(request)
    if type is None:
        return None
    shown = number(type, TYPE_NAMES, "EV") if type else "0"
    return f"EVIOCGBIT({shown}, {_IOC_SIZE(request)})"


def argument(request: int, given: int | memoryview, result: object) -> str | None:
    """Format the argument of a request, with its value after the call. Return None if the format is unknown.

    `result` is None if the call has failed.
    """
    if isinstance(given, int):
        return str(int(given)) if request in _VALUES else None
    if request in _ARGUMENTS and len(given) >= _IOC_SIZE(request):
        return _ARGUMENTS[request](given)
    if not isinstance(result, int):
        return None
    sizeless = uapi.without_size(request)
    if sizeless in _STRINGS:
        return c_string(given[:result])
    if sizeless == uapi.EVIOCGPROP(0):
        return _bitmap(given[:result], lambda code: number(code, PROP_NAMES, "PROP"))
    type = _STATES.get(sizeless, _bit_type(request))
    if type not in TYPE_NAMES or type in _UNKNOWN_TYPES:
        return None
    known = CODE_NAMES.get(type, {}) if type else TYPE_NAMES
    prefix = TYPE_NAMES[type].removeprefix("EV_") if type else "EV"
    return _bitmap(given[:result], lambda code: number(code, known, prefix))


def _bit_type(request: int) -> int | None:
    """Return the event type of an EVIOCGBIT request, or None for another request."""
    type = _IOC_NR(request) - _IOC_NR(uapi.EVIOCGBIT(0, 0))
    mine = _IOC_TYPE(request) == ord("E") and _IOC_DIR(request) == _IOC_READ and 0 <= type <= EV_MAX
    return type if mine else None


def _bitmap(data: Buffer, called: Callable[[int], str]) -> str:
    bits = int.from_bytes(data, "little")
    codes = list(_set_bits(bits))
    more = [*map(called, codes[:MAX_CODES]), *(["..."] if len(codes) > MAX_CODES else [])]
    return f"[{' '.join(more)}]"


def _set_bits(bits: int) -> Iterator[int]:
    while bits:
        yield (bits & -bits).bit_length() - 1
        bits &= bits - 1
