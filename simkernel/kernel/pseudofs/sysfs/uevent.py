"""The files `uevent` in sysfs. A program writes to such a file to make the kernel send a uevent
(lib/kobject_uevent.c).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from simkernel.kernel.device.uevent import Uevents
from simkernel.kernel.pseudofs.sysfs.entry import Attribute
from simkernel.uapi.errno import EINVAL, os_error

ACTIONS: Final = ("add", "remove", "change", "move", "online", "offline", "bind", "unbind")
"""The actions of uevents (`kobject_actions`)."""
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_ARGUMENT: Final = re.compile(r"([A-Za-z0-9]+)=([A-Za-z0-9]+)")

Send = Callable[[str, dict[str, str]], None]


def synthesize(data: bytes, send: Send) -> None:
    """Send the uevent that a program requests with `ACTION [UUID [KEY=VALUE ...]]`.

    The event is marked as synthetic (`kobject_synth_uevent()`). Raises EINVAL for other text.
    """
    words = data.decode("utf-8", "surrogateescape").removesuffix("\n").split(" ")
    if words[0] not in ACTIONS:
        raise os_error(EINVAL)
    extra = {"SYNTH_UUID": "0"}
    if len(words) > 1:
        if not _UUID.fullmatch(words[1]):
            raise os_error(EINVAL)
        extra["SYNTH_UUID"] = words[1]
    for word in words[2:]:
        argument = _ARGUMENT.fullmatch(word)
        if argument is None:
            raise os_error(EINVAL)
        extra[f"SYNTH_ARG_{argument[1]}"] = argument[2]
    send(words[0], extra)


def uevent_file(uevents: Uevents, devpath: str, subsystem: str) -> Attribute:
    """Return the file `uevent` of a bus, a driver or a module. The file is write-only, because such an object
    has no uevent variables.
    """

    def store(data: bytes) -> None:
        synthesize(data, lambda action, extra: uevents.send(action, devpath, subsystem, extra))

    return Attribute(None, store)
