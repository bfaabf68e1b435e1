"""Names of network devices (net/core/dev.c)."""

from __future__ import annotations

from simkernel.kernel.net.device import NetDevice
from simkernel.kernel.net.namespace import Net
from simkernel.uapi.errno import EEXIST, EINVAL, ENFILE, os_error
from simkernel.uapi.if_link import IFNAMSIZ

MAX_NUMBERED = 8 * 4096
"""Maximum number of names from one format with `%d`. Linux marks the used numbers in a bitmap of one page."""


def is_valid(name: str) -> bool:
    """Return True for a valid device name (`dev_valid_name()`)."""
    if not name or len(name) >= IFNAMSIZ or name in (".", ".."):
        return False
    return not any(each in "/:" or each in " \t\n\v\f\r\xa0" for each in name)


def pick_name(net: Net, name: str, device: NetDevice | None = None) -> str:
    """Check the wanted name of a new or renamed device, and return the name that it gets
    (`dev_prep_valid_name()`).

    A `%d` is replaced by the lowest free number. Raises EINVAL for an invalid name or another `%`, EEXIST
    for a name in use, ENFILE if no number is free.
    """
    if not is_valid(name):
        raise os_error(EINVAL)
    place = name.find("%")
    if place < 0:
        if net.device_named(name) is not None:
            raise os_error(EEXIST)
        return name
    if name[place + 1 : place + 2] != "d" or "%" in name[place + 2 :]:
        raise os_error(EINVAL)
    for number in range(MAX_NUMBERED):
        candidate = name.replace("%d", str(number))[: IFNAMSIZ - 1]
        if net.device_named(candidate) is None:
            return candidate
    raise os_error(ENFILE)
