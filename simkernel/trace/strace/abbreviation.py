"""Abbreviation of strace lines: `...` replaces details that most readers do not need.

strace itself abbreviates structures (-e abbrev), but prints netlink messages in full.
"""

from __future__ import annotations

import re
from typing import Final

SHORTER: Final = (
    (re.compile(r"(\{nlmsg_len=\d+, nlmsg_type=[^,}]+), [^}]*\}"), r"\1, ...}"),
    (re.compile(r"\{nla_len=\d+, nla_type=([^}]+)\}"), r"\1"),
    (re.compile(r"\{sa_family=AF_NETLINK, nl_pid=0, nl_groups=00000000\}"), "{sa_family=AF_NETLINK, ...}"),
)
"""Patterns of headers, attributes and addresses, with their replacements."""
_STRING: Final = re.compile(r'"((?:[^"\\]|\\.)*)"(?:\.\.\.)?')
_BYTE: Final = re.compile(r"\\x[0-9a-f]{2}|\\[0-7]{1,3}|\\.|[^\\]")
READABLE: Final = 8
"""Maximum number of escaped bytes in a string. If a string has more, it is cut to this number of bytes."""
_ECHO: Final = "msg=["
"""Text in the strace output of an NLMSG_ERROR. The copy of the request follows it."""


def abbreviated(line: str) -> str:
    """Return an abbreviated strace line."""
    for pattern, shorter in SHORTER:
        line = pattern.sub(shorter, line)
    return _without_echo(_STRING.sub(_string, line))


def _string(found: re.Match[str]) -> str:
    shown = _BYTE.findall(found[1])
    if sum(each.startswith("\\") for each in shown) <= READABLE:
        return found[0]
    return f'"{"".join(shown[:READABLE])}"...'


def _without_echo(line: str) -> str:
    before, found, rest = line.partition(_ECHO)
    if not found:
        return line
    depth = 1
    for position, character in enumerate(rest):
        depth += {"[": 1, "]": -1}.get(character, 0)
        if not depth:
            return f"{before}{_ECHO}...{rest[position:]}"
    return line
