r"""Uevents: messages in which the kernel announces changes of devices (NETLINK_KOBJECT_UEVENT).  They have no
netlink header.

    add@/devices/camera0\0ACTION=add\0DEVPATH=/devices/camera0\0SUBSYSTEM=camera\0SEQNUM=12\0

Source: kobject_uevent_env() and alloc_uevent_skb() in lib/kobject_uevent.c.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Self

import attrs

from simkernel.uapi.structure import Buffer, Malformed

# Multicast group of the kernel's events. udev sends its own messages to group 2, with the prefix `_LIBUDEV`.
UEVENT_GROUP: Final = 1
_LIBUDEV: Final = b"libudev\0"


@attrs.frozen
class Uevent:
    """A uevent.  `variables` are in the kernel's order and include ACTION and DEVPATH."""

    action: str
    devpath: str
    variables: Mapping[str, str] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        for name, value in (("action", self.action), ("devpath", self.devpath)):
            if "\0" in value:
                raise ValueError(f"the {name} of a uevent must not contain NUL: {value!r}")
        if "@" in self.action:
            raise ValueError(f"the action of a uevent must not contain @: {self.action!r}")
        for key, value in self.variables.items():
            if not key or "=" in key or "\0" in key or "\0" in value:
                raise ValueError(f"a variable of a uevent must be KEY=VALUE without NUL: {key!r}, {value!r}")

    def pack(self) -> bytes:
        """Encode the uevent as a datagram: ACTION@DEVPATH and the variables, each followed by a NUL."""
        lines = [f"{self.action}@{self.devpath}"]
        lines += [f"{key}={value}" for key, value in self.variables.items()]
        return _encode("\0".join(lines) + "\0")

    @classmethod
    def unpack(cls, data: Buffer) -> Self:
        """Return the event in a datagram.  If a variable is repeated, its last value counts, as in an
        environment.

        Raises Malformed if it is not in the kernel's format, for example in that of udev.
        """
        data = bytes(data)
        if data.startswith(_LIBUDEV):
            raise Malformed("uevent at offset 0: expected ACTION@DEVPATH, found udev's own format")
        if not data.endswith(b"\0"):
            raise Malformed(f"uevent at offset {len(data)}: expected a NUL, found the end")
        summary, *lines = _decode(data[:-1]).split("\0")
        action, at, devpath = summary.partition("@")
        if not at:
            raise Malformed(f"uevent at offset 0: expected ACTION@DEVPATH, found {summary!r}")
        variables = {}
        for place, line in enumerate(lines):
            key, equals, value = line.partition("=")
            if not key or not equals:
                offset = sum(len(_encode(before)) + 1 for before in (summary, *lines[:place]))
                raise Malformed(f"uevent at offset {offset}: expected KEY=VALUE, found {line!r}")
            variables[key] = value
        return cls(action, devpath, variables)


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _decode(data: bytes) -> str:
    # Use surrogateescape, because a path can contain bytes that are not UTF-8.
    return data.decode("utf-8", "surrogateescape")
