"""Module parameters, parsed from the text that a program passes to finit_module(2) (kernel/params.c)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from simkernel.kernel.lib.kstrtox import kstrtoint
from simkernel.kernel.lib.log import Log
from simkernel.kernel.module.declaration import Module, ModuleParameter
from simkernel.uapi.errno import EINVAL, ENOSPC, ERANGE, os_error

MAX_STRING = 1024
"""Maximum length of a string parameter in bytes (`param_set_charp()`)."""

INT_MIN, INT_MAX = -(2**31), 2**31 - 1


def parse_parameters(name: str, module: Module, line: str, log: Log) -> dict[str, Any]:
    """Return the values of all parameters of the module `name` (`parse_args()`). The text `line` has the form
    `a=1 b=2`. A parameter that is not in `line` has its default.

    The whole line is checked. Each error is logged and the last one is raised: EINVAL, ERANGE, or ENOSPC
    for a string that is too long.  An unknown parameter only causes a warning.
    """
    values: dict[str, Any] = {parameter.name: parameter.default for parameter in module.parameters}
    known = {_plain(parameter.name): parameter for parameter in module.parameters}
    words = _words(line)
    failed = 0
    for key, text in words:
        if key == "--" and text is None:
            rest = " ".join(key if text is None else f"{key}={text}" for key, text in words)
            if rest:
                log.warn(f"{name}: parameters '{rest}' after `--' ignored")
            break
        parameter = known.get(_plain(key))
        if parameter is None:
            log.warn(f"{name}: unknown parameter '{key}' ignored")
            continue
        try:
            values[parameter.name] = _value(parameter, text)
        except OSError as invalid:
            failed = invalid.errno or EINVAL
            log.err(f"{name}: `{text or ''}' invalid for parameter `{key}' (expected {parameter.expected})")
    if failed:
        raise os_error(failed)
    return values


def _plain(name: str) -> str:
    """Return a parameter's name with each - replaced by _, because Linux treats both characters as equal in
    names (`parameq()`).
    """
    return name.replace("-", "_")


def _words(line: str) -> Iterator[tuple[str, str | None]]:
    """Yield the `key=value` and `key` words of a line. Quotes protect spaces (`next_arg()`)."""
    rest = line.strip()
    while rest:
        end = _word_end(rest)
        word, rest = rest[:end], rest[end:].lstrip()
        if word.startswith('"'):
            word = word[1:].removesuffix('"')
        key, equals, value = word.partition("=")
        if value.startswith('"'):
            value = value[1:].removesuffix('"')
        yield (key, value) if equals and key else (word, None)


def _word_end(text: str) -> int:
    quoted = False
    for index, letter in enumerate(text):
        if letter.isspace() and not quoted:
            return index
        quoted ^= letter == '"'
    return len(text)


def _value(parameter: ModuleParameter, text: str | None) -> Any:
    if text is None and parameter.type is not bool:
        raise os_error(EINVAL)
    convert = _CONVERT[parameter.type]
    if not parameter.array:
        return convert(parameter, text)
    pieces = (text or "").split(",")
    if len(pieces) > parameter.array:
        raise os_error(EINVAL)
    return tuple(convert(parameter, piece) for piece in pieces)


def _bool(parameter: ModuleParameter, text: str | None) -> bool:
    """Convert text to a bool (`kstrtobool()`). A name without a value means True."""
    if text is None or text[:1] in ("y", "Y", "t", "T", "1"):
        return True
    if text[:1] in ("n", "N", "f", "F", "0"):
        return False
    if text[:2].lower() in ("on", "of"):
        return text[:2].lower() == "on"
    raise os_error(EINVAL)


def _int(parameter: ModuleParameter, text: str | None) -> int:
    """Convert text to an integer with `kstrtoint()` and check the parameter's range."""
    value = kstrtoint(text or "")
    if not INT_MIN <= value <= INT_MAX:
        raise os_error(ERANGE)
    if not parameter.in_range(value):
        raise os_error(EINVAL)
    return value


def _string(parameter: ModuleParameter, text: str | None) -> str:
    if len((text or "").encode()) > MAX_STRING:
        raise os_error(ENOSPC)
    return text or ""


_CONVERT: Mapping[type, Callable[[ModuleParameter, str | None], Any]] = {bool: _bool, int: _int, str: _string}
